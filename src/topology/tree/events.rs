//! Makes a tree from the events of `toml_parser`, for a document without errors. Gives up on rare forms (dotted keys, arrays of
//! tables, dates) and on everything that `toml` reports as an error. Then `toml` has to read the document.

use std::borrow::Cow;
use std::collections::HashMap;

use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::parser::{EventReceiver, parse_document};
use toml_parser::{ErrorSink, ParseError, Raw, Source, Span};

use super::{Item, Key, Pair, Part, Tree, Value};

/// The largest depth of values inside of values, and the largest number of parts of a header. `toml` allows more.
const DEEPEST: usize = 16;

pub(super) fn read(text: &str) -> Option<Tree<'_>> {
    let source = Source::new(text);
    let mut error: Option<ParseError> = None;
    let mut builder = Builder::new(source);
    parse_document(&source.lex().into_vec(), &mut builder, &mut error);
    if error.is_none() { builder.finish() } else { None }
}

struct Builder<'a> {
    source: Source<'a>,
    tree: Tree<'a>,
    /// The document has something that this builder does not read.
    gave_up: bool,
    /// Tables with a header, and tables that occur only in the headers of others. The root is the first one. Each section
    /// comes after the section around it.
    sections: Vec<Section<'a>>,
    /// The sections inside of a section, by name.
    inside: HashMap<(usize, &'a str), usize>,
    /// The section of the last header.
    current: usize,
    /// An unfinished header: its first byte, and its parts so far.
    header: Option<(usize, Vec<Key<'a>>)>,
    /// Unfinished tables and arrays. The innermost is the last one.
    open: Vec<Open<'a>>,
    /// The key of the next value.
    key: Option<Key<'a>>,
    /// Pairs of the current section, then those of unfinished tables.
    pairs: Vec<Pair<'a>>,
    /// Elements of unfinished arrays.
    elements: Vec<Item<'a>>,
}

#[derive(Default)]
struct Section<'a> {
    /// None for the root.
    key: Option<Key<'a>>,
    /// The section around it.
    parent: usize,
    /// The position of its header or, without a header, of its name.
    bytes: Part,
    has_header: bool,
    pairs: Vec<Pair<'a>>,
}

/// An unfinished table or array.
struct Open<'a> {
    is_table: bool,
    /// The index of its first pair or element.
    first: usize,
    /// Its first byte.
    start: usize,
    /// Its key in the table around it.
    key: Option<Key<'a>>,
}

impl<'a> Builder<'a> {
    fn new(source: Source<'a>) -> Self {
        let length = source.input().len();
        Self {
            source,
            // A node takes a line of about a hundred bytes, with three pairs and four elements.
            tree: Tree {
                pairs: Vec::with_capacity(length / 32),
                elements: Vec::with_capacity(length / 24),
                ..Tree::default()
            },
            gave_up: false,
            sections: vec![Section::default()],
            inside: HashMap::new(),
            current: 0,
            header: None,
            open: Vec::new(),
            key: None,
            pairs: Vec::with_capacity(length / 96),
            elements: Vec::new(),
        }
    }

    fn finish(mut self) -> Option<Tree<'a>> {
        self.end_section();
        if self.gave_up {
            return None;
        }
        let Self { mut tree, mut sections, .. } = self;
        while let Some(section) = sections.pop() {
            let part = tree.add_table(section.pairs)?;
            let Some(key) = section.key else {
                tree.root = part;
                break;
            };
            let item = Item { value: Value::Table(part), bytes: section.bytes };
            sections.get_mut(section.parent)?.pairs.push(Pair { key, item });
        }
        Some(tree)
    }

    /// Gives the current section its pairs.
    fn end_section(&mut self) {
        self.gave_up |= !self.open.is_empty() || self.key.is_some() || self.header.is_some();
        if let Some(section) = self.sections.get_mut(self.current).filter(|_| !self.pairs.is_empty()) {
            section.pairs.append(&mut self.pairs);
        }
    }

    /// Enters the section of a header. None: it occurred before, or has a rare form.
    fn start_section(&mut self, bytes: Part, path: Vec<Key<'a>>) -> Option<()> {
        let depth = path.len();
        if depth == 0 || depth > DEEPEST {
            return None;
        }
        let mut at = 0;
        for (number, key) in path.into_iter().enumerate() {
            let Cow::Borrowed(name) = key.text else { return None };
            let parent = at;
            let next = self.sections.len();
            at = *self.inside.entry((parent, name)).or_insert(next);
            let has_header = number + 1 == depth;
            let bytes = if has_header { bytes } else { key.bytes };
            if at == next {
                self.sections.push(Section { key: Some(key), parent, bytes, has_header, pairs: Vec::new() });
            } else if has_header {
                let section = self.sections.get_mut(at)?;
                if section.has_header {
                    return None;
                }
                (section.key, section.bytes, section.has_header) = (Some(key), bytes, true);
            }
        }
        self.current = at;
        Some(())
    }

    fn text(&self, span: Span) -> &'a str {
        self.source.input().get(span.start()..span.end()).unwrap_or_default()
    }

    /// Reads a key.
    fn key_of(&self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) -> Key<'a> {
        let text = self.text(span);
        let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let plain = match encoding {
            None => (!text.is_empty() && text.bytes().all(is_bare)).then_some(text),
            Some(encoding) => without_quotes(text, encoding),
        };
        let text = plain.map_or_else(
            || {
                let mut decoded = Cow::Borrowed("");
                Raw::new_unchecked(text, encoding, span).decode_key(&mut decoded, error);
                decoded
            },
            Cow::Borrowed,
        );
        Key { text, bytes: bytes(span) }
    }

    /// Reads a string, a number, or another value without parts.
    fn scalar_of(&self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) -> Option<Value<'a>> {
        let text = self.text(span);
        if let Some(plain) = encoding.and_then(|encoding| without_quotes(text, encoding)) {
            return Some(Value::String(Cow::Borrowed(plain)));
        }
        let mut decoded = Cow::Borrowed("");
        match Raw::new_unchecked(text, encoding, span).decode_scalar(&mut decoded, error) {
            ScalarKind::String => Some(Value::String(decoded)),
            ScalarKind::Boolean(value) => Some(Value::Boolean(value)),
            ScalarKind::Float => Some(Value::Float),
            ScalarKind::Integer(radix) => Some(Value::Integer(i64::from_str_radix(&decoded, radix.value()).ok())),
            // Its parts have to be checked.
            ScalarKind::DateTime => None,
        }
    }

    /// Takes a value into the innermost unfinished table or array.
    fn take(&mut self, key: Option<Key<'a>>, value: Option<Value<'a>>, bytes: Part) {
        let in_array = self.open.last().is_some_and(|open| !open.is_table);
        match (key, value) {
            (None, Some(value)) if in_array => self.elements.push(Item { value, bytes }),
            (Some(key), Some(value)) if !in_array => self.pairs.push(Pair { key, item: Item { value, bytes } }),
            _ => self.gave_up = true,
        }
    }

    /// Starts a table or an array; tells whether to read it.
    fn start(&mut self, is_table: bool, span: Span) -> bool {
        self.gave_up |= self.open.len() == DEEPEST;
        let first = if is_table { self.pairs.len() } else { self.elements.len() };
        let key = self.key.take();
        self.open.push(Open { is_table, first, start: span.start(), key });
        !self.gave_up
    }

    fn end(&mut self, is_table: bool, span: Span) {
        let open = self.open.pop().filter(|open| open.is_table == is_table && self.key.is_none());
        let Some(Open { first, start, key, .. }) = open else {
            self.gave_up = true;
            return;
        };
        let value = if is_table {
            self.tree.add_table(self.pairs.drain(first..)).map(Value::Table)
        } else {
            Some(Value::Array(self.tree.add_array(self.elements.drain(first..))))
        };
        self.take(key, value, Part::new(start, span.end()));
    }
}

impl EventReceiver for Builder<'_> {
    fn std_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.end_section();
        self.header = Some((span.start(), Vec::with_capacity(2)));
    }

    fn std_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        let section = self.header.take();
        let entered = section.and_then(|(start, path)| self.start_section(Part::new(start, span.end()), path));
        self.gave_up |= entered.is_none();
    }

    fn array_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.gave_up = true;
    }

    fn inline_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.start(true, span)
    }

    fn inline_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.end(true, span);
    }

    fn array_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.start(false, span)
    }

    fn array_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.end(false, span);
    }

    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        let key = self.key_of(span, encoding, error);
        match &mut self.header {
            Some((_, path)) => path.push(key),
            // A dotted key.
            None => self.gave_up |= self.key.replace(key).is_some(),
        }
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        let (key, value) = (self.key.take(), self.scalar_of(span, encoding, error));
        self.take(key, value, bytes(span));
    }

    fn comment(&mut self, span: Span, error: &mut dyn ErrorSink) {
        Raw::new_unchecked(self.text(span), None, span).decode_comment(error);
    }

    fn newline(&mut self, span: Span, error: &mut dyn ErrorSink) {
        Raw::new_unchecked(self.text(span), None, span).decode_newline(error);
    }

    fn error(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.gave_up = true;
    }
}

/// The text of a string on one line. None: it has escapes, or characters that a string cannot have.
fn without_quotes(text: &str, encoding: Encoding) -> Option<&str> {
    let quote = match encoding {
        Encoding::BasicString => '"',
        Encoding::LiteralString => '\'',
        Encoding::MlBasicString | Encoding::MlLiteralString => return None,
    };
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let is_plain = |byte: u8| !matches!(byte, b'\\' | b'"' | b'\'' | 0..=0x1f | 0x7f);
    inner.bytes().all(is_plain).then_some(inner)
}

fn bytes(span: Span) -> Part {
    Part::new(span.start(), span.end())
}
