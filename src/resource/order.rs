//! The order of names that people expect.

use std::cmp::Ordering;

/// A name in the order of [`natural_order`]. Most names are a stem with a number: to split each one once makes it much cheaper
/// to sort thousands of them.
#[derive(Clone, Copy, Debug)]
pub struct NaturalName<'n> {
    name: &'n str,
    stem: &'n str,
    /// None: no number at the end, or one that is long or starts with 0.
    number: Option<u64>,
}

impl<'n> From<&'n str> for NaturalName<'n> {
    fn from(name: &'n str) -> Self {
        let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (stem, number) = name.split_at(name.len() - digits);
        let is_plain = digits <= 18 && (digits == 1 || !number.starts_with('0'));
        Self { name, stem, number: number.parse().ok().filter(|_| is_plain) }
    }
}

impl NaturalName<'_> {
    /// Compares as [`natural_order`] does.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self.number, other.number) {
            (Some(one), Some(two)) if self.stem == other.stem => one.cmp(&two),
            _ => natural_order(self.name, other.name),
        }
    }
}

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_that_are_split_keep_their_order(one in "[ab]{0,2}[-0-9]{0,4}[b0-9]{0,21}", other in "[ab]{0,2}[-0-9]{0,4}[b0-9]{0,21}") {
            let split = NaturalName::from(&*one).order(&NaturalName::from(&*other));
            prop_assert_eq!(split, natural_order(&one, &other));
        }

        #[test]
        fn numbers_behind_one_stem_keep_their_order(one in "n[0-9]{1,20}", other in "n[0-9]{1,20}") {
            let split = NaturalName::from(&*one).order(&NaturalName::from(&*other));
            prop_assert_eq!(split, natural_order(&one, &other));
        }
    }
}
