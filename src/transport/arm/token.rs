//! Tokens, who gives them, and why there is none.

use std::time::Duration;

use azure_core::auth::Secret;

use super::text::tidy;
use crate::transport::BoxFuture;

/// A token. Its text is never shown.
#[derive(Clone, Debug)]
pub struct Token {
    secret: Secret,
    /// The end of its validity, in seconds since 1970.
    pub expires: u64,
}

impl Token {
    /// A token that is valid until `expires`, in seconds since 1970.
    pub fn new(secret: String, expires: u64) -> Self {
        Self { secret: Secret::new(secret), expires }
    }

    pub(super) fn secret(&self) -> &str {
        self.secret.secret()
    }
}

/// Why there is no token. Each text is a reason that can follow a colon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// `AZURE_TOKEN_CREDENTIALS` names something that topo does not know.
    #[error(
        "AZURE_TOKEN_CREDENTIALS is `{}`; topo knows prod, dev, EnvironmentCredential, WorkloadIdentityCredential, \
         ManagedIdentityCredential and AzureCliCredential",
        tidy(.0)
    )]
    UnknownCredentials(String),
    /// A way to sign in is set up, and lacks variables of the environment.
    #[error("{way} is not complete: {} is not set", missing.join(" and "))]
    Incomplete {
        /// The way.
        way: &'static str,
        /// The variables.
        missing: Vec<&'static str>,
    },
    /// Azure does not accept the token. Its own words.
    #[error("Azure does not accept the token: {0}")]
    Token(String),
    /// Each way that topo tried failed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<WayError>),
    /// A source of tokens that is not topo's own says why.
    #[error("{0}")]
    Source(String),
}

impl SignInError {
    /// What to do about this cause, in a full sentence.
    pub(super) fn hint(&self) -> &'static str {
        let text = self.to_string();
        let code: String =
            text.split("AADSTS").nth(1).unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        match code.as_str() {
            "" if super::text::is_untrusted(&text) => super::text::TRUST,
            "" if self.is_unreachable() => {
                "Check the network, the proxy (HTTPS_PROXY) and AZURE_AUTHORITY_HOST, and run topo again."
            }
            "" if text.contains("HTTP 502") || text.contains("HTTP 504") || text.contains("HTTP 407") => {
                "A proxy or another server in between answered. Check the proxy (HTTPS_PROXY) and the network."
            }
            "" => {
                "Run `az login` (and `az account set --subscription ID`), or set AZURE_TENANT_ID, AZURE_CLIENT_ID and \
                 AZURE_CLIENT_SECRET, or run topo on a machine with a workload or managed identity."
            }
            "7000222" => {
                "Make a new secret (`az ad app credential reset --id APPLICATION`), and set AZURE_CLIENT_SECRET to it."
            }
            "7000215" => "Set AZURE_CLIENT_SECRET to the value of a secret, not to its id.",
            "90002" | "900021" | "900023" => "Correct AZURE_TENANT_ID.",
            "700016" | "7000229" => {
                "Correct AZURE_CLIENT_ID or AZURE_TENANT_ID: the application has to be in this tenant."
            }
            // The family of refused tokens of other identity providers.
            federated if federated.starts_with("70002") || federated.starts_with("7002") => {
                "Check the federated credential of the application (issuer, subject, audience), and the token in \
                 AZURE_FEDERATED_TOKEN_FILE."
            }
            _ => "Correct what Microsoft Entra names, and run topo again.",
        }
    }

    /// Whether Microsoft Entra did not answer: what topo needs for a sign-in is there.
    fn is_unreachable(&self) -> bool {
        let Self::Refused(tried) = self else { return false };
        tried.iter().any(|one| matches!(one.cause, WayFailure::Unreachable(_)))
    }
}

/// Why one way to sign in failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{way}: {}", tidy(&cause.to_string()).trim_end_matches('.'))]
pub struct WayError {
    /// The way.
    pub way: &'static str,
    /// What happened.
    pub cause: WayFailure,
}

/// What happened on one way to sign in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WayFailure {
    /// It took too long.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// There is no `az`.
    #[error("`az` is not installed, or not in PATH")]
    NoCli,
    /// The address of the identity service is not an address.
    #[error("`{url}` is not an address: {reason}")]
    Address {
        /// The text.
        url: String,
        /// Why it is none.
        reason: String,
    },
    /// The identity service did not answer.
    #[error("{0}")]
    Connection(String),
    /// Microsoft Entra did not answer, or nothing leads to it.
    #[error("{0}")]
    Unreachable(String),
    /// Microsoft Entra refused. Its own words, which begin with a code.
    #[error("{0}")]
    Entra(String),
    /// The identity service refused.
    #[error("it answered with HTTP {status} {error} {message}")]
    Answered {
        /// The HTTP status, as text.
        status: String,
        /// The code in the answer.
        error: String,
        /// The sentence in the answer.
        message: String,
    },
    /// The credential of the crate failed. Its own words.
    #[error("{0}")]
    Credential(String),
}

/// A source of tokens.
pub trait TokenSource: Send + Sync {
    /// A token for a scope such as `https://management.azure.com/.default`.
    fn token<'a>(&'a self, scope: &'a str) -> BoxFuture<'a, Result<Token, SignInError>>;

    /// Azure no longer accepts the token that was given out last.
    fn forget(&self) -> BoxFuture<'_, ()>;
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn a_token_is_not_shown() {
        assert!(!format!("{:?}", Token::new("hidden".into(), 1)).contains("hidden"));
    }
}
