//! A fake node, proved equal to the kernel, and what it carries: properties of plans and runs, and crashes.

mod books;
#[cfg(feature = "azure")]
mod cloud;
mod differential;
mod draft;
#[cfg(feature = "azure")]
mod everywhere;
mod golden;
mod in_azure;
mod judged;
pub(crate) mod kernel;
mod kernel_settings;
mod looks;
#[cfg(feature = "azure")]
mod mixed;
pub(crate) mod namespace;
mod network_configuration;
mod panics;
mod pinned;
mod post;
mod properties;
mod replies;
mod scene;
mod settings;
mod settings_differential;
mod stopped;
mod taken_along;
pub(crate) mod world;

/// How many cases a property is tried with; `TOPO_TEST_CASES` multiplies it.
fn cases(usual: u32) -> u32 {
    let factor = std::env::var("TOPO_TEST_CASES").ok().and_then(|value| value.parse::<u32>().ok());
    usual * factor.unwrap_or(1)
}
