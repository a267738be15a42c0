//! Findings about a text, with positions, as plain data.

use std::cell::RefCell;
use std::ops::{Deref, Range};

/// A text with its name for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// File name as the user gave it; `-` is standard input.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// Bytes `start..end` of one of the sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Index into the sources.
    pub file: u32,
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// A range of bytes of a source.
    pub fn new(file: usize, range: Range<usize>) -> Self {
        let narrow = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Self { file: narrow(file), start: narrow(range.start), end: narrow(range.end) }
    }
}

/// Whether the text is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is not usable.
    Error,
    /// It is usable, but the user should look at something.
    Warning,
}

impl Severity {
    /// The word for it: `error` or `warning`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the text is usable.
    pub severity: Severity,
    /// What is wrong, as a full sentence.
    pub message: String,
    /// Where.
    pub span: Span,
    /// A few words for the underline.
    pub label: String,
    /// What to do, as a full sentence.
    pub hint: Option<String>,
    /// A second position, with a few words for its underline.
    pub second: Option<(Span, String)>,
}

impl Diagnostic {
    /// An error. The label has a few words for the underline; it may be empty.
    pub fn error(span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        let (message, label) = (message.into(), label.into());
        Self { severity: Severity::Error, message, span, label, hint: None, second: None }
    }

    /// A warning.
    pub fn warning(span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message, label) }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a second position.
    #[must_use]
    pub fn second(mut self, span: Span, label: impl Into<String>) -> Self {
        self.second = Some((span, label.into()));
        self
    }

    /// Adds it to the findings.
    pub fn report_to(self, report: &Reporter) {
        report.found.borrow_mut().push(self);
    }
}

/// All findings about some sources, in the order of their positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Keeps only the wanted findings.
    pub fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        self.0.retain(keep);
    }

    /// Numbers of errors and of warnings.
    pub fn counts(&self) -> (usize, usize) {
        let errors = self.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
        (errors, self.len() - errors)
    }
}

impl Deref for Diagnostics {
    type Target = [Diagnostic];

    fn deref(&self) -> &[Diagnostic] {
        &self.0
    }
}

/// Collects findings while a document is walked; shared by all readers of its tables.
#[derive(Debug, Default)]
pub struct Reporter {
    found: RefCell<Vec<Diagnostic>>,
    /// A part of the document was not TOML, so that a missing value proves nothing.
    pub broken: bool,
}

impl Reporter {
    /// Whether there are no findings so far.
    pub fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// All findings, sorted by position, without duplicates.
    pub fn finish(self) -> Diagnostics {
        let mut list = self.found.into_inner();
        list.sort_by_key(|diagnostic| (diagnostic.span, diagnostic.severity));
        list.dedup();
        Diagnostics(list)
    }
}

/// The starts of a text's lines. A hostile text can have very many findings, so positions must be found fast.
#[derive(Clone, Debug)]
pub struct LineIndex(Vec<usize>);

impl LineIndex {
    /// Finds all lines.
    pub fn new(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The line, from 0, that a byte is on.
    pub fn line_of(&self, byte: usize) -> usize {
        self.0.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    /// The first byte of a line, from 0; none after the last line.
    pub fn start(&self, line: usize) -> Option<usize> {
        self.0.get(line).copied()
    }

    /// The number of lines. The part after the last line end counts, even if it is empty.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}
