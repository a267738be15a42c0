//! Both ways to read a document give the same tree.

use proptest::prelude::*;
use toml::de::DeTable;

use super::Tree;

/// A tree without the order in which its parts were added.
fn describe(tree: &Tree<'_>) -> String {
    fn table(tree: &Tree<'_>, part: super::Part) -> String {
        let pairs = tree.table(part).pairs.iter();
        let pairs = pairs.map(|pair| format!("{:?}={}", pair.key, item(tree, &pair.item)));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }
    fn item(tree: &Tree<'_>, item_: &super::Item<'_>) -> String {
        let value = match &item_.value {
            super::Value::Table(part) => table(tree, *part),
            super::Value::Array(part) => {
                format!("{:?}", tree.array(*part).iter().map(|element| item(tree, element)).collect::<Vec<_>>())
            }
            other => format!("{other:?}"),
        };
        format!("{value}@{:?}", item_.bytes)
    }
    table(tree, tree.root)
}

/// Checks a text; tells whether the events gave a tree.
fn agree(text: &str) -> Result<bool, TestCaseError> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let Some(tree) = Tree::read(text) else { return Ok(false) };
    prop_assert!(errors.is_empty(), "{text:?}: {errors:?}");
    prop_assert_eq!(describe(&tree), describe(&Tree::recovered(document.into_inner())), "{:?}", text);
    Ok(true)
}

/// Pieces of documents, good and bad.
const PIECES: &[&str] = &[
    "a",
    "b",
    "node-0",
    "\"a\"",
    "'b'",
    "\"a\\u0062\"",
    "\"\"",
    "'''x'''",
    "\"\"\"y\ny\"\"\"",
    "1",
    "-0x1f",
    "0x1F",
    "1_000",
    "99999999999999999999",
    "1.5",
    "inf",
    "true",
    "false",
    "2020-01-01",
    "2020-13-01",
    "=",
    " = ",
    ".",
    ",",
    ", ",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "{ ",
    " }",
    "\n",
    "\r\n",
    "\r",
    "# note\n",
    "#\u{7}\n",
    " ",
    "\t",
    "\u{e4}",
    "\u{0}",
    "\\",
    "[a]\n",
    "[a.b]\n",
    "[b]\n",
    "[ a . b ]\n",
    "['a']\n",
    "a = 1\n",
    "b = { a = 1, b = [\"x\", 'y'] }\n",
    "a = []\n",
    "b = \"x\"\n",
    "a.b = 1\n",
    "b = {}\n",
    "[[a]]\n",
    "a = [1, [2, {a = 3}], \"\u{e4}\"] # note\n",
    "\u{feff}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn pieces_put_together_are_read_alike(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..14)) {
        agree(&pieces.concat())?;
    }

    #[test]
    fn a_changed_document_is_read_alike(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), proptest::sample::select(PIECES), 0..4_usize), 0..3),
    ) {
        let mut text: Vec<char> = DOCUMENT.chars().collect();
        for (at, piece, gone) in changes {
            let at = at.index(text.len());
            let end = (at + gone).min(text.len());
            text.splice(at..end, piece.chars());
        }
        agree(&text.into_iter().collect::<String>())?;
    }
}

const DOCUMENT: &str = r#"# A topology.
[topology]
name = "kthw"
[subnets.kubernetes]
cidr = ["10.240.0.0/24", 'fd00::/64',]
routed = true
[nodes]
server = { address = "10.240.0.10" }
node-1 = { address = "10.240.0.21", pods = ["10.200.1.0/24"] } # last
"node.0" = { address = [ "10.240.0.20" , "fd00::20" ], ssh = { port = 2_222, user = "a\tb" } }
[groups.edge.ssh]
user = 'x'
[groups.edge]
nodes = ["edge-*"]
[backends.routes]
metric = 0x10
"#;

#[test]
fn usual_documents_need_no_second_reading() {
    for text in [DOCUMENT, "", "\n", "a = 1", "[a]\n[a.b]\n", "[a.b]\n[a]\n", "\u{feff}a = 'b'\r\n", "a = [[[[]]]]"] {
        assert!(agree(text).expect("the same"), "{text}");
    }
}

#[test]
fn rare_forms_and_errors_are_left_to_the_other_reading() {
    let deep = format!("a = {}1{}", "[".repeat(100), "]".repeat(100));
    for text in [
        "a.b = 1",
        "[[a]]",
        "a = 2020-01-01",
        "a = 1\na = 2",
        "[a]\n[a]",
        "a = 1\n[a.b]",
        "a = {}\n[a.b]",
        "[a.b]\n[a]\nb = 1",
        "a = { b = 1, b = 2 }",
        "a = \"\\q\"",
        "a",
        "a =",
        "[a",
        "a = [1",
        "a = {",
        "= 1",
        "a = 1 b = 2",
        "#\u{7}",
        &deep,
    ] {
        assert!(!agree(text).expect("no tree"), "{text}");
    }
}
