//! Texts that nobody means well with.

use proptest::prelude::*;
use topo::backend::REGISTRY;
use topo::topology::{Source, machines, parse, update};
use topo::ui::diagnostics::{events, render};

use crate::events::checked;

const EXAMPLE: &str = include_str!("../../examples/kthw/topo.toml");
const MACHINES: &str = include_str!("../../examples/kthw/machines.txt");
/// A template with every field; `@` stands for the value.
const FIELDS: &[&str] = &[
    "[topology]\nname = @",
    "[topology]\nname = \"x\"\ndecommissioned = [@]",
    "[topology]\nname = \"x\"\n[subnets.@]\ncidr = \"10.0.0.0/24\"",
    "[topology]\nname = \"x\"\n[subnets.a]\ncidr = @",
    "[topology]\nname = \"x\"\n[subnets.a]\ncidr = \"10.0.0.0/24\"\ngateway = @",
    "[topology]\nname = \"x\"\n[nodes]\n@ = { address = \"10.0.0.1\" }",
    "[topology]\nname = \"x\"\n[nodes]\na = { address = @ }",
    "[topology]\nname = \"x\"\n[nodes]\na = { address = \"10.0.0.1\", pods = [@] }",
    "[topology]\nname = \"x\"\n[nodes]\na = { address = \"10.0.0.1\", ssh = { user = @ } }",
    "[topology]\nname = \"x\"\n[nodes]\na = { address = \"10.0.0.1\", ssh = { host = @ } }",
    "[topology]\nname = \"x\"\n[nodes]\na = { address = \"10.0.0.1\", @ = 1 }",
    "[topology]\nname = \"x\"\n[nodes]\na = { address = \"10.0.0.1\", interface = @ }",
    "[topology]\nname = \"x\"\n[groups.a]\nnodes = [@]",
    "[topology]\nname = \"x\"\n[groups.a]\nnodes = \"b\"\ninterface = @",
    "[topology]\nname = \"x\"\n[groups.@]\nnodes = [\"a\"]",
    "[topology]\nname = \"x\"\n[ssh]\nuser = @",
    "[topology]\nname = \"x\"\n[backends.@]",
    "[topology]\nname = \"x\"\n[backends.a]\ntype = @",
    "[topology]\nname = \"x\"\n[backends.ssh-static]\nnodes = [@]",
    "[topology]\nname = \"x\"\n[backends.ssh-static]\ntable = @",
    "[topology]\nname = \"x\"\n[backends.netplan]\nfile = @",
    "[topology]\nname = \"x\"\n[backends.netplan]\npersist = @",
    "[topology]\nname = \"x\"\n[backends.netplan]\nactivate = @",
];
/// The same for builds with Azure; `$` stands for a subscription, `%` stands for the keys that have to be there.
#[cfg(feature = "azure")]
const AZURE_FIELDS: &[&str] = &[
    "[topology]\nname = \"x\"\n[backends.azure-udr]\nsubscription = @\nresource_group = \"g\"\nlocation = \"l\"",
    "[topology]\nname = \"x\"\n[backends.azure-udr]\nsubscription = \"$\"\nresource_group = @\nlocation = \"l\"",
    "[topology]\nname = \"x\"\n[backends.azure-udr]\n%route_table = @",
    "[topology]\nname = \"x\"\n[backends.azure-udr]\n%route_name_prefix = @",
    "[topology]\nname = \"x\"\n[backends.azure-udr]\n%subnets = [@]",
    "[topology]\nname = \"x\"\n[backends.azure-udr]\n%outside = @",
    "[topology]\nname = \"x\"\n[backends.azure-udr]\n%ip_forwarding = @",
    "[topology]\nname = \"x\"\n[backends.azure-udr]\n%manage_table = @",
    "[topology]\nname = \"x\"\n[backends.azure-udr]\n%nodes = [@]",
];
#[cfg(feature = "azure")]
const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
/// TOML strings.
const VALUES: &[&str] = &[
    r#""-oProxyCommand=touch /tmp/x""#,
    r#""$(reboot)""#,
    r#""a;b""#,
    r#""a\nb""#,
    r#""\u001b[2J\u001b]0;x\u0007""#,
    r#""\u202egnp.exe""#,
    r#""../../etc/passwd""#,
    r#""a b""#,
    r#""`id`""#,
    r#""a'b""#,
    r#""\u0000""#,
    r#""{}""#,
    r#""""#,
    "\"\u{9b}31m\"",
    "\"a\u{1b}[31mb\"",
];

fn check(sources: &[Source]) -> bool {
    let (topology, findings) = parse(sources, REGISTRY.formats());
    assert_eq!(topology.is_some(), !findings.has_errors());
    for width in [0, 80] {
        let text = render(&findings, sources, false, width);
        assert_eq!(text.is_empty(), findings.is_empty());
        let raw = text.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c));
        assert_eq!(raw, None, "{text}");
        assert!(!text.contains("Failed to read contents"), "{text}");
    }
    for (event, finding) in events(&findings, sources).zip(findings.iter()) {
        checked(&serde_json::to_string(&event.now()).expect("event"));
        assert!((finding.span.end as usize) <= sources[finding.span.file as usize].text.len());
    }
    topology.is_some()
}

fn source(text: &str) -> Vec<Source> {
    vec![Source { name: "topo\u{1b}[31m.toml".to_owned(), text: text.to_owned() }]
}

#[test]
fn hostile_values_are_refused_in_every_field_and_shown_tamely() {
    for field in FIELDS {
        for value in VALUES {
            assert!(!check(&source(&field.replace('@', value))), "{field} with {value}");
        }
        // The templates themselves are good, so that it is the value that is refused.
        let good = match *field {
            field if field.contains("type = @") => "\"ssh-static\"",
            field if field.contains("table = @") => "7",
            field if field.contains("file = @") => "\"good.yaml\"",
            field if field.contains("persist = @") => "\"networkd\"",
            field if field.contains("activate = @") => "\"defer\"",
            field if field.contains("[backends.@]") => "ssh-static",
            field if field.contains("@ = 1") => continue,
            field if field.contains("cidr = @") || field.contains("pods") => "\"10.9.0.0/24\"",
            field if field.contains("gateway") || field.contains("address = @") => "\"10.0.0.2\"",
            _ => "\"good\"",
        };
        assert!(check(&source(&field.replace('@', good))), "{field} with {good}");
    }
}

#[cfg(feature = "azure")]
#[test]
fn hostile_values_are_refused_in_every_field_about_azure() {
    let needed = format!("subscription = \"{SUBSCRIPTION}\"\nresource_group = \"g\"\nlocation = \"l\"\n");
    for field in AZURE_FIELDS {
        let field = field.replace('%', &needed).replace('$', SUBSCRIPTION);
        for value in VALUES {
            assert!(!check(&source(&field.replace('@', value))), "{field} with {value}");
        }
        let good = match field.lines().find_map(|line| line.split_once(" = ").filter(|(_, value)| value.contains('@')))
        {
            Some(("subscription", _)) => format!("\"{SUBSCRIPTION}\""),
            Some(("subnets", _)) => "\"vnet/good\"".to_owned(),
            Some(("outside", _)) => "\"skip\"".to_owned(),
            Some(("ip_forwarding", _)) => "\"enable\"".to_owned(),
            Some(("manage_table", _)) => "false".to_owned(),
            _ => "\"good\"".to_owned(),
        };
        assert!(check(&source(&field.replace('@', &good))), "{field} with {good}");
    }
    // A name of a region may have spaces, and nothing else that acts.
    for value in VALUES.iter().filter(|value| **value != r#""a b""#) {
        let text = format!(
            "[topology]\nname = \"x\"\n[backends.azure-udr]\nsubscription = \"{SUBSCRIPTION}\"\nresource_group = \"g\"\n"
        );
        assert!(!check(&source(&format!("{text}location = {value}"))), "location = {value}");
        assert!(check(&source(&format!("{text}location = \"a b\""))));
    }
}

#[test]
fn deep_nesting_and_huge_files_end_in_an_error() {
    for text in [
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{a=".repeat(50_000)),
        format!("[{}]", vec!["a"; 10_000].join(".")),
        " ".repeat(4 * 1024 * 1024 + 1),
        "\u{feff}[topology]\nnam = 1".to_owned(),
        "[topology]\rname = 1".to_owned(),
    ] {
        assert!(!check(&source(&text)));
    }
}

#[test]
fn files_full_of_errors_are_read_in_reasonable_time() {
    let many = |count: usize, part: &dyn Fn(usize) -> String| (0..count).map(part).collect::<String>();
    let head = "[topology]\nname = \"x\"\n[nodes]\n";
    for text in [
        "=".repeat(1_000_000),
        "=\n".repeat(500_000),
        many(50_000, &|_| "a = 1\n".to_owned()),
        format!("{head}a = {{ address = [{}] }}", many(50_000, &|_| "\"x\", ".to_owned())),
        format!(
            "{head}{}",
            many(20_000, &|n| format!("n{n} = {{ address = \"10.0.0.1\", pods = \"10.0.0.0/24\" }}\n"))
        ),
    ] {
        let start = processor_seconds();
        assert!(!check(&source(&text)));
        let took = processor_seconds() - start;
        // Anything quadratic takes minutes.
        assert!(took < 20.0, "{took} s for {}", &text[..40]);
    }
}

/// The processor time that this thread has used, in seconds. Unlike a clock's it does not depend on what else runs.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("/proc");
    // utime and stime, fields 14 and 15, in hundredths of a second; the name in parentheses is field 2 (proc_pid_stat(5)).
    let fields = stat.rsplit(')').next().expect("fields").split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() / 100.0
}

#[test]
fn keys_of_one_table_in_several_files_are_one_table() {
    let two = |first: &str, second: &str| {
        let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
        check(&[file("a.toml", first), file("b.toml", second)])
    };
    let first =
        "[topology]\nname = \"x\"\n[ssh]\nuser = \"a\"\n[nodes]\na = { address = \"10.0.0.1\" }\n[backends.ssh-static]";
    assert!(two(first, "[ssh]\nport = 22\n[nodes]\nb = { address = \"10.0.0.2\" }"));
    assert!(!two(first, "[nodes]\na = { address = \"10.0.0.2\" }"));
    assert!(!two(first, "[ssh]\nuser = \"a\""));
    assert!(!two(first, "[backends.ssh-static]"));
    assert!(!two(first, "[ssh]\ncolor = 22"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}|[a-z\\[\\]{}=\".,\n\r\t #'\\\\-]{0,200}") {
        check(&source(&text));
        let _ = machines::parse(&source(&text)[0]);
    }

    #[test]
    fn damaged_documents_are_read_without_a_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, "[\\[\\]{}=\".,\n\r\t #a0:/é-]{0,6}"), 1..6)
    ) {
        for (example, is_list) in [(EXAMPLE, false), (MACHINES, true)] {
            let mut text: Vec<char> = example.chars().collect();
            for (at, length, new) in &edits {
                let at = at.index(text.len().max(1)).min(text.len());
                let end = (at + length).min(text.len());
                text.splice(at..end, new.chars());
            }
            let text: String = text.into_iter().collect();
            if is_list {
                let _ = machines::parse(&source(&text)[0]);
            } else {
                check(&source(&text));
                let (list, _) = machines::parse(&source(MACHINES)[0]);
                // What can be rewritten and was valid is still valid, and a second rewrite has nothing to do.
                if let Some((after, _)) = update::update(&text, &list, &|_, _| false) {
                    let (_, changes) = update::update(&after, &list, &|_, _| false).expect("its own text");
                    prop_assert!(changes.is_empty(), "{after}");
                }
            }
        }
    }
}
