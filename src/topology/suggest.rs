//! Suggests known words for misspelled ones.

/// ``Did you mean `x`?`` if one of the known words is similar.
pub(super) fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    let (distance, best) = known.iter().map(|known| (edit_distance(&lower, known), known)).min()?;
    let close =
        distance <= 1 + best.len() / 4 || (lower.len() >= 3 && (best.starts_with(&lower) || lower.starts_with(best)));
    close.then(|| format!("Did you mean `{best}`?"))
}

/// How many changes turn one word into the other. A change adds, drops or replaces a character, or swaps two
/// neighbours.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut previous = None;
    for (row, from) in left.chars().enumerate() {
        let mut line = vec![row + 1];
        for (column, to) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(from != *to);
            let mut best = replaced.min(last[column + 1] + 1).min(line[column] + 1);
            if column > 0 && previous == Some(*to) && right[column - 1] == from {
                best = best.min(before_last[column - 1] + 1);
            }
            line.push(best);
        }
        before_last = std::mem::replace(&mut last, line);
        previous = Some(from);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_words_are_suggested_and_others_are_not() {
        let known = ["address", "pods", "ssh"];
        for (word, meant) in [
            ("adress", "address"),
            ("adrress", "address"),
            ("pod", "pods"),
            ("pdos", "pods"),
            ("SSH", "ssh"),
            ("addresses", "address"),
        ] {
            assert_eq!(did_you_mean(word, &known), Some(format!("Did you mean `{meant}`?")), "{word}");
        }
        for word in ["", "color", "x", "ä", "gateway"] {
            assert_eq!(did_you_mean(word, &known), None, "{word}");
        }
    }
}
