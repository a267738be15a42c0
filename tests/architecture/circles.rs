//! No circle of files: a file can be read without those that are built on it.
//!
//! A file leads to another one if its code names something that the other one defines. Names go through `pub use` to where the thing
//! is defined. What only tests import does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::source::{files_below, is_test, read, root, without_words};

/// A path of modules.
type Module = Vec<String>;

/// The code of each module.
type Code = BTreeMap<Module, String>;

/// The paths in a tree of `use`: `a::{b, c::d as e}` has `a::b` and `a::c::d`, each with the name that it gets.
fn expand(before: &[String], tree: &str, found: &mut Vec<(Module, String)>) {
    let parts = |text: &str| -> Module {
        text.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    };
    let tree = tree.trim();
    if let Some((start, list)) = tree.split_once('{') {
        let before = [before, &parts(start)].concat();
        let (mut depth, mut one) = (0, String::new());
        for letter in list.strip_suffix('}').unwrap_or(list).chars() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if letter == ',' && depth == 0 {
                expand(&before, &std::mem::take(&mut one), found);
            } else {
                one.push(letter);
            }
        }
        if !one.trim().is_empty() {
            expand(&before, &one, found);
        }
        return;
    }
    let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
    let path = [before, &parts(path)].concat();
    let last = path.iter().rev().find(|part| *part != "self").cloned().unwrap_or_default();
    let name = if name.is_empty() { last } else { name.trim().to_owned() };
    found.push((path.into_iter().filter(|part| part != "self" || before.is_empty()).collect(), name));
}

/// The paths of all `use` of a code, each with the name that it gets.
fn uses(code: &str) -> Vec<(Module, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let is_word = code[..at].chars().next_back().is_none_or(char::is_whitespace);
        if let Some((tree, _)) = code[at + 4..].split_once(';').filter(|_| is_word) {
            expand(&[], tree, &mut found);
        }
    }
    found
}

/// The paths that a code names outside of `use`: `crate::plan::Plan`, `super::file::render`.
fn named(code: &str) -> Vec<Module> {
    let is_of_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let words = code.split(|letter: char| !is_of_path(letter));
    let paths = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    paths.map(|path| path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()).collect()
}

/// A path from the root, given the module that names it. None: it leads out of the crate.
fn absolute(path: &[String], from: &[String], code: &Code) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([from, rest].concat()),
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            Some([&from[..from.len().checked_sub(up)?], &path[up..]].concat())
        }
        // A child, as in `mod a; pub use a::B;`.
        _ => {
            let inside = [from, path].concat();
            code.contains_key(&[from, std::slice::from_ref(first)].concat()).then_some(inside)
        }
    }
}

/// The module that defines what a path from the root names.
fn home(mut path: Module, code: &Code) -> Module {
    // Re-exports lead to further re-exports. None is longer than a few files.
    for _ in 0..8 {
        let at = (0..=path.len()).rev().find(|at| code.contains_key(&path[..*at])).unwrap_or_default();
        let module = path[..at].to_vec();
        let Some(name) = path.get(at) else { return module };
        let found = uses(&code[&module]).into_iter().find(|(_, of)| of == name);
        let Some(next) = found.and_then(|(found, _)| absolute(&found, &module, code)) else { return module };
        if next == path {
            return module;
        }
        path = [&next, &path[at + 1..]].concat();
    }
    path
}

/// The modules that each module leads to.
fn graph(code: &Code) -> BTreeMap<Module, BTreeSet<Module>> {
    let of = |(module, text): (&Module, &String)| {
        let imported = uses(text).into_iter().map(|(path, _)| path).chain(named(text));
        // A module's own `mod` and `pub use` of its children do not need the children.
        let imported = imported.filter(|path| ["crate", "self", "super"].iter().any(|start| path[0] == *start));
        let homes = imported.filter_map(|path| Some(home(absolute(&path, module, code)?, code)));
        (module.clone(), homes.filter(|home| home != module).collect())
    };
    code.iter().map(of).collect()
}

/// All modules that a module leads to, directly or through others.
fn reached_from<'g>(from: &'g Module, graph: &'g BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<&'g Module> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(next) = left.pop() {
        left.extend(graph.get(next).into_iter().flatten().filter(|one| seen.insert(*one)));
    }
    seen
}

/// The circles of a graph, as sets of modules that lead to each other.
fn circles(graph: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Vec<String>> {
    let reached = |module| (module, reached_from(module, graph));
    let all: BTreeMap<&Module, BTreeSet<&Module>> = graph.keys().map(reached).collect();
    let mut circles = BTreeSet::new();
    for (module, reached) in &all {
        if reached.contains(module) {
            let back = reached.iter().filter(|other| all.get(*other).is_some_and(|others| others.contains(module)));
            circles.insert(back.map(|module| module.join("/")).collect());
        }
    }
    circles
}

fn sources() -> Code {
    let root = root();
    let mut code = Code::new();
    for path in files_below(&root) {
        let inside = path.strip_prefix(&root).expect("a path below src").with_extension("");
        let mut module: Module = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if !is_test(&inside) {
            module.pop_if(|last| matches!(last.as_str(), "mod" | "lib" | "main"));
            // `lib.rs` and `main.rs` are both the root.
            *code.entry(module).or_default() += &without_words(&read(&path));
        }
    }
    code
}

#[test]
fn files_do_not_lead_to_each_other_in_circles() {
    let graph = graph(&sources());
    let edges: usize = graph.values().map(BTreeSet::len).sum();
    assert!(edges > 500, "only {edges} imports were found");
    let show = |circle: &Vec<String>| {
        let mut text = format!("{circle:?}\n");
        for file in circle {
            let module: Module = file.split('/').map(str::to_owned).collect();
            let inside: Vec<String> =
                graph[&module].iter().map(|to| to.join("/")).filter(|to| circle.contains(to)).collect();
            let _ = writeln!(text, "    {file} leads to {}", inside.join(", "));
        }
        text
    };
    let found: String = circles(&graph).iter().map(show).collect();
    assert!(found.is_empty(), "these files lead to each other:\n{found}");
}

#[test]
fn circles_are_recognised() {
    let code = |files: &[(&str, &str)]| -> Code {
        let module = |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        files.iter().map(|(path, text)| (module(path), without_words(text))).collect()
    };
    let found = |files: &[(&str, &str)]| -> Vec<Vec<String>> { circles(&graph(&code(files))).into_iter().collect() };
    let root = ("", "pub mod a;\npub mod b;\n");
    // Through a re-export, with a list, a new name, and a line break.
    let a = ("a", "mod x;\nmod y;\npub use x::{\n    One,\n    Two as Other,\n};\n");
    let x = ("a/x", "use super::y::Three;\npub struct One;\npub struct Two;\n");
    for (y, circle) in [
        ("use crate::a::Other;\npub struct Three;\n", true),
        ("use super::One;\n", true),
        ("fn f() -> crate::a::One {}\n", true),
        ("use crate::b::Deep;\n", true),
        ("// use super::One;\nconst TEXT: &str = \"use super::One;\";\n", false),
        ("#[cfg(test)]\nmod tests {\n    use super::super::One;\n}\n", false),
        ("use std::a::One;\n", false),
    ] {
        let b = ("b", "pub use crate::a::One as Deep;\n");
        let expected: &[&[&str]] = if circle { &[&["a/x", "a/y"]] } else { &[] };
        assert_eq!(found(&[root, a, x, ("a/y", y), b]), expected, "{y}");
    }
    // A file that is not needed for the circle is not in it.
    let files = [root, ("a", "use crate::b::B;\n"), ("b", "use crate::c::C;\n"), ("c", "use crate::b::B;\n")];
    assert_eq!(found(&files), [["b", "c"]]);
}
