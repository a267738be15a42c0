//! How a plan shows that a file is not as it is to be.

use similar::TextDiff;

/// A unified difference of a file, from what was found to what it is to be. Empty if there is none.
pub(super) fn unified(path: &str, found: &str, wanted: &str) -> String {
    let difference = TextDiff::from_lines(found, wanted);
    difference.unified_diff().header(&format!("{path} as it is"), &format!("{path} as it is to be")).to_string()
}
