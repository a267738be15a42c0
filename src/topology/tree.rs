//! A TOML document as flat lists of borrowed parts. The keys of a table stand side by side, sorted. This takes much less time
//! and memory than the maps of `toml`.

mod events;
mod recovered;

use std::borrow::Cow;

use super::diagnostics::Span;

/// A document.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tree<'a> {
    pairs: Vec<Pair<'a>>,
    elements: Vec<Item<'a>>,
    root: Part,
}

/// A range of one of the lists, or of bytes of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Part {
    start: u32,
    end: u32,
}

/// A key of a table, and its value.
#[derive(Debug, PartialEq)]
pub(super) struct Pair<'a> {
    pub(super) key: Key<'a>,
    pub(super) item: Item<'a>,
}

/// A key with its position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) bytes: Part,
}

/// A value with its position; for a table with a header, that of the header.
#[derive(Debug, PartialEq)]
pub(super) struct Item<'a> {
    pub(super) value: Value<'a>,
    pub(super) bytes: Part,
}

#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    String(Cow<'a, str>),
    /// None: too large for 64 bits.
    Integer(Option<i64>),
    Float,
    Boolean(bool),
    Datetime,
    Array(Part),
    Table(Part),
}

/// A table of a document.
#[derive(Clone, Copy)]
pub(super) struct TableView<'a> {
    /// The document that it is a part of.
    pub(super) tree: &'a Tree<'a>,
    /// Sorted by key.
    pub(super) pairs: &'a [Pair<'a>],
}

impl<'a> Tree<'a> {
    /// Reads a document. None: it has an error, or a rare form; use [`Tree::recovered`] then.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        events::read(text)
    }

    /// The table at the document's root.
    pub(super) fn root(&'a self) -> TableView<'a> {
        self.table(self.root)
    }

    /// The table with these pairs.
    pub(super) fn table(&'a self, part: Part) -> TableView<'a> {
        TableView { tree: self, pairs: part.of(&self.pairs) }
    }

    /// The elements of an array.
    pub(super) fn array(&'a self, part: Part) -> &'a [Item<'a>] {
        part.of(&self.elements)
    }

    /// Adds a table, with its pairs sorted. None: two of them have the same key.
    fn add_table(&mut self, pairs: impl IntoIterator<Item = Pair<'a>>) -> Option<Part> {
        let start = self.pairs.len();
        self.pairs.extend(pairs);
        let pairs = &mut self.pairs[start..];
        if !pairs.is_sorted_by(|one, next| one.key.text < next.key.text) {
            pairs.sort_by(|one, other| one.key.text.cmp(&other.key.text));
            if pairs.windows(2).any(|pair| pair[0].key.text == pair[1].key.text) {
                return None;
            }
        }
        Some(Part::new(start, self.pairs.len()))
    }

    fn add_array(&mut self, elements: impl IntoIterator<Item = Item<'a>>) -> Part {
        let start = self.elements.len();
        self.elements.extend(elements);
        Part::new(start, self.elements.len())
    }
}

impl Part {
    /// A text of at most 4 MiB has no larger numbers.
    fn new(start: usize, end: usize) -> Self {
        let narrow = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end) }
    }

    fn of<T>(self, list: &[T]) -> &[T] {
        list.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The position in a file, of a range of bytes.
    pub(super) fn within(self, file: u32) -> Span {
        Span { file, start: self.start, end: self.end }
    }
}

impl<'a> TableView<'a> {
    /// The pair with a key.
    pub(super) fn get(self, key: &str) -> Option<&'a Pair<'a>> {
        // Most tables have two or three keys.
        if self.pairs.len() <= 8 {
            return self.pairs.iter().find(|pair| pair.key.text == key);
        }
        let at = self.pairs.binary_search_by(|pair| (*pair.key.text).cmp(key)).ok()?;
        Some(&self.pairs[at])
    }
}

#[cfg(test)]
mod tests;
