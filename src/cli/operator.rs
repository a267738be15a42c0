//! The operator's own configuration: the address of Azure Resource Manager, and whom topo trusts there. These settings
//! decide where tokens go, so topo never reads them from a topology.
//!
//! Later sources win: the defaults of the public cloud, the table `[azure]` of the configuration file, `TOPO_AZURE_*`
//! variables. Each key is independent: an endpoint does not change the audience, which stays that of the cloud. topo
//! reads only `[azure]` from the file; flags (`--ssh-config`, `--known-hosts`, …) come from the command line and their
//! variables.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::{CommandError, GlobalArguments, parse_duration};
use crate::transport::arm::{ArmSettings, Cloud};

/// The end of the help text of commands that talk to Azure.
pub(super) const HELP: &str = "\
Azure: cloud, endpoint, audience, authority_host, certificate_authorities and
operation_timeout come from [azure] in ~/.config/topo/config.toml (TOPO_CONFIG
names another file) or from TOPO_AZURE_CLOUD, TOPO_AZURE_ENDPOINT …, never from
a topology. Sign-in: AZURE_* variables, a managed identity, or `az login`.";

/// The variable that names another configuration file.
const FILE_VARIABLE: &str = "TOPO_CONFIG";
/// The table of the file.
const TABLE: &str = "azure";
/// The largest file that is read, in bytes.
const LARGEST_FILE: u64 = 1 << 20;
/// The mode bit that lets everybody write.
const WRITTEN_BY_ALL: u32 = 0o002;
/// Clouds, by the names in the configuration.
const CLOUDS: [(&str, Cloud); 3] =
    [("public", Cloud::Public), ("us-government", Cloud::UsGovernment), ("china", Cloud::China)];

/// A key of the table `[azure]`, and of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Cloud,
    Endpoint,
    Audience,
    AuthorityHost,
    CertificateAuthorities,
    OperationTimeout,
}

/// The keys, each with its name in the file and an example.
const KEYS: [(Key, &str, &str); 6] = [
    (Key::Cloud, "cloud", "public"),
    (Key::Endpoint, "endpoint", "https://management.azure.com"),
    (Key::Audience, "audience", "https://management.azure.com"),
    (Key::AuthorityHost, "authority_host", "https://login.microsoftonline.com"),
    (Key::CertificateAuthorities, "certificate_authorities", "/etc/ssl/company.pem"),
    (Key::OperationTimeout, "operation_timeout", "20m"),
];

/// A setting and its source.
#[derive(Clone, Debug)]
struct Given {
    key: Key,
    example: &'static str,
    value: String,
    /// The folder that relative paths start from; none for the working directory.
    folder: Option<PathBuf>,
    /// The source as a sentence names it.
    place: String,
}

/// The connection settings for Azure Resource Manager, from the operator's configuration file and variables.
pub(super) fn arm_settings(global: &GlobalArguments) -> Result<ArmSettings, CommandError> {
    let settings = resolve(&|name| std::env::var_os(name).filter(|value| !value.is_empty()))?;
    Ok(ArmSettings { connect_timeout: global.connect_timeout, ..settings })
}

/// The settings from these variables. An empty variable counts as not set; the caller leaves it out.
fn resolve(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<ArmSettings, CommandError> {
    let home = variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let mut all = match configuration_file(variable, home.as_deref()) {
        Some((path, named)) => read_file(&path, named)?,
        None => Vec::new(),
    };
    for (key, name, example) in KEYS {
        let name = format!("TOPO_AZURE_{}", name.to_ascii_uppercase());
        let Some(value) = variable(&name) else { continue };
        let value = value.into_string().map_err(|_| {
            CommandError::new(format!("The variable {name} is not UTF-8.")).hint("Set it to UTF-8 text.")
        })?;
        all.push(Given { key, example, value, folder: None, place: format!("The variable {name}") });
    }
    // The cloud first: it sets the defaults of the other keys.
    let mut cloud = Cloud::Public;
    for given in all.iter().filter(|given| given.key == Key::Cloud) {
        cloud = read_cloud(given)?;
    }
    let mut settings = ArmSettings::of(cloud);
    for given in &all {
        apply(given, home.as_deref(), &mut settings)?;
    }
    Ok(settings)
}

/// The path of the file, and whether the user named it.
fn configuration_file(variable: &dyn Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Option<(PathBuf, bool)> {
    if let Some(path) = variable(FILE_VARIABLE) {
        return Some((path.into(), true));
    }
    // The XDG Base Directory Specification says to ignore a relative XDG_CONFIG_HOME.
    let folder = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = folder.or_else(|| Some(home?.join(".config")))?;
    Some((folder.join("topo/config.toml"), false))
}

/// The settings in a file; none if the default file does not exist.
fn read_file(path: &Path, named: bool) -> Result<Vec<Given>, CommandError> {
    let shown = path.display().to_string().escape_debug().to_string();
    let failed = |reason: &str| {
        CommandError::new(format!("topo cannot read the configuration {shown}: {reason}."))
            .hint("Nothing was sent to Azure. Correct the file, or name another one in TOPO_CONFIG.")
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if !named && matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(&error.to_string())),
    };
    let metadata = file.metadata().map_err(|error| failed(&error.to_string()))?;
    if metadata.is_file() && metadata.mode() & WRITTEN_BY_ALL != 0 {
        return Err(CommandError::new(format!(
            "Everybody on this machine can write to the configuration {shown}, but it decides where tokens go."
        ))
        .hint(format!("Check its content, then run: chmod o-w {shown}")));
    }
    let mut text = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut text).map_err(|error| failed(&error.to_string()))?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(failed("it is larger than 1 MiB"));
    }
    let text = String::from_utf8(text).map_err(|_| failed("it is not UTF-8"))?;
    read_text(&text, path, &shown)
}

/// The settings in the text of a file.
fn read_text(text: &str, path: &Path, shown: &str) -> Result<Vec<Given>, CommandError> {
    let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let wrong = |at: usize, what: String| CommandError::new(format!("{shown}, line {}: {what}", line(at)));
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        wrong(at, format!("This is not TOML: {}.", error.message().trim_end_matches('.')))
            .hint("Nothing was sent to Azure. Correct the file.")
    })?;
    let mut all = Vec::new();
    for (key, value) in document.get_ref() {
        let (name, at) = (key.get_ref().escape_debug(), key.span().start);
        if key.get_ref() != TABLE {
            return Err(wrong(at, format!("The key `{name}` is unknown.")).hint("The file has only the table [azure]."));
        }
        let DeValue::Table(table) = value.get_ref() else {
            return Err(
                wrong(at, "`azure` is not a table.".to_owned()).hint("Write a line [azure], and the keys below it.")
            );
        };
        for (key, value) in table {
            let (name, at) = (key.get_ref(), key.span().start);
            let Some((key, _, example)) = KEYS.into_iter().find(|(_, known, _)| known == name) else {
                let listed = KEYS.map(|(_, name, _)| name).join(", ");
                return Err(wrong(at, format!("The key `{}` of [azure] is unknown.", name.escape_debug()))
                    .hint(format!("The keys are {listed}.")));
            };
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(seconds) if key == Key::OperationTimeout => seconds.as_str().to_owned(),
                _ => {
                    return Err(wrong(at, format!("`{name}` of [azure] is not a string."))
                        .hint(format!("Write {name} = \"{example}\".")));
                }
            };
            let place = format!("{shown}, line {}: `{name}` of [azure]", line(at));
            all.push(Given { key, example, value: text, folder: path.parent().map(Path::to_owned), place });
        }
    }
    Ok(all)
}

fn apply(given: &Given, home: Option<&Path>, settings: &mut ArmSettings) -> Result<(), CommandError> {
    match given.key {
        Key::Cloud => {}
        Key::Endpoint => settings.endpoint = origin(given, "topo sends tokens only to an https origin without a path")?,
        Key::AuthorityHost => {
            settings.authority_host = Some(origin(given, "topo sends secrets only to an https origin without a path")?);
        }
        Key::Audience => {
            let plain = given.value.bytes().all(|byte| byte.is_ascii_graphic()) && !given.value.is_empty();
            if !plain || given.value.ends_with("/.default") {
                return Err(refuse(given, "is not an audience (without `/.default`)"));
            }
            settings.audience.clone_from(&given.value);
        }
        Key::CertificateAuthorities => {
            if given.value.is_empty() {
                return Err(refuse(given, "is not the path of a PEM file"));
            }
            let path = match given.value.strip_prefix("~/").zip(home) {
                Some((rest, home)) => home.join(rest),
                None => given.folder.as_deref().unwrap_or(Path::new("")).join(&given.value),
            };
            settings.certificate_authorities = Some(path);
        }
        Key::OperationTimeout => {
            settings.operation_timeout = match parse_duration(&given.value) {
                Ok(Duration::ZERO) => return Err(refuse(given, "is too short")),
                Ok(time) => time,
                Err(reason) => return Err(refuse(given, &format!("is not a time ({reason})"))),
            };
        }
    }
    Ok(())
}

fn read_cloud(given: &Given) -> Result<Cloud, CommandError> {
    let known = CLOUDS.iter().find(|(name, _)| *name == given.value);
    known.map(|(_, cloud)| *cloud).ok_or_else(|| refuse(given, "is not public, us-government or china"))
}

/// An origin with TLS: `https://HOST` or `https://HOST:PORT`, with or without a slash at the end.
fn origin(given: &Given, why: &str) -> Result<String, CommandError> {
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
    if is_origin { Ok(text.to_owned()) } else { Err(refuse(given, &format!("is not an address: {why}"))) }
}

fn refuse(given: &Given, why: &str) -> CommandError {
    let mut value: String = given.value.chars().take(200).collect();
    // The part before an @ may contain a password.
    if let Some((_, rest)) = value.rsplit_once('@') {
        value = format!("…@{rest}");
    }
    CommandError::new(format!("{} is `{}`, which {why}.", given.place, value.escape_debug()))
        .hint(format!("Nothing was sent to Azure. Write for example {}.", given.example))
}

#[cfg(test)]
mod tests;
