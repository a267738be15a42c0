//! Suggests known words for misspelled ones.

/// ``Did you mean `x`?`` if one of the known words is similar.
pub(super) fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    let (distance, best) = known.iter().map(|known| (strsim::osa_distance(&lower, known), known)).min()?;
    let close =
        distance <= 1 + best.len() / 4 || (lower.len() >= 3 && (best.starts_with(&lower) || lower.starts_with(best)));
    close.then(|| format!("Did you mean `{best}`?"))
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
