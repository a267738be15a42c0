//! Sign-in as Azure users expect it. The environment is that of a child process: this very binary with one test.

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
    if let Err(error) = block_on(arm.get_network(&network())) {
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
fn the_azure_cli_signs_in() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = ArmServer::start(0);
    let folder = tempfile::tempdir().unwrap();
    let az = folder.path().join("az");
    let answer = json!({
        "accessToken": server.token(), "expires_on": 4_000_000_000_u64, "subscription": "s", "tenant": "t",
        "tokenType": "Bearer", "expiresOn": "2096-10-02 07:06:40.000000",
    });
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let environment = [("AZURE_TOKEN_CREDENTIALS", "dev"), ("PATH", path.as_str())];
    let script = |text: &str| {
        std::fs::write(&az, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    script(&format!("echo '{answer}'"));
    sign_in(&server, &environment).unwrap();
    script("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1");
    let error = sign_in(&server, &environment).unwrap_err();
    assert!(error.contains("SignIn") && error.contains("Please run 'az login'"), "{error}");
    std::fs::remove_file(&az).unwrap();
    let empty = folder.path().to_str().unwrap();
    let error = sign_in(&server, &[("AZURE_TOKEN_CREDENTIALS", "dev"), ("PATH", empty)]).unwrap_err();
    assert!(error.contains("the Azure CLI: Azure CLI not installed"), "{error}");
}
