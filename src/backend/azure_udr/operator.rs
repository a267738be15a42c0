//! The operator's settings for Azure: the address of Azure Resource Manager, and whom topo trusts there.
//!
//! The defaults are those of the public cloud. Each key is independent: an endpoint does not change the audience, which
//! stays that of the cloud.

use std::sync::Arc;

use super::AzureSite;
use crate::backend::Site;
use crate::backend::operator::{Given, Key, Operator};
use crate::resource::Refusal;
use crate::transport::arm::{Arm, ArmSettings, Cloud};

/// The end of the help text of commands that talk to Azure.
pub(super) const HELP: &str = "\
Azure: cloud, endpoint, audience, authority_host, certificate_authorities and
operation_timeout come from [azure] in ~/.config/topo/config.toml (TOPO_CONFIG
names another file) or from TOPO_AZURE_CLOUD, TOPO_AZURE_ENDPOINT …, never from
a topology. Sign-in: AZURE_* variables, a managed identity, or `az login`.";

/// Clouds, by the names in the configuration.
const CLOUDS: [(&str, Cloud); 3] =
    [("public", Cloud::Public), ("us-government", Cloud::UsGovernment), ("china", Cloud::China)];

const CLOUD: &str = "cloud";
const ENDPOINT: &str = "endpoint";
const AUDIENCE: &str = "audience";
const AUTHORITY_HOST: &str = "authority_host";
const CERTIFICATE_AUTHORITIES: &str = "certificate_authorities";

/// The keys.
pub(super) const KEYS: &[Key] = &[
    Key { name: CLOUD, example: "public", is_time: false },
    Key { name: ENDPOINT, example: "https://management.azure.com", is_time: false },
    Key { name: AUDIENCE, example: "https://management.azure.com", is_time: false },
    Key { name: AUTHORITY_HOST, example: "https://login.microsoftonline.com", is_time: false },
    Key { name: CERTIFICATE_AUTHORITIES, example: "/etc/ssl/company.pem", is_time: false },
    Key { name: "operation_timeout", example: "20m", is_time: true },
];

/// Connects to Azure. Sends nothing yet.
pub(super) fn connect(operator: Option<&Operator>) -> Result<Arc<dyn Site>, Refusal> {
    let Some(operator) = operator else { return Ok(Arc::new(AzureSite::new(None))) };
    let arm = Arm::connect(&settings(operator)?).map_err(|error| Refusal::new(error.to_string()))?;
    Ok(Arc::new(AzureSite::new(Some(Arc::new(arm)))))
}

/// The connection settings.
pub(super) fn settings(operator: &Operator) -> Result<ArmSettings, Refusal> {
    // The cloud first: it sets the defaults of the other keys.
    let mut cloud = Cloud::Public;
    for given in operator.given.iter().filter(|given| given.key.name == CLOUD) {
        cloud = read_cloud(given)?;
    }
    let mut settings = ArmSettings { connect_timeout: operator.connect_timeout, ..ArmSettings::of(cloud) };
    for given in &operator.given {
        apply(given, &mut settings)?;
    }
    Ok(settings)
}

fn apply(given: &Given, settings: &mut ArmSettings) -> Result<(), Refusal> {
    match given.key.name {
        CLOUD => {}
        ENDPOINT => settings.endpoint = origin(given, "topo sends tokens only to an https origin without a path")?,
        AUTHORITY_HOST => {
            settings.authority_host = Some(origin(given, "topo sends secrets only to an https origin without a path")?);
        }
        AUDIENCE => {
            let plain = given.value.bytes().all(|byte| byte.is_ascii_graphic()) && !given.value.is_empty();
            if !plain || given.value.ends_with("/.default") {
                return Err(given.refuse("is not an audience (without `/.default`)"));
            }
            settings.audience.clone_from(&given.value);
        }
        CERTIFICATE_AUTHORITIES if given.value.is_empty() => {
            return Err(given.refuse("is not the path of a PEM file"));
        }
        CERTIFICATE_AUTHORITIES => settings.certificate_authorities = Some(given.path()),
        _ => settings.operation_timeout = given.time()?,
    }
    Ok(())
}

fn read_cloud(given: &Given) -> Result<Cloud, Refusal> {
    let known = CLOUDS.iter().find(|(name, _)| *name == given.value);
    known.map(|(_, cloud)| *cloud).ok_or_else(|| given.refuse("is not public, us-government or china"))
}

/// An origin with TLS: `https://HOST` or `https://HOST:PORT`, with or without a slash at the end.
fn origin(given: &Given, why: &str) -> Result<String, Refusal> {
    let text = given.value.strip_suffix('/').unwrap_or(&given.value);
    let is_origin = text.strip_prefix("https://").is_some_and(|rest| {
        let (host, port) = if let Some((address, port)) = rest.strip_prefix('[').and_then(|it| it.split_once(']')) {
            (address.parse::<std::net::Ipv6Addr>().is_ok(), port)
        } else {
            let (host, port) = rest.split_at(rest.find(':').unwrap_or(rest.len()));
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            (!host.is_empty() && host.bytes().all(allowed), port)
        };
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        host && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
    });
    if is_origin { Ok(text.to_owned()) } else { Err(given.refuse(&format!("is not an address: {why}"))) }
}

#[cfg(test)]
mod tests;
