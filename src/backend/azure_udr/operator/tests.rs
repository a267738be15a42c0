#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::super::SITE;
use super::{HELP, KEYS, settings};
use crate::backend::REGISTRY;
use crate::backend::operator::Operator;
use crate::cli::configuration;
use crate::resource::Refusal;
use crate::transport::arm::ArmSettings;

fn resolve(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<ArmSettings, Refusal> {
    let given = configuration::settings(&SITE, &REGISTRY, variable)?;
    settings(&Operator { given, connect_timeout: Duration::from_secs(10) })
}

fn with(variables: &[(&str, &str)]) -> Result<ArmSettings, Refusal> {
    let all: HashMap<&str, &str> = variables.iter().copied().collect();
    resolve(&|name| all.get(name).map(OsString::from))
}

/// With a home whose configuration is this.
fn with_file(text: &str, variables: &[(&str, &str)]) -> Result<ArmSettings, Refusal> {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/topo");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), text).unwrap();
    let mut all = vec![("HOME", home.path().to_str().unwrap())];
    all.extend(variables);
    with(&all)
}

fn message(result: Result<ArmSettings, Refusal>) -> String {
    let error = result.unwrap_err();
    assert!(error.message.ends_with('.') && !error.message.ends_with(".."), "{}", error.message);
    assert!(!error.hints.is_empty(), "{}", error.message);
    error.message
}

#[test]
fn without_anything_it_is_the_public_cloud() {
    let settings = with(&[]).unwrap();
    assert_eq!(settings.endpoint, "https://management.azure.com");
    assert_eq!((settings.audience.as_str(), settings.authority_host), ("https://management.azure.com", None));
    assert!(with(&[("HOME", "/nonexistent")]).is_ok(), "a file that is not there is fine");
    assert!(with(&[("HOME", "relative"), ("XDG_CONFIG_HOME", "relative")]).is_ok());
}

#[test]
fn the_file_counts_and_variables_count_more() {
    let text = "[azure]\ncloud = \"china\"\nendpoint = \"https://proxy.example:8443/\"\noperation_timeout = 90\n\
                certificate_authorities = \"ca.pem\"\n";
    let settings = with_file(text, &[]).unwrap();
    assert_eq!(settings.endpoint, "https://proxy.example:8443");
    assert_eq!(settings.audience, "https://management.chinacloudapi.cn", "the audience stays that of the cloud");
    assert_eq!(settings.authority_host.as_deref(), Some("https://login.chinacloudapi.cn"));
    assert_eq!(settings.operation_timeout, Duration::from_secs(90));
    assert!(settings.certificate_authorities.unwrap().ends_with(".config/topo/ca.pem"), "beside the file");

    let variables = [
        ("TOPO_AZURE_CLOUD", "us-government"),
        ("TOPO_AZURE_ENDPOINT", "https://[::1]:443"),
        ("TOPO_AZURE_AUDIENCE", "api://a"),
        ("TOPO_AZURE_AUTHORITY_HOST", "https://login.example"),
        ("TOPO_AZURE_CERTIFICATE_AUTHORITIES", "ca.pem"),
        ("TOPO_AZURE_OPERATION_TIMEOUT", "5m"),
    ];
    let settings = with_file(text, &variables).unwrap();
    assert_eq!((settings.endpoint.as_str(), settings.audience.as_str()), ("https://[::1]:443", "api://a"));
    assert_eq!(settings.authority_host.as_deref(), Some("https://login.example"));
    assert_eq!(settings.certificate_authorities.as_deref(), Some(Path::new("ca.pem")));
    assert_eq!(settings.operation_timeout, Duration::from_secs(300));
    let settings = with_file(text, &variables[..1]).unwrap();
    assert_eq!(settings.audience, "https://management.usgovcloudapi.net");
}

#[test]
fn the_file_is_found_where_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    fs::create_dir_all(folder.path().join("topo")).unwrap();
    fs::write(folder.path().join("topo/config.toml"), "[azure]\naudience = \"xdg\"\n").unwrap();
    let other = folder.path().join("other.toml");
    fs::write(&other, "[azure]\naudience = \"other\"\ncertificate_authorities = \"~/ca.pem\"\n").unwrap();
    assert_eq!(with(&[("XDG_CONFIG_HOME", home)]).unwrap().audience, "xdg");
    let named = ("TOPO_CONFIG", other.to_str().unwrap());
    let settings = with(&[("XDG_CONFIG_HOME", home), ("HOME", home), named]).unwrap();
    assert_eq!(settings.audience, "other");
    assert_eq!(settings.certificate_authorities, Some(folder.path().join("ca.pem")));
    assert!(with(&[("TOPO_CONFIG", "/dev/null")]).is_ok(), "the way to say none");
    let text = message(with(&[("TOPO_CONFIG", "/nonexistent/x.toml")]));
    assert!(text.contains("topo cannot read the configuration /nonexistent/x.toml: "), "{text}");
    let text = message(with(&[("TOPO_CONFIG", home)]));
    assert!(text.contains("cannot read"), "{text}");
}

#[test]
fn a_file_that_everybody_may_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.toml");
    fs::write(&file, "").unwrap();
    for (mode, fine) in [(0o644, true), (0o660, true), (0o646, false), (0o602, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let result = with(&[("TOPO_CONFIG", file.to_str().unwrap())]);
        assert_eq!(result.is_ok(), fine, "{mode:o}");
        if !fine {
            let text = message(result);
            assert!(text.contains("can write to the configuration") && text.contains("x.toml"), "{text}");
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, parts) in [
        ("[azure", &["config.toml, line 1", "not TOML"][..]),
        ("\nx = 1", &["line 2", "key `x` is unknown"]),
        ("[azure]\n\nendpiont = \"a\"", &["line 3", "key `endpiont` of [azure] is unknown"]),
        ("azure = 1", &["`azure` is not a table"]),
        ("[azure]\ncloud = 1", &["line 2", "`cloud` of [azure] is not a string"]),
        ("[azure]\ncloud = \"mars\"", &["line 2", "`cloud` of [azure] is `mars`"]),
        ("[azure]\nendpoint = \"http://a\"", &["`endpoint` of [azure] is `http://a`, which is not an address"]),
        ("[azure]\noperation_timeout = \"0\"", &["`operation_timeout` of [azure] is `0`"]),
        ("[azure]\noperation_timeout = \"soon\"", &["is not a time"]),
        ("[azure]\naudience = \"https://a/.default\"", &["`audience`"]),
        ("[azure]\ncertificate_authorities = \"\"", &["PEM"]),
        ("# \u{0}", &["not TOML"]),
    ] {
        let message = message(with_file(text, &[]));
        assert!(parts.iter().all(|part| message.contains(part)), "{text:?}: {message}");
    }
    let message =
        message(resolve(&|name| (name == "TOPO_AZURE_AUDIENCE").then(|| OsString::from_vec(b"\xff".to_vec()))));
    assert!(message.contains("TOPO_AZURE_AUDIENCE is not UTF-8"), "{message}");
}

#[test]
fn tokens_go_to_an_origin_over_tls_only() {
    for wrong in [
        "",
        "management.azure.com",
        "http://a",
        "https://",
        "https:///a",
        "https://a/b",
        "https://a?b",
        "https://a#b",
        "https://a\\b",
        "https://user@a",
        "https://user:pa55@a",
        "https://a:",
        "https://a:x",
        "https://a:99999",
        "https://a b",
        "https://[::1",
        "https://[x]",
        "https://a\n",
        "https://:443",
        "ftp://a",
    ] {
        for name in ["TOPO_AZURE_ENDPOINT", "TOPO_AZURE_AUTHORITY_HOST"] {
            let text = message(with(&[(name, wrong)]));
            assert!(text.starts_with(&format!("The variable {name} is `")), "{wrong:?}: {text}");
            assert!(!text.contains("pa55"), "{text}");
        }
    }
}

#[test]
fn the_help_names_the_file_and_fits_a_terminal() {
    assert!(HELP.lines().count() <= 4 && HELP.lines().all(|line| line.chars().count() <= 80), "{HELP}");
    for key in KEYS {
        assert!(HELP.contains(key.name), "{}", key.name);
    }
}
