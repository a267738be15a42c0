//! The connection settings for Azure Resource Manager. None of them comes from a topology.

use std::path::PathBuf;
use std::time::Duration;

/// Where Azure Resource Manager answers, how long topo waits, whom it trusts. Comes only from flags, `TOPO_*` variables
/// and the operator's own configuration: these settings decide where tokens go.
#[derive(Clone, Debug)]
pub struct ArmSettings {
    /// The origin of Azure Resource Manager, such as `https://management.azure.com`. Tokens go nowhere else.
    pub endpoint: String,
    /// The audience of tokens, without `/.default`.
    pub audience: String,
    /// The address for sign-in with a client secret or a federated token; none means `AZURE_AUTHORITY_HOST`, else the
    /// public cloud.
    pub authority_host: Option<String>,
    /// A file with certificates (PEM) of authorities to trust in addition to the public ones.
    pub certificate_authorities: Option<PathBuf>,
    /// The time limit for a connection.
    pub connect_timeout: Duration,
    /// The time limit for one request and its answer.
    pub request_timeout: Duration,
    /// The time limit for one write or one question, including waits for others, retries and polls.
    pub operation_timeout: Duration,
    /// Concurrent requests, at least one.
    pub parallelism: usize,
}

/// A cloud of Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// The public one.
    Public,
    /// Azure for the government of the United States.
    UsGovernment,
    /// Azure in China, run by 21Vianet.
    China,
}

impl ArmSettings {
    /// The settings for a cloud, with the usual time limits.
    pub fn of(cloud: Cloud) -> Self {
        let (endpoint, authority) = match cloud {
            Cloud::Public => ("https://management.azure.com", None),
            Cloud::UsGovernment => ("https://management.usgovcloudapi.net", Some("https://login.microsoftonline.us")),
            Cloud::China => ("https://management.chinacloudapi.cn", Some("https://login.chinacloudapi.cn")),
        };
        Self {
            endpoint: endpoint.to_owned(),
            audience: endpoint.to_owned(),
            authority_host: authority.map(str::to_owned),
            certificate_authorities: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            operation_timeout: Duration::from_secs(20 * 60),
            parallelism: 8,
        }
    }
}

impl Default for ArmSettings {
    fn default() -> Self {
        Self::of(Cloud::Public)
    }
}
