//! Each folder of src imports only from folders below it, so that no circle of files goes across folders.

use super::source::{files_below, is_test, read, root, without_tests};

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

/// The folders that a text imports from. Test modules may import from anywhere.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    let code = without_tests(text);
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
    let root = root();
    let mut found = Vec::new();
    for path in files_below(&root) {
        let inside = path.strip_prefix(&root).expect("a path below src");
        let mut parts = inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let folder = parts.next().expect("a name");
        let is_beside_folders = path.parent() == Some(root.as_path());
        assert!(is_beside_folders || height(&folder).is_some(), "src/{folder} has no place in the order");
        if is_test(inside) {
            continue;
        }
        let text = read(&path);
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
