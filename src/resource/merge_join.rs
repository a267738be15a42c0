//! A walk through two maps of places at once.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::Place;

/// Every place of two maps in order, with its value in each of them.
pub fn merge_join<'a, A, B>(
    one: &'a BTreeMap<Place, A>,
    other: &'a BTreeMap<Place, B>,
) -> impl Iterator<Item = (&'a Place, Option<&'a A>, Option<&'a B>)> {
    let (mut left, mut right) = (one.iter().peekable(), other.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((place, _)), Some((other, _))) => place.cmp(other),
        };
        let first = if order.is_le() { left.next() } else { None };
        let second = if order.is_ge() { right.next() } else { None };
        let place = first.map(|(place, _)| place).or(second.map(|(place, _)| place))?;
        Some((place, first.map(|(_, value)| value), second.map(|(_, value)| value)))
    })
}
