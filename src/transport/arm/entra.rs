//! Tokens of Microsoft Entra for an application: with a secret, or with a token of another identity provider.
//!
//! topo asks itself: the crate's credentials lose Entra's own sentence.

use serde_json::Value;

use super::token::{Token, WayFailure};
use crate::transport::chain;

/// The authority of the public cloud.
pub(super) const PUBLIC: &str = "https://login.microsoftonline.com";
/// How Entra calls a token of another identity provider.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What proves who the application is.
pub(super) enum Proof {
    /// A client secret.
    Secret(String),
    /// A token of another identity provider that the application trusts.
    Federated(String),
}

/// Asks for a token. `now` is in seconds since 1970.
pub(super) async fn token(
    http: &reqwest::Client,
    authority: &str,
    (tenant, client): (&str, &str),
    proof: &Proof,
    scope: &str,
    now: u64,
) -> Result<Token, WayFailure> {
    let odd = |reason: &dyn ToString| WayFailure::Address { url: authority.to_owned(), reason: reason.to_string() };
    let mut url = reqwest::Url::parse(authority).map_err(|error| odd(&error))?;
    url.path_segments_mut()
        .map_err(|()| odd(&"it has no path"))?
        .pop_if_empty()
        .extend([tenant, "oauth2", "v2.0", "token"]);
    let mut form = vec![("grant_type", "client_credentials"), ("client_id", client), ("scope", scope)];
    match proof {
        Proof::Secret(secret) => form.push(("client_secret", secret)),
        Proof::Federated(token) => {
            form.extend([("client_assertion_type", ASSERTION), ("client_assertion", token.as_str())]);
        }
    }
    let lost = |error: reqwest::Error| WayFailure::Unreachable(chain(&error.without_url()));
    let response = http.post(url).form(&form).send().await.map_err(lost)?;
    let status = response.status();
    let text = response.text().await.map_err(lost)?;
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    if let (true, Some(token)) = (status.is_success(), json["access_token"].as_str()) {
        let expires = now + json["expires_in"].as_u64().unwrap_or_default();
        return Ok(Token::new(token.to_owned(), expires));
    }
    match json["error_description"].as_str() {
        // What follows are numbers for Microsoft's support.
        Some(said) => Err(WayFailure::Entra(said.split(" Trace ID:").next().unwrap_or(said).trim().to_owned())),
        None => Err(WayFailure::Answered {
            status: status.to_string(),
            error: json["error"].as_str().unwrap_or_default().to_owned(),
            message: String::new(),
        }),
    }
}
