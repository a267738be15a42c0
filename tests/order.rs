//! Each folder of src imports only from folders below it, so that no circle of files goes across folders.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders from the lowest to the highest. Those of one line do not import each other.
const ORDER: [&[&str]; 10] = [
    &["network"],
    &["resource"],
    &["exchange", "state", "topology"],
    &["plan"],
    &["report", "transport"],
    &["backend"],
    &["drive"],
    &["render"],
    &["ui"],
    &["cli"],
];

/// The height of a folder; none for files beside the folders.
fn height(folder: &str) -> Option<usize> {
    ORDER.iter().position(|folders| folders.contains(&folder))
}

pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The folders that a text imports from. Test modules may import from anywhere.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split_once("#[cfg(test)]\nmod tests {").map_or(text, |(code, _)| code);
    let name =
        |rest: &'_ str| rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    code.split("crate::").skip(1).map(move |rest| &rest[..name(rest)])
}

/// The imports of a file in a folder that go upward, or to a folder beside it.
fn wrong_imports<'t>(folder: &str, text: &'t str) -> Vec<&'t str> {
    let own = height(folder);
    // A list of folders would hide their names.
    let is_wrong = |other: &&str| {
        other.is_empty() || *other != folder && height(other).is_some_and(|other| own.is_some_and(|own| other >= own))
    };
    imports(text).filter(is_wrong).collect()
}

#[test]
fn each_folder_imports_from_folders_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in files_below(&root) {
        let inside = path.strip_prefix(&root).expect("a path below src");
        let is_test = |part: &Path| {
            part.file_stem().is_some_and(|stem| stem == "tests" || stem == "plan_tests" || stem == "fixture")
        };
        let mut parts = inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let folder = parts.next().expect("a name");
        let is_beside_folders = path.parent() == Some(&root);
        assert!(is_beside_folders || height(&folder).is_some(), "src/{folder} has no place in the order");
        if inside.iter().any(|part| is_test(Path::new(part))) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        found.extend(
            wrong_imports(&folder, &text).into_iter().map(|other| format!("{} imports {other}", inside.display())),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn wrong_imports_are_recognised() {
    let text = "use crate::plan::Plan;\nuse crate::{exit, backend};\nfn a() -> crate::backend::Desired {}\n\
                #[cfg(test)]\nmod tests {\n    use crate::cli;\n}\n";
    assert_eq!(wrong_imports("plan", text), ["", "backend"]);
    assert_eq!(wrong_imports("state", text), ["plan", "", "backend"]);
    assert_eq!(wrong_imports("transport", text), ["", "backend"]);
    assert_eq!(wrong_imports("drive", text), [""]);
    assert_eq!(wrong_imports("drive", "use crate::plan::Plan;"), [""; 0]);
}
