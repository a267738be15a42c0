//! The order of names that people expect.

use std::cmp::Ordering;

/// Compares names with runs of digits as numbers: `node-2` before `node-10`.
pub fn natural_order(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one.as_bytes(), other.as_bytes());
    // Skips the common beginning, but not a number at its end: that may go on.
    let common = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let number = left[..common].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    (left, right) = (&left[common - number..], &right[common - number..]);
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    loop {
        let (first, second) = (digits(left), digits(right));
        if first > 0 && second > 0 {
            let number = |text: &[u8]| text.iter().position(|byte| *byte != b'0').unwrap_or(text.len());
            let (a, b) = (&left[..first], &right[..second]);
            let (a, b) = (&a[number(a)..], &b[number(b)..]);
            match a.len().cmp(&b.len()).then_with(|| a.cmp(b)) {
                Ordering::Equal => (left, right) = (&left[first..], &right[second..]),
                unequal => return unequal,
            }
            continue;
        }
        match (left.split_first(), right.split_first()) {
            (Some((a, rest)), Some((b, others))) if a == b => (left, right) = (rest, others),
            (a, b) => return a.map(|(byte, _)| byte).cmp(&b.map(|(byte, _)| byte)).then_with(|| one.cmp(other)),
        }
    }
}
