//! The operator's own configuration: a file with a table for each kind of place, and variables.
//!
//! Later sources win: the file, then the variables `TOPO_TABLE_KEY`. Flags (`--ssh-config`, `--known-hosts`, …) come from
//! the command line and their variables.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::GlobalArguments;
use crate::backend::operator::{Given, Operator};
use crate::backend::{Registry, SiteKind};
use crate::resource::Refusal;

/// The variable that names another configuration file.
const FILE_VARIABLE: &str = "TOPO_CONFIG";
/// The largest file that is read, in bytes.
const LARGEST_FILE: u64 = 1 << 20;
/// The mode bit that lets everybody write.
const WRITTEN_BY_ALL: u32 = 0o002;

/// A variable of the environment. An empty one counts as not set, and the caller leaves it out.
type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The operator's settings for a kind of place.
pub(super) fn read(site: &SiteKind, registry: &Registry, global: &GlobalArguments) -> Result<Operator, Refusal> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    // A build without the site does not know its keys.
    let given = if site.keys.is_empty() { Vec::new() } else { settings(site, registry, &variable)? };
    Ok(Operator { given, connect_timeout: global.connect_timeout })
}

/// The settings for a kind of place: those in the file, then those in variables.
pub(crate) fn settings(site: &SiteKind, registry: &Registry, variable: Variable<'_>) -> Result<Vec<Given>, Refusal> {
    let home = variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let mut all = match file(variable, home.as_deref()) {
        Some((path, named)) => read_file(&path, named, site, registry)?,
        None => Vec::new(),
    };
    for key in site.keys {
        let name = format!("TOPO_{}_{}", site.table, key.name).to_ascii_uppercase();
        let Some(value) = variable(&name) else { continue };
        let value = value
            .into_string()
            .map_err(|_| Refusal::new(format!("The variable {name} is not UTF-8.")).hint("Set it to UTF-8 text."))?;
        let origin = format!("The variable {name}");
        all.push(Given { key: *key, value, origin, folder: None, home: None, site: site.name });
    }
    for given in &mut all {
        given.home.clone_from(&home);
    }
    Ok(all)
}

/// The path of the file, and whether the user named it.
fn file(variable: Variable<'_>, home: Option<&Path>) -> Option<(PathBuf, bool)> {
    if let Some(path) = variable(FILE_VARIABLE) {
        return Some((path.into(), true));
    }
    // The XDG Base Directory Specification says to ignore a relative XDG_CONFIG_HOME.
    let folder = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = folder.or_else(|| Some(home?.join(".config")))?;
    Some((folder.join("topo/config.toml"), false))
}

/// The settings in a file; none if the default file does not exist.
fn read_file(path: &Path, named: bool, site: &SiteKind, registry: &Registry) -> Result<Vec<Given>, Refusal> {
    let shown = path.display().to_string().escape_debug().to_string();
    let failed = |reason: &str| {
        Refusal::new(format!("topo cannot read the configuration {shown}: {reason}.")).hint(format!(
            "Nothing was sent to {}. Correct the file, or name another one in {FILE_VARIABLE}.",
            site.name
        ))
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
        return Err(Refusal::new(format!(
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
    read_text(&text, path, &shown, site, registry)
}

/// The settings in the text of a file. The tables of other kinds of places are theirs.
fn read_text(
    text: &str,
    path: &Path,
    shown: &str,
    site: &SiteKind,
    registry: &Registry,
) -> Result<Vec<Given>, Refusal> {
    let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let wrong = |at: usize, what: String| Refusal::new(format!("{shown}, line {}: {what}", line(at)));
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        wrong(at, format!("This is not TOML: {}.", error.message().trim_end_matches('.')))
            .hint(format!("Nothing was sent to {}. Correct the file.", site.name))
    })?;
    let mut all = Vec::new();
    for (key, value) in document.get_ref() {
        let (name, at) = (key.get_ref().as_ref(), key.span().start);
        let tables = || registry.sites().iter().map(|site| site.table);
        if !tables().any(|known| known == name) {
            let tables: Vec<String> = tables().map(|table| format!("[{table}]")).collect();
            let noun = if tables.len() == 1 { "table" } else { "tables" };
            return Err(wrong(at, format!("The key `{}` is unknown.", name.escape_debug()))
                .hint(format!("The file has only the {noun} {}.", tables.join(", "))));
        }
        let DeValue::Table(table) = value.get_ref() else {
            return Err(wrong(at, format!("`{name}` is not a table."))
                .hint(format!("Write a line [{name}], and the keys below it.")));
        };
        for (key, value) in table.iter().filter(|_| name == site.table) {
            let (name, at) = (key.get_ref(), key.span().start);
            let Some(key) = site.keys.iter().find(|key| key.name == name) else {
                let listed: Vec<&str> = site.keys.iter().map(|key| key.name).collect();
                return Err(wrong(at, format!("The key `{}` of [{}] is unknown.", name.escape_debug(), site.table))
                    .hint(format!("The keys are {}.", listed.join(", "))));
            };
            let value = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(seconds) if key.is_time => seconds.as_str().to_owned(),
                _ => {
                    return Err(wrong(at, format!("`{name}` of [{}] is not a string.", site.table))
                        .hint(format!("Write {name} = \"{}\".", key.example)));
                }
            };
            let origin = format!("{shown}, line {}: `{name}` of [{}]", line(at), site.table);
            let folder = path.parent().map(Path::to_owned);
            all.push(Given { key: *key, value, origin, folder, home: None, site: site.name });
        }
    }
    Ok(all)
}
