//! HTTPS clients with the operator's own authorities and time limits.

use std::io::Read as _;

use super::error::{ArmError, tidy};
use super::settings::ArmSettings;
use crate::transport::causes;

/// A client for Azure: with the operator's own authorities and time limits, and without redirects.
pub(super) fn http_client(settings: &ArmSettings) -> Result<reqwest::ClientBuilder, ArmError> {
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.request_timeout);
    Ok(authorities(settings)?.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate))
}

/// The end of [`http_client`].
pub(super) fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, ArmError> {
    builder.build().map_err(|error| {
        let reason = tidy(&reason(&error));
        ArmError::settings(format!("topo cannot send requests to Azure from this machine: {reason}."))
    })
}

/// The operator's own certificate authorities.
fn authorities(settings: &ArmSettings) -> Result<Vec<reqwest::Certificate>, ArmError> {
    let Some(path) = &settings.certificate_authorities else { return Ok(Vec::new()) };
    let shown = tidy(&path.display().to_string());
    let refused = |reason: String| {
        ArmError::settings(format!(
            "topo cannot use the certificate authorities in {shown}: {reason}. Give a readable PEM file, or remove the \
             setting."
        ))
    };
    let mut pem = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(16 << 20).read_to_end(&mut pem));
    read.map_err(|error| refused(error.to_string()))?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(refused("the file has no certificate".to_owned())),
        Err(error) => Err(refused(reason(&error))),
    }
}

/// The innermost cause. The sentence already has the URL.
pub(super) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    causes(error).last().map_or_else(|| "the connection failed".to_owned(), ToString::to_string)
}
