//! Tokens, from the sources that Azure users expect: environment, workload identity, managed identity, `az login`.
//!
//! If a sign-in is set up, topo uses it, and its failure is the error: topo never silently uses another login. Only if
//! none is set up, topo tries the identity of the machine and then `az`. `AZURE_TOKEN_CREDENTIALS` limits the choice,
//! as in Azure's other tools: `prod` (all but `az`), `dev` (only `az`) or the name of one.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use azure_core::auth::{AccessToken, TokenCredential};
use azure_identity::{AzureCliCredential, ClientSecretCredential, TokenCredentialOptions, WorkloadIdentityCredential};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::client::{built, http_client};
use super::error::ArmError;
use super::settings::ArmSettings;
use super::token::{SignInError, Token, TokenSource, WayError, WayFailure};
use crate::transport::{BoxFuture, chain};

/// How long before its end topo renews a token.
const MARGIN: u64 = 300;
/// The time limit for one way to sign in.
const LIMIT: Duration = Duration::from_secs(60);
/// How long topo does not try a failed sign-in again: otherwise each concurrent request would wait for it.
const REMEMBERED: Duration = Duration::from_secs(30);
/// The address where a virtual machine gets tokens.
const MACHINE: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01";

/// The operator's own sign-in.
pub(super) struct Operator {
    http: reqwest::Client,
    direct: reqwest::Client,
    authority_host: Option<String>,
    /// The result of the last sign-in. All requests have the same scope.
    held: Mutex<Option<Result<Token, (SignInError, Instant)>>>,
}

/// Ways to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Workload,
    Secret,
    Service,
    Machine,
    Cli,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Workload => "the workload identity of AZURE_FEDERATED_TOKEN_FILE",
            Self::Secret => "AZURE_CLIENT_ID with AZURE_CLIENT_SECRET",
            Self::Service => "the managed identity at IDENTITY_ENDPOINT",
            Self::Machine => "the managed identity of this machine",
            Self::Cli => "the Azure CLI",
        }
    }
}

impl Operator {
    pub(super) fn new(settings: &ArmSettings) -> Result<Self, ArmError> {
        // Identities are on this machine, so no proxy. If there is no such service, the request fails at once.
        let direct = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(1))
            .timeout(Duration::from_secs(15));
        Ok(Self {
            http: built(http_client(settings)?)?,
            direct: built(direct)?,
            authority_host: settings.authority_host.clone(),
            held: Mutex::default(),
        })
    }

    async fn fetch(&self, scope: &str) -> Result<Token, SignInError> {
        let mut tried = Vec::new();
        for way in ways(&|name| variable(name))? {
            // `az` may wait for input, or hang.
            let fetched = tokio::time::timeout(LIMIT, self.fetch_by(way, scope)).await;
            match fetched.unwrap_or(Err(WayFailure::TimedOut(LIMIT))) {
                Ok(token) => {
                    tracing::info!(way = way.name(), "azure: signed in");
                    return Ok(token);
                }
                Err(cause) => tried.push(WayError { way: way.name(), cause }),
            }
        }
        Err(SignInError::Refused(tried))
    }

    async fn fetch_by(&self, way: Way, scope: &str) -> Result<Token, WayFailure> {
        let resource = scope.strip_suffix("/.default").unwrap_or(scope);
        match way {
            Way::Workload => {
                let credential = WorkloadIdentityCredential::create(self.options()).map_err(|it| of_crate(&it))?;
                self.fetch_with(&credential, scope).await
            }
            Way::Secret => {
                let credential = ClientSecretCredential::create(self.options()).map_err(|it| of_crate(&it))?;
                self.fetch_with(&credential, scope).await
            }
            Way::Cli => self.fetch_with(&AzureCliCredential::new(), scope).await.map_err(|failure| match failure {
                // These are the crate's words.
                WayFailure::Credential(words) if words == "Azure CLI not installed" => WayFailure::NoCli,
                other => other,
            }),
            Way::Service => {
                let endpoint = variable("IDENTITY_ENDPOINT").unwrap_or_default();
                let join = if endpoint.contains('?') { '&' } else { '?' };
                let header = variable("IDENTITY_HEADER").map(|secret| ("x-identity-header", secret));
                self.managed(&format!("{endpoint}{join}api-version=2019-08-01"), header, resource).await
            }
            Way::Machine => self.managed(MACHINE, Some(("metadata", "true".to_owned())), resource).await,
        }
    }

    async fn fetch_with(&self, credential: &dyn TokenCredential, scope: &str) -> Result<Token, WayFailure> {
        let AccessToken { token, expires_on } = credential.get_token(&[scope]).await.map_err(|it| of_crate(&it))?;
        Ok(Token::new(token.secret().to_owned(), u64::try_from(expires_on.unix_timestamp()).unwrap_or_default()))
    }

    fn options(&self) -> TokenCredentialOptions {
        let client: Arc<dyn azure_core::HttpClient> = Arc::new(self.http.clone());
        let mut options = TokenCredentialOptions::from(client);
        if let (None, Some(host)) = (variable("AZURE_AUTHORITY_HOST"), &self.authority_host) {
            options.set_authority_host(host.clone());
        }
        options
    }

    /// Requests the token of a managed identity; `AZURE_CLIENT_ID`, if set, names which one. The crate's own credential
    /// knows only the machine's own identity.
    async fn managed(
        &self,
        url: &str,
        header: Option<(&'static str, String)>,
        resource: &str,
    ) -> Result<Token, WayFailure> {
        let odd = |error: &dyn ToString| WayFailure::Address { url: url.to_owned(), reason: error.to_string() };
        let lost = |error: reqwest::Error| WayFailure::Connection(chain(&error.without_url()));
        let mut url = reqwest::Url::parse(url).map_err(|error| odd(&error))?;
        url.query_pairs_mut().append_pair("resource", resource);
        if let Some(client) = variable("AZURE_CLIENT_ID") {
            url.query_pairs_mut().append_pair("client_id", &client);
        }
        let mut request = self.direct.get(url);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let text = response.text().await.map_err(lost)?;
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        let told = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        match (status.is_success(), json["access_token"].as_str()) {
            (true, Some(token)) => Ok(Token::new(token.to_owned(), number(&json["expires_on"]).unwrap_or_default())),
            _ => Err(WayFailure::Answered {
                status: status.to_string(),
                error: told("error"),
                message: told("error_description") + &told("message"),
            }),
        }
    }
}

impl TokenSource for Operator {
    fn token<'a>(&'a self, scope: &'a str) -> BoxFuture<'a, Result<Token, SignInError>> {
        Box::pin(async move {
            // The second caller waits for the first: one sign-in for all.
            let mut held = self.held.lock().await;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            match &*held {
                Some(Ok(token)) if token.expires > now + MARGIN => return Ok(token.clone()),
                Some(Err((reason, since))) if since.elapsed() < REMEMBERED => return Err(reason.clone()),
                _ => {}
            }
            *held = None;
            let fetched = self.fetch(scope).await;
            *held = Some(fetched.clone().map_err(|reason| (reason, Instant::now())));
            fetched
        })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { *self.held.lock().await = None })
    }
}

/// What the crate says of a failure.
fn of_crate(error: &azure_core::Error) -> WayFailure {
    WayFailure::Credential(chain(error))
}

/// A variable of the environment that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The ways to try, in this order.
fn ways(variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Way>, SignInError> {
    let is_set = |name: &str| variable(name).is_some();
    let wanted = variable("AZURE_TOKEN_CREDENTIALS");
    let all = [Way::Workload, Way::Secret, Way::Service, Way::Machine, Way::Cli];
    let allowed: &[Way] = match wanted.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None => &all,
        Some("prod") => &all[..4],
        Some("dev" | "azureclicredential") => return Ok(vec![Way::Cli]),
        Some("environmentcredential") => &[Way::Secret],
        Some("workloadidentitycredential") => &[Way::Workload],
        Some("managedidentitycredential") => &[Way::Service, Way::Machine],
        Some(other) => return Err(SignInError::UnknownCredentials(other.to_owned())),
    };
    let federated = is_set("AZURE_FEDERATED_TOKEN_FILE") || is_set("AZURE_FEDERATED_TOKEN");
    for (way, marked, sign) in [
        (Way::Workload, federated, "AZURE_FEDERATED_TOKEN_FILE"),
        (Way::Secret, is_set("AZURE_CLIENT_SECRET"), "AZURE_CLIENT_SECRET"),
    ] {
        let only = allowed == [way];
        if !allowed.contains(&way) || !(marked || only) {
            continue;
        }
        let needed = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"].into_iter().filter(|name| !is_set(name));
        let missing: Vec<&'static str> = needed.chain((!marked).then_some(sign)).collect();
        if !missing.is_empty() {
            return Err(SignInError::Incomplete { way: way.name(), missing });
        }
        return Ok(vec![way]);
    }
    if allowed.contains(&Way::Service) && is_set("IDENTITY_ENDPOINT") {
        return Ok(vec![Way::Service]);
    }
    Ok(allowed.iter().copied().filter(|way| matches!(way, Way::Machine | Way::Cli)).collect())
}

#[cfg(test)]
mod tests {
    use super::{SignInError, Way, ways};

    fn with(variables: &[(&str, &str)]) -> Result<Vec<Way>, SignInError> {
        ways(&|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn what_is_set_up_is_used_alone() {
        let client = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
        let and = |more: &[(&'static str, &'static str)]| with(&[&client[..], more].concat());
        assert_eq!(with(&[]), Ok(vec![Way::Machine, Way::Cli]));
        assert_eq!(and(&[]), Ok(vec![Way::Machine, Way::Cli]), "the client id names a user-assigned identity");
        assert_eq!(and(&[("AZURE_CLIENT_SECRET", "s")]), Ok(vec![Way::Secret]));
        assert_eq!(and(&[("AZURE_FEDERATED_TOKEN_FILE", "/f"), ("AZURE_CLIENT_SECRET", "s")]), Ok(vec![Way::Workload]));
        assert_eq!(with(&[("IDENTITY_ENDPOINT", "http://x")]), Ok(vec![Way::Service]));
        assert_eq!(with(&[("IDENTITY_ENDPOINT", "http://x"), ("AZURE_TOKEN_CREDENTIALS", "dev")]), Ok(vec![Way::Cli]));
        assert_eq!(with(&[("AZURE_TOKEN_CREDENTIALS", "prod")]), Ok(vec![Way::Machine]));
        let error = with(&[("AZURE_CLIENT_SECRET", "hidden"), ("AZURE_CLIENT_ID", "c")]).unwrap_err().to_string();
        assert!(error.contains("AZURE_TENANT_ID is not set") && !error.contains("hidden"), "{error}");
        let error = with(&[("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")]).unwrap_err().to_string();
        assert!(error.contains("AZURE_TENANT_ID and AZURE_CLIENT_ID and AZURE_CLIENT_SECRET is not set"), "{error}");
        let error = with(&[("AZURE_TOKEN_CREDENTIALS", "magic")]);
        assert_eq!(error, Err(SignInError::UnknownCredentials("magic".to_owned())));
    }
}
