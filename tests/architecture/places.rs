//! Kinds of places: only their own code, in src/backend, tells one from another.

use super::source::{files_below, is_test, read, root, without_words};

/// Where the kinds of places are described and tell their places apart.
const HOMES: [&str; 2] = ["backend/", "resource/place.rs"];

/// Files that ask whether a place is a node, each with the number of questions, and why that does not mean "or else a certain cloud".
const ASKS_FOR_NODES: [(&str, usize, &str); 1] = [(
    "plan/owners.rs",
    3,
    "The owner of an address is a node: rows come and go with nodes, wherever the rows are. All other places own no address.",
)];

/// What tells a node from all other places.
const QUESTIONS: [&str; 4] = [".is_node()", ".node_name()", ".node()", "NODE"];

/// Whether a line compares a kind of place with a certain kind, or takes cases by the kind.
fn tells_kinds_apart(line: &str) -> bool {
    let code = without_words(line).replace("error.kind()", "");
    let code = code.as_str();
    let asks = code.contains(".kind()") || code.contains("PlaceKind");
    asks && (code.contains("match ")
        || code.contains("matches!(")
        || code.contains(".kind().id")
        || compares_with_static(code))
}

/// Whether a line compares something with a name in capital letters: `*place.kind() == CLOUD`.
fn compares_with_static(code: &str) -> bool {
    let is_static = |word: &str| {
        word.chars().next().is_some_and(char::is_uppercase) && word.chars().all(|one| one.is_uppercase() || one == '_')
    };
    ["==", "!="].iter().any(|sign| {
        code.split(sign).skip(1).zip(code.split(sign)).any(|(after, before)| {
            let word = |text: &str, from_end: bool| {
                let mut words =
                    text.split(|one: char| !one.is_alphanumeric() && one != '_').filter(|word| !word.is_empty());
                let word = if from_end { words.next_back() } else { words.next() };
                word.is_some_and(is_static)
            };
            word(after, false) || word(before, true)
        })
    })
}

/// How often a code asks whether a place is a node.
fn questions(code: &str) -> usize {
    let code = without_words(code);
    let of_line = |line: &str| {
        let of = |question: &str| match question {
            "NODE" => {
                line.split(|one: char| !one.is_alphanumeric() && one != '_').filter(|word| *word == "NODE").count()
            }
            question => line.matches(question).count() - line.matches(&format!("self{question}")).count(),
        };
        QUESTIONS.iter().map(|question| of(question)).sum::<usize>()
    };
    code.lines().filter(|line| !line.trim_start().starts_with("pub use")).map(of_line).sum()
}

/// The code of files outside of the homes of kinds, each with its path below src.
fn others() -> Vec<(String, String)> {
    let root = root();
    let mut all = Vec::new();
    for path in files_below(&root) {
        let inside = path.strip_prefix(&root).expect("a path below src");
        let name = inside.to_string_lossy().into_owned();
        if !is_test(inside) && !HOMES.iter().any(|home| name.starts_with(home)) {
            all.push((name, without_words(&read(&path))));
        }
    }
    all
}

#[test]
fn no_kind_of_place_is_told_from_another_outside_of_backend() {
    let of_file = |(name, code): &(String, String)| {
        let lines = code.lines().zip(1..).filter(|(line, _)| tells_kinds_apart(line));
        lines.map(|(line, number)| format!("src/{name}:{number}: {}", line.trim())).collect::<Vec<_>>()
    };
    let found: Vec<String> = others().iter().flat_map(of_file).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn nobody_asks_for_nodes_to_find_a_cloud() {
    let mut found = Vec::new();
    for (name, code) in others() {
        let known = ASKS_FOR_NODES.iter().find(|(file, ..)| *file == name).map_or(0, |(_, number, _)| *number);
        let asked = questions(&code);
        if asked != known {
            found.push(format!("src/{name} asks {asked} times whether a place is a node, and not {known} times"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn questions_about_kinds_are_recognised() {
    for line in [
        "match place.kind() {",
        "match place.kind().id {",
        "if *place.kind() == CLOUD {",
        "if NODE != *place.kind() {",
        "matches!(site.kind(), PlaceKind { id: \"x\", .. })",
        "let is_it = place.kind().id == \"node\";",
    ] {
        assert!(tells_kinds_apart(line), "{line}");
    }
    for line in [
        "self.run.sites.iter().find(|site| site.kind() == place.kind())",
        "|place| place.kind() == site.place",
        "// match place.kind() {",
        "Err(error) if error.kind() == io::ErrorKind::NotFound => None,",
        "fn kind(&self) -> &'static PlaceKind {",
        "let x = if one == TWO { 1 } else { 2 };",
    ] {
        assert!(!tells_kinds_apart(line), "{line}");
    }
    assert_eq!(
        questions("if place.is_node() || other.node_name().is_none() {}\n// place.is_node()\npub use place::NODE;\n"),
        2
    );
    assert_eq!(questions("if *kind == NODE {}\nlet other = self.node();\nANODE"), 1);
}
