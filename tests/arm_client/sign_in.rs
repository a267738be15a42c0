//! Sign-in as Azure users expect it. The environment is that of a child process: this very binary with one test.

use std::io::Write as _;
use std::process::Command as Process;

use super::*;

/// What the others run in another environment.
#[test]
#[ignore = "a child of the other tests here"]
fn child() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let settings = ArmSettings {
        endpoint: variable("TOPO_TEST_ENDPOINT"),
        certificate_authorities: Some(variable("TOPO_TEST_AUTHORITY").into()),
        ..ArmSettings::default()
    };
    let arm = Arm::connect(&settings).unwrap();
    let requests: u8 = std::env::var("TOPO_TEST_REQUESTS").map_or(1, |number| number.parse().unwrap());
    let network = network();
    let outcomes = block_on(futures::future::join_all((0..requests).map(|_| arm.get(ResourceType::Network, &network))));
    writeln!(std::io::stderr(), "READS {}", arm.requests().reads).unwrap();
    let mut sentences: Vec<String> = outcomes.iter().filter_map(|it| Some(it.as_ref().err()?.to_string())).collect();
    sentences.dedup();
    assert!(sentences.len() < 2, "{sentences:?}");
    if let Some(Err(error)) = outcomes.first() {
        panic!("ERROR {:?} {error}", error.kind);
    }
}

/// Signs in in this environment; the output of a child that could not.
fn sign_in(server: &ArmServer, environment: &[(&str, &str)]) -> Result<(), String> {
    let mut process = Process::new(std::env::current_exe().unwrap());
    process.args(["--exact", "arm_client::sign_in::child", "--ignored", "--nocapture"]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AZURE_") || name.starts_with("IDENTITY_")) {
        process.env_remove(name);
    }
    process.env("TOPO_TEST_ENDPOINT", server.endpoint()).env("TOPO_TEST_AUTHORITY", server.authority_file());
    let output = process.envs(environment.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("running 1 test"), "{text}");
    if output.status.success() { Ok(()) } else { Err(text) }
}

#[test]
fn a_managed_identity_signs_in() {
    let server = ArmServer::start(0);
    let [(endpoint, url), (header, secret)] = server.identity_environment();
    sign_in(&server, &[(endpoint, &url), (header, &secret), ("AZURE_CLIENT_ID", "chosen")]).unwrap();
    let log = server.log();
    assert_eq!((log[0].service, log.len()), ("identity", 2));
    assert_eq!(log[0].query, "api-version=2019-08-01&resource=https%3A%2F%2Fmanagement.azure.com&client_id=chosen");
    let error = sign_in(&server, &[(endpoint, &url), (header, "wrong")]).unwrap_err();
    assert!(
        error.contains("SignIn")
            && error.contains("the managed identity at IDENTITY_ENDPOINT: it answered with HTTP 401"),
        "{error}"
    );
}

#[test]
fn a_client_with_a_secret_signs_in() {
    let server = ArmServer::start(0);
    let endpoint = server.endpoint();
    let environment = [
        ("AZURE_AUTHORITY_HOST", endpoint.as_str()),
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_CLIENT_ID", "client"),
        ("AZURE_CLIENT_SECRET", "hidden"),
    ];
    sign_in(&server, &environment).unwrap();
    assert_eq!(server.log()[0].path, "/tenant/oauth2/v2.0/token");
    let error = sign_in(&server, &environment[2..]).unwrap_err();
    assert!(error.contains("AZURE_TENANT_ID is not set") && !error.contains("hidden"), "{error}");
}

#[test]
fn a_workload_identity_signs_in() {
    let server = ArmServer::start(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "federated").unwrap();
    let endpoint = server.endpoint();
    let environment = [
        ("AZURE_AUTHORITY_HOST", endpoint.as_str()),
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_CLIENT_ID", "client"),
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
    ];
    sign_in(&server, &environment).unwrap();
    assert!(server.log()[0].request_body.as_ref().unwrap().as_str().unwrap().contains("client_assertion=federated"));
}

#[test]
fn what_entra_says_is_told_with_what_to_do_about_it() {
    let server = ArmServer::start(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "hidden").unwrap();
    let endpoint = server.endpoint();
    let of_secret = ("AZURE_CLIENT_SECRET", "hidden");
    let of_file = ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap());
    for (proof, error, sentence, hint) in [
        (
            of_secret,
            "invalid_client",
            "AADSTS7000222: The provided client secret keys for app 'client' are expired.",
            "set AZURE_CLIENT_SECRET to it.",
        ),
        (
            of_secret,
            "invalid_request",
            "AADSTS90002: Tenant 'tenant' not found. Check to make sure you have the correct tenant ID.",
            "Correct AZURE_TENANT_ID.",
        ),
        (
            of_file,
            "invalid_request",
            "AADSTS700213: No matching federated identity record found for presented assertion subject 'x'.",
            "Check the federated credential of the application",
        ),
        (of_file, "invalid_client", "AADSTS53003: Access has been blocked.", "Correct what Microsoft Entra names"),
    ] {
        let description = format!("{sentence} Trace ID: 1 Correlation ID: 2 Timestamp: 3");
        server.command(Command::RefuseSignIn { error: error.to_owned(), description });
        let environment = [
            ("AZURE_AUTHORITY_HOST", endpoint.as_str()),
            ("AZURE_TENANT_ID", "tenant"),
            ("AZURE_CLIENT_ID", "client"),
            proof,
        ];
        let error = sign_in(&server, &environment).unwrap_err();
        assert!(error.contains("ERROR SignIn") && error.contains(sentence.trim_end_matches('.')), "{error}");
        assert!(error.contains(hint) && !error.contains("Trace ID") && !error.contains("hidden"), "{error}");
        assert!(!error.contains("az login"), "{error}");
    }
}

/// A proxy that answers everything with HTTP 502; its address.
fn broken_proxy() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = std::io::Read::read(&mut stream, &mut [0; 8192]);
            let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    address
}

#[test]
fn a_proxy_that_does_not_lead_to_entra_is_told_as_such() {
    let (server, proxy) = (ArmServer::start(0), broken_proxy());
    let client = [("AZURE_TENANT_ID", "tenant"), ("AZURE_CLIENT_ID", "client"), ("AZURE_CLIENT_SECRET", "hidden")];
    // It answers in the place of Entra, or does not connect topo with it.
    for (variable, sentence, hint) in [
        (
            "AZURE_AUTHORITY_HOST",
            "it answered with HTTP 502 Bad Gateway",
            "A proxy or another server in between answered. Check the proxy (HTTPS_PROXY)",
        ),
        ("HTTPS_PROXY", "tunnel error", "Check the network, the proxy (HTTPS_PROXY) and AZURE_AUTHORITY_HOST"),
    ] {
        let error = sign_in(&server, &[&client[..], &[(variable, proxy.as_str())]].concat()).unwrap_err();
        assert!(error.contains("ERROR SignIn") && error.contains(sentence) && error.contains(hint), "{error}");
        // All that a sign-in needs is set.
        assert!(!error.contains("az login") && !error.contains("set AZURE_TENANT_ID"), "{error}");
    }
    assert!(server.log().is_empty());
}

#[test]
fn a_server_that_topo_does_not_trust_is_asked_once() {
    let (server, other) = (ArmServer::start(0), ArmServer::start(0));
    let (endpoint, authority) = (server.endpoint(), other.authority_file());
    let [(name, url), (header, secret)] = server.identity_environment();
    let environment =
        [(name, url.as_str()), (header, secret.as_str()), ("TOPO_TEST_AUTHORITY", authority.to_str().unwrap())];
    let error = sign_in(&server, &environment).unwrap_err();
    assert!(error.contains("topo does not trust") && error.contains("certificate_authorities"), "{error}");
    assert!(error.contains(&endpoint), "{error}");
    assert!(error.contains("READS 1\n"), "{error}");
}

/// An `az` in a folder that is the first of PATH: the only thing here that is not real.
struct Az(tempfile::TempDir);

impl Az {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// What it does when it is called; `$0.calls` keeps with what.
    fn does(&self, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let az = self.0.path().join("az");
        std::fs::write(&az, format!("#!/bin/sh\necho \"$*\" >>\"$0.calls\"\n{script}\n")).unwrap();
        std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn says(&self, answer: &Value) {
        self.does(&format!("cat <<'END'\n{answer}\nEND"));
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(self.0.path().join("az.calls")).unwrap_or_default()
    }

    /// The sentence of somebody who comes this way and does not get in.
    fn refused(&self, server: &ArmServer) -> String {
        let text = self.sign_in(server).unwrap_err();
        let (_, error) = text.split_once("ERROR SignIn ").unwrap_or_else(|| panic!("{text}"));
        error.lines().next().unwrap().to_owned()
    }

    fn sign_in(&self, server: &ArmServer) -> Result<(), String> {
        let path = format!("{}:/usr/bin:/bin", self.0.path().display());
        sign_in(server, &[("AZURE_TOKEN_CREDENTIALS", "dev"), ("PATH", &path)])
    }
}

const WHAT_TO_DO: &str = ". Run `az login` (and `az account set --subscription ID`), or set AZURE_TENANT_ID, AZURE_CLIENT_ID and \
                          AZURE_CLIENT_SECRET, or run topo on a machine with a workload or managed identity.";

fn nobody(reason: &str) -> String {
    let what = format!("The virtual network {NETWORK} (resource group {GROUP})");
    format!("{what} was not read: nobody is signed in to Azure: the Azure CLI: {reason}{WHAT_TO_DO}")
}

#[test]
fn the_azure_cli_signs_in() {
    let (server, az) = (ArmServer::start(0), Az::new());
    az.says(&json!({
        "accessToken": server.token(), "expires_on": 4_000_000_000_u64, "subscription": "s", "tenant": "t",
        "tokenType": "Bearer", "expiresOn": "2096-10-02 07:06:40.000000",
    }));
    az.sign_in(&server).unwrap();
    assert_eq!(az.calls(), "account get-access-token --output json --scope https://management.azure.com/.default\n");
    assert_eq!(server.log().len(), 1, "nothing else is asked");
}

#[test]
fn no_login_of_the_azure_cli_is_told() {
    let (server, az) = (ArmServer::start(0), Az::new());
    az.does("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1");
    let said = "'az account get-access-token' command failed: ERROR: Please run 'az login' to setup account";
    assert_eq!(az.refused(&server), nobody(said));
    assert!(server.log().is_empty());
}

#[test]
fn a_sign_in_that_fails_is_not_tried_again_for_each_request() {
    let (server, az) = (ArmServer::start(0), Az::new());
    az.does("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1");
    let path = format!("{}:/usr/bin:/bin", az.0.path().display());
    let environment = [("AZURE_TOKEN_CREDENTIALS", "dev"), ("PATH", &path), ("TOPO_TEST_REQUESTS", "20")];
    let error = sign_in(&server, &environment).unwrap_err();
    assert!(error.contains("ERROR SignIn") && error.contains("az login"), "{error}");
    assert_eq!(az.calls().lines().count(), 1, "{}", az.calls());
}

#[test]
fn no_azure_cli_is_told() {
    let (server, az) = (ArmServer::start(0), Az::new());
    let empty = az.0.path().to_str().unwrap();
    let text = sign_in(&server, &[("AZURE_TOKEN_CREDENTIALS", "dev"), ("PATH", empty)]).unwrap_err();
    assert!(text.contains(&nobody("`az` is not installed, or not in PATH")), "{text}");
    assert!(server.log().is_empty());
}

#[test]
fn an_azure_cli_that_makes_no_sense_is_told() {
    let (server, az) = (ArmServer::start(0), Az::new());
    let secret = server.token();
    az.says(&json!({ "accessToken": secret, "subscription": "s", "tenant": "t", "tokenType": "Bearer" }));
    let error = az.refused(&server);
    assert!(error.contains("expires_on") && error.contains("2.54.0") && error.ends_with(WHAT_TO_DO), "{error}");
    az.says(&json!({ "accessToken": secret, "expires_on": "soon" }));
    assert!(!az.refused(&server).contains(&secret));
    az.does("echo 'WARNING: there is a new version.'");
    assert!(az.refused(&server).contains("the Azure CLI: "));
    assert!(server.log().is_empty());
}
