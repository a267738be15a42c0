//! Short forms for names that differ in a number: `node-[0-4,7]`, as cluster tools write sets of hosts.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Folds names. Names whose number has leading zeros stay as they are. The order is that of the first names.
pub(super) fn folded<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut order: Vec<&str> = Vec::new();
    let mut numbers: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut folded: Vec<String> = Vec::new();
    for name in names {
        let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (word, number) = name.split_at(name.len() - digits);
        match number.parse::<u64>().ok().filter(|value| value.to_string() == number) {
            Some(value) => {
                let known = numbers.entry(word).or_default();
                if known.is_empty() {
                    order.push(word);
                }
                known.push(value);
            }
            None => folded.push(name.to_owned()),
        }
    }
    for word in order {
        let mut all = numbers.remove(word).unwrap_or_default();
        all.sort_unstable();
        all.dedup();
        if let [only] = all[..] {
            folded.push(format!("{word}{only}"));
            continue;
        }
        let mut text = String::new();
        for run in all.chunk_by(|one, other| one.checked_add(1) == Some(*other)) {
            let separator = if text.is_empty() { "" } else { "," };
            let _ = match run {
                [first, .., last] => write!(text, "{separator}{first}-{last}"),
                [only] => write!(text, "{separator}{only}"),
                [] => Ok(()),
            };
        }
        folded.push(format!("{word}[{text}]"));
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_folded_and_other_names_stay() {
        let names = ["node-3", "server", "node-1", "node-2", "node-7", "edge-08", "web9"];
        assert_eq!(folded(names.into_iter()), ["server", "edge-08", "node-[1-3,7]", "web9"]);
        assert_eq!(folded(["n1", "n2"].into_iter()), ["n[1-2]"]);
        assert_eq!(folded(std::iter::empty()), [""; 0]);
    }
}
