//! Renders the requests about files that keep routes.

use std::fmt::Write as _;

use super::question::questions;
use super::quote::{digest_word, marked, pattern, quoted};
use super::{Activation, FileForm, FileInquiry, FileWrite};
use crate::network::STATIC;
use crate::resource::Token;

/// Shell functions for all requests about files.
pub(super) const COMMON: &str = include_str!("file_common.sh");

/// Shell functions for the requests that write files.
pub(super) fn push_functions(script: &mut String) {
    script.push_str(include_str!("file_lists.sh"));
    script.push_str(include_str!("file.sh"));
    script.push_str(include_str!("file_checks.sh"));
    script.push_str(include_str!("file_others.sh"));
    script.push_str(include_str!("file_keep.sh"));
    script.push_str(include_str!("file_load.sh"));
}

fn form_word(form: FileForm) -> &'static str {
    match form {
        FileForm::Netplan => "netplan",
        FileForm::Networkd => "networkd",
    }
}

/// Whether a text is a valid name of topo's files. The name becomes part of scripts and of shell patterns.
fn is_name(name: &str) -> bool {
    name.len() <= 100
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Whether files of a form may have this path. Names of others' files may have any character except control characters.
fn is_path(path: &str, write: &FileWrite) -> bool {
    let folder = match path.strip_suffix(&write.name).and_then(|folder| folder.strip_suffix('/')) {
        Some(folder) if !path.contains(|c: char| c.is_control()) => folder,
        _ => return false,
    };
    match write.form {
        FileForm::Netplan => folder == "/etc/netplan",
        FileForm::Networkd => folder
            .strip_prefix("/etc/systemd/network/")
            .and_then(|folder| folder.strip_suffix(".network.d"))
            .is_some_and(|name| !name.is_empty() && !name.contains('/')),
    }
}

/// If everything is as known, the node sends only the token, and runs nothing expensive.
pub(super) fn inspect(script: &mut String, inquiry: &FileInquiry) {
    let name = if is_name(&inquiry.name) { inquiry.name.as_str() } else { "." };
    let _ = write!(
        script,
        "begin inspect\n\
         form={form} name='{name}' known='{known}'\n\
         if file_token; then\n\
         printf 'token %s\\n' \"$token\"\n\
         if [ \"$token\" != \"$known\" ]; then\n",
        form = form_word(inquiry.form),
        known = digest_word(inquiry.known.as_ref(), Token::as_str),
    );
    script.push_str(include_str!("inspect.sh"));
    if !inquiry.next_hops.is_empty() {
        let _ = writeln!(script, "if ask_ways '{}'; then", questions(&inquiry.next_hops));
        // Send the addresses only if they do not share one device.
        let _ = write!(script, include_str!("devices.sh"), count = inquiry.next_hops.len());
        script.push_str("fi\n");
    }
    script.push_str("fi\nfi\nend\n");
}

pub(super) fn write_file(script: &mut String, write: &FileWrite) {
    let table = write.listing.table;
    // The path comes from a state file, so do not trust it.
    let strange = if is_name(&write.name) {
        write.files.iter().map(|(path, _)| path).find(|path| !is_path(path, write))
    } else {
        Some(&write.name)
    };
    if strange.is_some() || (write.form == FileForm::Netplan && write.files.len() > 1) {
        let _ = write!(
            script,
            "begin file\n\
             held=yes\n\
             printf 'refused\\n|%s\\n' 'topo does not use files with this path: '{}\n\
             end\n",
            quoted(&strange.map_or_else(String::new, |path| path.escape_default().to_string())),
        );
        return;
    }
    let mut files: Vec<&(String, String)> = write.files.iter().collect();
    files.sort();
    // Anybody may have static rows. The file's content tells which ones are topo's.
    let marks = write.listing.protocols.iter().filter(|protocol| **protocol != STATIC).map(u8::to_string);
    let marks: Vec<String> = marks.chain(["none".to_owned()]).collect();
    let _ = write!(
        script,
        include_str!("write_file.sh"),
        form = form_word(write.form),
        name = write.name,
        known = digest_word(write.known.as_ref(), Token::as_str),
        activation = match write.activation {
            Activation::Check => "check",
            Activation::Load => "load",
            Activation::Defer => "defer",
        },
        table = table,
        routes = write.files.iter().map(|(_, content)| count_routes(content)).sum::<usize>(),
        pattern = pattern(&write.listing),
        marks = marks.join("\\|"),
        marked = marked(&write.listing),
        wanted = paths(&files),
        contents = contents(&files),
    );
}

/// Their paths as lines, in the order in which a shell lists them.
fn paths(files: &[&(String, String)]) -> String {
    let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    quoted(&paths.join("\n"))
}

/// Puts the files into the staging folder. The shell writes them itself, so that no program can lose a part of them.
fn contents(files: &[&(String, String)]) -> String {
    let mut script = String::new();
    for (number, (_, content)) in (1..).zip(files) {
        let _ = writeln!(script, "printf %s {} >\"$staging/want.{number}\" || return", quoted(content));
    }
    script
}

/// The number of routes in a file of topo: counts the keys `to`, as in netplan's lists of routes, in block or flow
/// style, and the keys `Destination` of drop-ins.
fn count_routes(content: &str) -> usize {
    content
        .lines()
        .map(|line| line.trim_start().trim_start_matches("- ").trim_start_matches('{').trim_start())
        .filter(|line| ["to: ", "\"to\": ", "Destination="].iter().any(|key| line.starts_with(key)))
        .count()
}

#[cfg(test)]
mod tests {
    use super::super::{Listing, Nonce, Request, render};
    use super::*;

    fn write(form: FileForm, name: &str, path: &str, content: &str) -> FileWrite {
        FileWrite {
            form,
            name: name.to_owned(),
            known: None,
            files: vec![(path.to_owned(), content.to_owned())],
            activation: Activation::Check,
            listing: Listing { table: 254, protocols: vec![201, 202], known: None },
        }
    }

    fn script(write: FileWrite, nonce: &Nonce) -> String {
        render(&[Request::File(write)], nonce)
    }

    #[test]
    fn strange_paths_do_not_reach_the_shell() {
        let nonce = Nonce::random();
        let (netplan, networkd) = (FileForm::Netplan, FileForm::Networkd);
        let name = "60-topo.yaml";
        for (form, name, path) in [
            (netplan, name, "/etc/netplan/60-other.yaml"),
            (netplan, name, "/etc/netplan/sub/60-topo.yaml"),
            (netplan, name, "/etc/netplan/../60-topo.yaml"),
            (netplan, "'$(reboot)'", "/etc/netplan/'$(reboot)'"),
            (netplan, "../60-topo.yaml", "/etc/netplan/../60-topo.yaml"),
            (netplan, "", "/etc/netplan/"),
            (networkd, name, "/etc/systemd/network/60-topo.yaml"),
            (networkd, name, "/etc/systemd/network/.network.d/60-topo.yaml"),
            (networkd, name, "/etc/systemd/network/a/b.network.d/60-topo.yaml"),
            (networkd, name, "/etc/systemd/network/a\n.network.d/60-topo.yaml"),
        ] {
            let script = script(write(form, name, path, "text\n"), &nonce);
            assert!(!script.contains("want_files()"), "{path}");
            assert!(script.contains("does not use files with this path") && script.contains("held=yes"), "{path}");
        }
        let path = "/etc/systemd/network/10-it's.network.d/60-topo.yaml";
        let script = script(write(networkd, name, path, "text\n"), &nonce);
        assert!(script.contains(r"'/etc/systemd/network/10-it'\''s.network.d/60-topo.yaml'"));
    }

    #[test]
    fn netplan_gets_one_file_and_networkd_one_for_each_device() {
        let nonce = Nonce::random();
        for (form, name, paths, is_written) in [
            (FileForm::Netplan, "60-topo.yaml", ["/etc/netplan/60-topo.yaml"; 2], false),
            (
                FileForm::Networkd,
                "60-topo.conf",
                ["a", "b"].map(|link| match link {
                    "a" => "/etc/systemd/network/a.network.d/60-topo.conf",
                    _ => "/etc/systemd/network/b.network.d/60-topo.conf",
                }),
                true,
            ),
        ] {
            let mut write = write(form, name, paths[0], "text\n");
            assert!(script(write.clone(), &nonce).contains("want_files()"));
            write.files.push((paths[1].to_owned(), "text\n".to_owned()));
            let script = script(write, &nonce);
            assert_eq!(script.contains("want_files()"), is_written, "{form:?}");
            assert_eq!(script.contains("does not use files with this path"), !is_written, "{form:?}");
        }
    }

    #[test]
    fn only_a_check_leaves_nothing_on_the_node() {
        for (activation, word) in
            [(Activation::Check, "check"), (Activation::Load, "load"), (Activation::Defer, "defer")]
        {
            let write = write(FileForm::Netplan, "60-topo.yaml", "/etc/netplan/60-topo.yaml", "text\n");
            let write = FileWrite { activation, ..write };
            assert_eq!(write.only_checks(), word == "check");
            let script = script(write, &Nonce::random());
            assert!(script.contains(&format!("activation={word}")), "{script}");
        }
    }

    #[test]
    fn no_content_ends_its_word() {
        let nonce = Nonce::random();
        let content = "a\n'; reboot; '\nb";
        let script = script(write(FileForm::Netplan, "a.yaml", "/etc/netplan/a.yaml", content), &nonce);
        let word = r"'a
'\''; reboot; '\''
b'";
        assert!(script.contains(&format!("printf %s {word} >\"$staging/want.1\" || return\n")), "{script}");
    }

    #[test]
    fn routes_are_counted() {
        let block = "network:\n  ethernets:\n    to:x:\n      routes:\n        - to: \"10.0.0.0/8\"\n          via: \"10.0.0.1\"\n";
        assert_eq!(count_routes(block), 1);
        assert_eq!(count_routes("# to: x\n- {to: a, via: b}\n- \"to\": c\n  to: d\n"), 3);
    }
}
