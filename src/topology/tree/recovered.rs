//! Makes a tree from that of `toml`, which can recover from errors.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Item, Key, Pair, Part, Tree, Value};

impl<'a> Tree<'a> {
    /// The document as `toml` recovered it.
    pub(in super::super) fn recovered(document: DeTable<'a>) -> Self {
        let mut tree = Self::default();
        tree.root = tree.table_of(document);
        tree
    }

    fn table_of(&mut self, table: DeTable<'a>) -> Part {
        let pairs: Vec<Pair<'a>> = table
            .into_iter()
            .map(|(key, value)| {
                let bytes = bytes(&key.span());
                Pair { key: Key { text: key.into_inner(), bytes }, item: self.item_of(value) }
            })
            .collect();
        self.add_table(pairs).unwrap_or_default()
    }

    fn item_of(&mut self, value: Spanned<DeValue<'a>>) -> Item<'a> {
        let bytes = bytes(&value.span());
        let value = match value.into_inner() {
            DeValue::String(text) => Value::String(text),
            DeValue::Integer(integer) => Value::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok()),
            DeValue::Float(_) => Value::Float,
            DeValue::Boolean(value) => Value::Boolean(value),
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Array(array) => {
                let items: Vec<Item<'a>> = array.into_iter().map(|value| self.item_of(value)).collect();
                Value::Array(self.add_array(items))
            }
            DeValue::Table(table) => Value::Table(self.table_of(table)),
        };
        Item { value, bytes }
    }
}

fn bytes(span: &std::ops::Range<usize>) -> Part {
    Part::new(span.start, span.end)
}
