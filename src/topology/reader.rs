//! Typed access to a table of the document. Reports every error with its position.

use std::fmt;
use std::ops::RangeInclusive;

use super::diagnostics::{Diagnostic, Reporter, Span};
use super::suggest::did_you_mean;
use super::tree::{Item, Pair, TableView, Tree, Value};

/// The subject of a table in messages: ``node `node-0` `` or `` `[ssh]` ``.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// The document as a whole.
    Document,
    /// A table that exists only once, by its path.
    Table(&'static str),
    /// One of many: its kind and its name.
    Named(&'static str, &'a str),
    /// The `ssh` table of one of many.
    SshOf(&'static str, &'a str),
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document => f.write_str("the topology"),
            Self::Table(path) => write!(f, "`[{path}]`"),
            Self::Named(kind, name) => write!(f, "{kind} `{name}`"),
            Self::SshOf(kind, name) => write!(f, "`ssh` of {kind} `{name}`"),
        }
    }
}

impl Subject<'_> {
    /// As the first words of a sentence.
    pub fn at_start(self) -> String {
        let text = self.to_string();
        let mut characters = text.chars();
        characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
    }
}

/// A value with its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its position.
    pub span: Span,
}

/// A key and its value in a table.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// The key.
    pub key: &'a str,
    /// The position of the key.
    pub key_span: Span,
    /// The position of the value; for a table with a header, of the header.
    pub span: Span,
    tree: &'a Tree<'a>,
    item: &'a Item<'a>,
}

impl<'a> Entry<'a> {
    fn new(file: u32, tree: &'a Tree<'a>, pair: &'a Pair<'a>) -> Self {
        let Pair { key, item } = pair;
        let (key_span, span) = (key.bytes.within(file), item.bytes.within(file));
        Self { key: &key.text, key_span, span, tree, item }
    }

    /// The key with its position.
    pub(super) fn name(&self) -> Located<&'a str> {
        Located { value: self.key, span: self.key_span }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&'a str> {
        match &self.item.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is a table.
    pub fn is_table(&self) -> bool {
        matches!(self.item.value, Value::Table(_))
    }

    /// The value as a table, or an error about the value.
    pub fn table(&self, report: &'a Reporter, subject: Subject<'a>) -> Option<TableReader<'a>> {
        if let Value::Table(part) = self.item.value {
            Some(TableReader::new(report, subject, self.key_span, self.span.file, self.tree.table(part)))
        } else {
            let mut diagnostic = wrong_type(subject, self.key, self.item, self.span, "a table");
            if !matches!(subject, Subject::SshOf(..)) {
                diagnostic.message = format!("{} must be a table.", subject.at_start());
            }
            diagnostic.report_to(report);
            None
        }
    }
}

/// Reads the keys of a table. [`TableReader::finish`] reports the keys that nobody asked for.
pub struct TableReader<'a> {
    /// Receives the findings.
    pub report: &'a Reporter,
    /// The subject of the table.
    pub subject: Subject<'a>,
    /// The position of its name.
    pub span: Span,
    first: (u32, TableView<'a>),
    // A table at the document's root can continue in other files.
    rest: Vec<(u32, TableView<'a>)>,
    known: Vec<&'static str>,
    // Number of entries with known keys.
    found: usize,
}

impl<'a> TableReader<'a> {
    /// A reader for a table of a file, named at `span`.
    pub(super) fn new(report: &'a Reporter, subject: Subject<'a>, span: Span, file: u32, table: TableView<'a>) -> Self {
        Self { report, subject, span, first: (file, table), rest: Vec::new(), known: Vec::with_capacity(8), found: 0 }
    }

    /// Adds the document's root of another file.
    pub(super) fn extend(&mut self, file: u32, table: TableView<'a>) {
        self.rest.push((file, table));
    }

    /// The table with a key at the document's root, which may be continued in other files, as one table.
    pub(super) fn section(&mut self, key: &'static str) -> Option<TableReader<'a>> {
        let mut found: Option<TableReader<'a>> = None;
        let mut count = 0;
        for entry in self.all_of(key) {
            count += 1;
            let Some(part) = entry.table(self.report, Subject::Table(key)) else { continue };
            match &mut found {
                None => found = Some(part),
                Some(first) => first.rest.push(part.first),
            }
        }
        self.know(key, count);
        found
    }

    /// Whether there is a key that is probably a misspelling of this one.
    pub(super) fn has_near(&self, key: &str) -> bool {
        self.all().any(|entry| did_you_mean(entry.key, &[key]).is_some())
    }

    /// Whether there is such a key.
    pub fn has(&self, key: &str) -> bool {
        self.all_of(key).next().is_some()
    }

    fn parts(&self) -> impl Iterator<Item = (u32, TableView<'a>)> + use<'_, 'a> {
        std::iter::once(self.first).chain(self.rest.iter().copied())
    }

    /// All entries, those of each file sorted.
    fn all(&self) -> impl Iterator<Item = Entry<'a>> + use<'_, 'a> {
        self.parts().flat_map(|(file, table)| table.pairs.iter().map(move |pair| Entry::new(file, table.tree, pair)))
    }

    /// The entries with a key: one of each file at most.
    fn all_of(&self, key: &str) -> impl Iterator<Item = Entry<'a>> {
        self.parts().filter_map(move |(file, table)| Some(Entry::new(file, table.tree, table.get(key)?)))
    }

    /// The number of pairs.
    fn count(&self) -> usize {
        self.parts().map(|(_, table)| table.pairs.len()).sum()
    }

    /// All keys, sorted. If two files have the same key, reports it and uses the first one.
    pub fn entries(&mut self) -> Vec<Entry<'a>> {
        let mut entries: Vec<Entry<'a>> = Vec::with_capacity(self.count());
        entries.extend(self.all());
        if !self.rest.is_empty() || !entries.is_sorted_by_key(|entry| entry.key) {
            entries.sort_by(|left, right| left.key.cmp(right.key));
            entries.dedup_by(|again, first| {
                let same = again.key == first.key;
                if same {
                    self.report_twice(first, again);
                }
                same
            });
        }
        entries
    }

    fn report_twice(&self, first: &Entry<'a>, again: &Entry<'a>) {
        let message = format!("The key `{}` occurs twice in {}.", again.key, self.subject);
        Diagnostic::error(again.key_span, message, "again here")
            .hint("All files of a topology together are one document. Remove one of the two keys.")
            .second(first.key_span, "first here")
            .report_to(self.report);
    }

    fn know(&mut self, key: &'static str, entries: usize) {
        if !self.known.contains(&key) {
            self.known.push(key);
            self.found += entries;
        }
    }

    /// The entry with a key. Marks the key as known.
    pub fn entry(&mut self, key: &'static str) -> Option<Entry<'a>> {
        // Most tables have few of the keys that they can have. Once these are read, nothing is left to look through.
        if self.found == self.count() && !self.known.contains(&key) {
            return None;
        }
        let mut found: Option<Entry<'a>> = None;
        let mut count = 0;
        for entry in self.all_of(key) {
            count += 1;
            match &found {
                None => found = Some(entry),
                Some(first) => self.report_twice(first, &entry),
            }
        }
        self.know(key, count);
        found
    }

    /// The value with a key, if `take` takes values of its type.
    fn value<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        take: impl FnOnce(&'a Value<'a>) -> Option<T>,
    ) -> Option<Located<T>> {
        let entry = self.entry(key)?;
        let value = take(&entry.item.value);
        if value.is_none() {
            wrong_type(self.subject, key, entry.item, entry.span, wanted).report_to(self.report);
        }
        value.map(|value| Located { value, span: entry.span })
    }

    /// A string.
    pub fn string(&mut self, key: &'static str) -> Option<Located<&'a str>> {
        self.value(key, "a string", |value| match value {
            Value::String(text) => Some(&**text),
            _ => None,
        })
    }

    /// One of some words, each with its value.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Option<Located<T>> {
        let given = self.string(key)?;
        let chosen = choices.iter().find(|(word, _)| *word == given.value);
        if chosen.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let message = format!("`{key}` of {} cannot be `{}`.", self.subject, given.value.escape_debug());
            Diagnostic::error(given.span, message, "unknown word")
                .hint(did_you_mean(given.value, &words).unwrap_or_else(|| format!("Use `{}`.", words.join("` or `"))))
                .report_to(self.report);
        }
        chosen.map(|(_, value)| Located { value: *value, span: given.span })
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &'static str) -> Option<Located<bool>> {
        self.value(key, "`true` or `false`", |value| match value {
            Value::Boolean(value) => Some(*value),
            _ => None,
        })
    }

    /// A whole number within bounds.
    pub fn integer<T: TryFrom<i64>>(&mut self, key: &'static str, bounds: RangeInclusive<i64>) -> Option<Located<T>> {
        let Located { value, span } = self.value(key, "a whole number", |value| match value {
            Value::Integer(integer) => Some(*integer),
            _ => None,
        })?;
        let value = value.filter(|value| bounds.contains(value)).and_then(|value| T::try_from(value).ok());
        if value.is_none() {
            let message = format!("`{key}` of {} is out of range.", self.subject);
            let hint = format!("Use a whole number from {} to {}.", bounds.start(), bounds.end());
            Diagnostic::error(span, message, "out of range").hint(hint).report_to(self.report);
        }
        value.map(|value| Located { value, span })
    }

    /// A string, or a list of strings. Reports and skips anything else. None if the key is missing.
    pub fn strings(&mut self, key: &'static str) -> Option<Strings<'a>> {
        let entry = self.entry(key)?;
        let (elements, is_list) = match entry.item.value {
            Value::String(_) => (std::slice::from_ref(entry.item), false),
            Value::Array(part) => (entry.tree.array(part), true),
            _ => {
                let wanted = "a string, or a list of strings";
                wrong_type(self.subject, key, entry.item, entry.span, wanted).report_to(self.report);
                (&[][..], false)
            }
        };
        Some(Strings {
            key,
            subject: self.subject,
            report: self.report,
            span: entry.span,
            is_list,
            elements: elements.iter(),
        })
    }

    /// A table inside this one.
    pub fn table(&mut self, key: &'static str, subject: Subject<'a>) -> Option<TableReader<'a>> {
        let entry = self.entry(key)?;
        entry.table(self.report, subject)
    }

    /// The keys that nobody asked for.
    pub fn unknown(&self) -> Vec<Entry<'a>> {
        if self.found == self.count() {
            return Vec::new();
        }
        self.all().filter(|entry| !self.known.contains(&entry.key)).collect()
    }

    /// Reports a missing key, unless it may be in a part that is not TOML, or there is a misspelled one, which is reported
    /// anyway.
    pub fn report_missing(&self, key: &str, example: &str) {
        if self.report.broken || self.has_near(key) {
            return;
        }
        let message = format!("{} has no `{key}`.", self.subject.at_start());
        let diagnostic = Diagnostic::error(self.span, message, format!("`{key}` is missing"))
            .hint(format!("Add for example {key} = {example}."));
        diagnostic.report_to(self.report);
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self) {
        self.finish_with(|_| None);
    }

    /// Reports the keys that nobody asked for, with the caller's hint if it has one.
    pub fn finish_with(self, hint_about: impl Fn(&Entry<'_>) -> Option<String>) {
        for entry in self.unknown() {
            let diagnostic = unknown_key(&entry, self.subject, &self.known);
            match hint_about(&entry) {
                Some(hint) => diagnostic.hint(hint),
                None => diagnostic,
            }
            .report_to(self.report);
        }
    }
}

/// A string or the strings of a list, with their positions.
pub struct Strings<'a> {
    key: &'static str,
    subject: Subject<'a>,
    report: &'a Reporter,
    /// The position of the string or the list.
    pub span: Span,
    is_list: bool,
    elements: std::slice::Iter<'a, Item<'a>>,
}

impl Strings<'_> {
    /// Whether this is a list without elements.
    pub fn is_empty_list(&self) -> bool {
        self.is_list && self.elements.as_slice().is_empty()
    }

    /// Reports a list without elements.
    pub(super) fn refuse_empty(&self, message: impl FnOnce() -> String, hint: Option<&str>) {
        if self.is_empty_list() {
            let diagnostic = Diagnostic::error(self.span, message(), "this list is empty");
            Diagnostic { hint: hint.map(str::to_owned), ..diagnostic }.report_to(self.report);
        }
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = Located<&'a str>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let element = self.elements.next()?;
            let span = element.bytes.within(self.span.file);
            if let Value::String(text) = &element.value {
                return Some(Located { value: text, span });
            }
            wrong_type(self.subject, self.key, element, span, "a list of strings").report_to(self.report);
        }
    }
}

fn wrong_type(subject: Subject<'_>, key: &str, found: &Item<'_>, span: Span, wanted: &str) -> Diagnostic {
    let found = match found.value {
        Value::String(_) => "a string",
        Value::Integer(_) => "a whole number",
        Value::Float => "a number with a fraction",
        Value::Boolean(_) => "`true` or `false`",
        Value::Datetime => "a date or time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    };
    Diagnostic::error(span, format!("`{key}` of {subject} must be {wanted}."), format!("this is {found}"))
}

/// An error about an unknown key, with a guess of the intended one.
fn unknown_key(entry: &Entry<'_>, subject: Subject<'_>, known: &[&str]) -> Diagnostic {
    let key = entry.key;
    let hint = did_you_mean(key, known).unwrap_or_else(|| {
        let list: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
        format!("Known keys: {}.", list.join(", "))
    });
    Diagnostic::error(entry.key_span, format!("There is no key `{key}` in {subject}."), "unknown key").hint(hint)
}
