//! What the operator alone decides: where Azure is.

use std::sync::Arc;

use super::{CommandError, GlobalArguments};
use crate::transport::azure::Azure;

/// The way to Azure.
#[cfg(feature = "azure")]
pub(super) fn azure(global: &GlobalArguments) -> Result<Arc<dyn Azure>, CommandError> {
    use crate::transport::arm::{Arm, ArmSettings};
    let mut settings = ArmSettings { connect_timeout: global.connect_timeout, ..ArmSettings::default() };
    if let Ok(endpoint) = std::env::var("TOPO_AZURE_ENDPOINT") {
        settings.endpoint = endpoint;
    }
    settings.certificate_authorities = std::env::var_os("TOPO_AZURE_CERTIFICATE_AUTHORITIES").map(Into::into);
    let arm = Arm::connect(&settings).map_err(|error| CommandError::new(error.to_string()))?;
    Ok(Arc::new(arm))
}

/// The way to Azure.
#[cfg(not(feature = "azure"))]
pub(super) fn azure(_global: &GlobalArguments) -> Result<Arc<dyn Azure>, CommandError> {
    Err(CommandError::new("This topo was built without the feature `azure`.").hint("Use one that has it."))
}
