//! All integration tests that need no lab.

mod architecture;
mod arm;
#[cfg(feature = "azure")]
mod arm_client;
#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "azure")]
mod azure_example;
#[cfg(feature = "azure")]
mod azure_init;
mod event_schema;
mod events;
mod fake;
#[cfg(feature = "azure")]
mod plan;
mod scripts;
mod ssh;
mod state;
mod topology;
