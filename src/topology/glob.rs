//! Finds the names that match a pattern.

use crate::resource::glob;

/// The index of each name that matches, in order. The names are sorted: a pattern without wildcards needs one look-up;
/// other patterns are compared only with names that have the same start.
pub(super) fn matching<'n>(pattern: &'n str, names: &'n [impl AsRef<str>]) -> impl Iterator<Item = usize> + 'n {
    let wildcard = pattern.find(['*', '?']);
    let start = &pattern[..wildcard.unwrap_or(pattern.len())];
    let first = names.partition_point(|name| name.as_ref() < start);
    let most = if wildcard.is_some() { usize::MAX } else { 1 };
    (first..names.len())
        .take_while(move |index| names[*index].as_ref().starts_with(start))
        .take(most)
        .filter(move |index| glob(pattern, names[*index].as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_in_a_sorted_list_are_those_of_a_plain_search() {
        let names = ["a", "ab", "abc", "b", "node-1", "node-10", "node-2"];
        for pattern in ["a", "ab*", "*b*", "?", "node-?", "node-1", "nod", "z", "*"] {
            let found: Vec<usize> = matching(pattern, &names).collect();
            let plain: Vec<usize> = (0..names.len()).filter(|index| glob(pattern, names[*index])).collect();
            assert_eq!(found, plain, "{pattern}");
        }
    }
}
