//! The settings of `[backends.netplan]`.

use serde::{Deserialize, Serialize};

use crate::topology::reader::{Located, TableReader};
use crate::topology::{Diagnostic, Span};

/// The name of this backend in a topology.
pub const BACKEND: &str = "netplan";

/// The longest file name, in bytes: far below the 255 of Linux (`NAME_MAX`), because topo adds to it.
const LONGEST_FILE_NAME: usize = 64;

/// The reader of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Persist {
    /// netplan: a file in `/etc/netplan`.
    #[default]
    Netplan,
    /// systemd-networkd: drop-ins beside the `.network` files that it uses.
    Networkd,
}

impl Persist {
    /// The required end of the file's name; without it, the reader ignores the file.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Netplan => ".yaml",
            Self::Networkd => ".conf",
        }
    }

    /// The default name of the file.
    pub(super) fn default_file(self) -> String {
        format!("60-topo{}", self.ending())
    }
}

/// When systemd-networkd loads the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activate {
    /// At once: systemd-networkd reloads its configuration.
    #[default]
    Reload,
    /// At the next boot or restart of systemd-networkd.
    Defer,
}

/// The file that keeps the routes, and its routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name of the file, without folder.
    pub file: String,
    /// Who reads it.
    pub persist: Persist,
    /// When it is loaded.
    pub activate: Activate,
    /// Number of the routing table; none means the table of `ssh-static` if that serves the node, else the main table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<u32>,
    /// Metric of the routes; none means the metric of `ssh-static` if that serves the node, else the kernel's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        let persist = Persist::default();
        Self { file: persist.default_file(), persist, activate: Activate::default(), table: None, metric: None }
    }
}

/// Whether a text can be the name of the file. The name becomes part of paths and commands, so it must have no special
/// characters.
pub(super) fn is_file_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_FILE_NAME
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

pub(super) fn not_a_file_name(reader: &TableReader<'_>, file: Located<&str>) -> Diagnostic {
    let message = format!("`file` of {} cannot be `{}`.", reader.subject, file.value.escape_debug());
    let hint = match file.value.rsplit_once('/') {
        Some((_, name)) if is_file_name(name) => format!("Write only the name: \"{name}\"."),
        _ => format!(
            "A file name starts with a letter, digit or `_`, then has letters, digits, `-`, `_` and `.`, at most \
             {LONGEST_FILE_NAME} characters."
        ),
    };
    Diagnostic::error(file.span, message, "not a file name").hint(hint)
}

/// Reports a file that its reader would ignore.
pub(super) fn check_ending(reader: &TableReader<'_>, file: Located<&str>, persist: Persist, chosen: Option<Span>) {
    let ending = persist.ending();
    if file.value.ends_with(ending) {
        return;
    }
    let who = match persist {
        Persist::Netplan => "netplan",
        Persist::Networkd => "systemd-networkd",
    };
    let known = [".yaml", ".yml", ".conf"].iter().find_map(|other| file.value.strip_suffix(other));
    let message = format!("`file` of {} does not end with {ending}, so {who} would not read it.", reader.subject);
    let mut wrong = Diagnostic::error(file.span, message, format!("without {ending}"))
        .hint(format!("Write \"{}{ending}\".", known.unwrap_or(file.value)));
    if let Some(chosen) = chosen {
        wrong = wrong.second(chosen, format!("read by {who}"));
    }
    wrong.report_to(reader.report);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_survive_json_and_leave_out_what_is_not_given() {
        let settings = Settings::default();
        assert_eq!(json!(settings), json!({ "file": "60-topo.yaml", "persist": "netplan", "activate": "reload" }));
        let other = Settings {
            file: "x.conf".to_owned(),
            persist: Persist::Networkd,
            activate: Activate::Defer,
            table: Some(100),
            metric: Some(0),
        };
        for settings in [settings, other] {
            assert_eq!(Settings::deserialize(&json!(settings)).expect("settings"), settings);
        }
        let json = json!({ "file": "x", "persist": "netplan", "activate": "reload", "colour": 1 });
        assert!(Settings::deserialize(&json).is_err());
    }

    #[test]
    fn file_names_cannot_leave_their_folder_or_act_in_a_command() {
        for text in ["", ".", "..", ".x.yaml", "-x.yaml", "a/b.yaml", "../x.yaml", "a b.yaml", "$(x).yaml", "ä.yaml"] {
            assert!(!is_file_name(text), "{text}");
        }
        assert!(!is_file_name(&format!("{}.yaml", "a".repeat(60))));
        assert!(is_file_name("60-topo.yaml") && is_file_name("_a.b_C") && is_file_name(&"a".repeat(64)));
    }
}
