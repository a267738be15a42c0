//! Findings about a text, as a report for people (miette's graphical report) and as JSON events.

use std::fmt::Write;
use std::sync::Arc;

use crate::plan;
use crate::report::{Event, Finding, Remedy, RemedyKind, SourcePosition, TOPOLOGY};
use crate::topology::{Diagnostics, LineIndex, Severity, Source, Span};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents, ThemeCharacters, ThemeStyles,
};

/// The usual width of a report, in columns.
pub const PLAIN_WIDTH: usize = 80;
/// How many findings a report for people shows. JSON has all.
const MOST_SHOWN: usize = 100;
/// How much of a line a report shows around a finding, in characters.
const LONGEST_LINE: usize = 120;
/// How much of a message a report shows, in characters.
const LONGEST_MESSAGE: usize = 600;

/// All findings as events.
pub fn events<'a>(diagnostics: &'a Diagnostics, sources: &'a [Source]) -> impl Iterator<Item = Event> {
    let names: Vec<Arc<str>> = sources.iter().map(|source| source.name.as_str().into()).collect();
    let files: Vec<LineIndex> = sources.iter().map(|source| LineIndex::new(&source.text)).collect();
    // File, line, byte and column of the previous finding: findings are sorted, and lines can be long.
    let mut before = (usize::MAX, 0, 0, 0);
    diagnostics.iter().map(move |diagnostic| {
        let (file, byte) = (diagnostic.span.file as usize, diagnostic.span.start as usize);
        if let (Some(source), Some(lines)) = (sources.get(file), files.get(file)) {
            let byte =
                (0..=byte.min(source.text.len())).rev().find(|at| source.text.is_char_boundary(*at)).unwrap_or(0);
            let line = lines.line_of(byte);
            let (from, column) = match before {
                (last_file, last_line, from, column) if (last_file, last_line) == (file, line) && from <= byte => {
                    (from, column)
                }
                _ => (lines.start(line).unwrap_or(byte), 0),
            };
            before = (file, line, byte, column + source.text[from..byte].chars().count());
        }
        let severity = match diagnostic.severity {
            Severity::Error => plan::Severity::Error,
            Severity::Warning => plan::Severity::Warning,
        };
        let edit = |hint: &String| Remedy { kind: RemedyKind::Edit, option: None, text: hint.clone() };
        let hint = diagnostic.hint.as_ref();
        let text = hint.map_or_else(|| diagnostic.message.clone(), |hint| format!("{} {hint}", diagnostic.message));
        let file = names.get(file).cloned().unwrap_or_default();
        Event::Finding(Finding {
            source: Some(SourcePosition { file, line: before.1 + 1, column: before.3 + 1 }),
            remedies: hint.map(edit).into_iter().collect(),
            ..Finding::new(severity, TOPOLOGY, text)
        })
    })
}

/// All findings as a text that ends with a line end; empty if there are none. The text contains no terminal control
/// sequences except colours. `width` is in columns.
pub fn render(diagnostics: &Diagnostics, sources: &[Source], color: bool, width: usize) -> String {
    let width = width.clamp(40, 200);
    let styles = if color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    let theme = GraphicalTheme { characters: ThemeCharacters::unicode(), styles };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(width)
        .with_wrap_lines(false)
        .without_syntax_highlighting();
    let files: Vec<Lines<'_>> = sources.iter().map(Lines::new).collect();
    let mut text = String::new();
    for diagnostic in diagnostics.iter().take(MOST_SHOWN) {
        let second = diagnostic.second.as_ref().map(|(span, label)| (*span, label.as_str()));
        let (beside, aside) = match second {
            Some(place) if place.0.file == diagnostic.span.file => (Some(place), None),
            place => (None, place),
        };
        let mut places = vec![(diagnostic.span, diagnostic.label.as_str())];
        places.extend(beside);
        let hint = diagnostic.hint.as_deref().map(|hint| wrap(&tame(&shorten(hint)), width - 8));
        let mut main = MietteDiagnostic::new(wrap(&tame(&shorten(&diagnostic.message)), width - 4));
        (main.severity, main.help) = (Some(severity(diagnostic.severity)), hint);
        // Writing to a String does not fail.
        let _ = handler.render_report(&mut text, report(main, Excerpt::new(&files, &places)).as_ref());
        if let Some(place) = aside {
            let warning = MietteDiagnostic::new("").with_severity(miette::Severity::Warning);
            let mut shown = String::new();
            let _ = handler.render_report(&mut shown, report(warning, Excerpt::new(&files, &[place])).as_ref());
            // Remove the line for the message.
            text.push_str(shown.split_once('\n').map_or("", |(_, rest)| rest));
        }
        text.push('\n');
    }
    let hidden = diagnostics.len().saturating_sub(MOST_SHOWN);
    if hidden > 0 {
        let _ = writeln!(text, "  … and {hidden} more; --json lists them all.");
    }
    text
}

fn severity(severity: Severity) -> miette::Severity {
    match severity {
        Severity::Error => miette::Severity::Error,
        Severity::Warning => miette::Severity::Warning,
    }
}

/// A finding over the lines where it is.
fn report(diagnostic: MietteDiagnostic, mut excerpt: Excerpt) -> miette::Report {
    let labels = std::mem::take(&mut excerpt.labels);
    miette::Report::new(diagnostic.with_labels(labels)).with_source_code(excerpt)
}

/// A source and its lines.
struct Lines<'a> {
    source: &'a Source,
    index: LineIndex,
}

impl<'a> Lines<'a> {
    fn new(source: &'a Source) -> Self {
        Self { source, index: LineIndex::new(&source.text) }
    }

    /// The text of a line without its end.
    fn line(&self, number: usize) -> &'a str {
        let start = self.index.start(number).unwrap_or(self.source.text.len());
        let end = self.index.start(number + 1).map_or(self.source.text.len(), |next| next - 1);
        let line = &self.source.text[start..end];
        line.strip_suffix('\r').unwrap_or(line)
    }

    /// The last line that is not empty.
    fn last(&self) -> usize {
        let last = self.index.count() - 1;
        if last > 0 && self.line(last).is_empty() { last - 1 } else { last }
    }
}

/// The lines around the findings, safe for a terminal: no control characters, no tabs, no very long lines.
#[derive(Debug, Default)]
struct Excerpt {
    name: String,
    text: String,
    blocks: Vec<Block>,
    labels: Vec<LabeledSpan>,
    /// For each label: its start in the excerpt, and its line and column in the source, from 0.
    positions: Vec<(usize, usize, usize)>,
}

/// Neighbouring lines of the source.
#[derive(Debug)]
struct Block {
    /// Bytes of the excerpt.
    start: usize,
    end: usize,
    first_line: usize,
    line_count: usize,
}

impl Excerpt {
    /// Findings in one file, the main one first.
    fn new(files: &[Lines<'_>], places: &[(Span, &str)]) -> Self {
        let mut excerpt = Self::default();
        let Some(file) = places.first().and_then(|(span, _)| files.get(span.file as usize)) else { return excerpt };
        excerpt.name = tame(&file.source.name);
        // A finding belongs to the line where it begins. The end of the text belongs to the last line.
        let lines: Vec<usize> =
            places.iter().map(|(span, _)| file.index.line_of(span.start as usize).min(file.last())).collect();
        let mut shown: Vec<usize> =
            lines.iter().flat_map(|line| line.saturating_sub(1)..=(line + 1).min(file.last())).collect();
        shown.sort_unstable();
        shown.dedup();
        // The lines of the main finding come first, whatever their position in the source.
        let mut runs: Vec<&[usize]> = shown.chunk_by(|before, after| before + 1 == *after).collect();
        if let Some(main) = runs.iter().position(|run| run.contains(&lines[0])) {
            runs.swap(0, main);
        }
        for run in runs {
            let start = excerpt.text.len();
            for number in run {
                excerpt.push_line(file, *number, places, &lines);
            }
            let end = excerpt.text.len();
            excerpt.blocks.push(Block { start, end, first_line: run[0], line_count: run.len() });
        }
        excerpt
    }

    fn push_line(&mut self, file: &Lines<'_>, number: usize, places: &[(Span, &str)], lines: &[usize]) {
        let line = file.line(number);
        let start = file.index.start(number).unwrap_or(0);
        let inside = |byte: u32| {
            let mut byte = (byte as usize).saturating_sub(start).min(line.len());
            while !line.is_char_boundary(byte) {
                byte -= 1;
            }
            byte
        };
        // Only a part of a long line, around its first finding.
        let anchor =
            places.iter().zip(lines).find(|(_, on)| **on == number).map_or(0, |((span, _), _)| inside(span.start));
        let before = line[..anchor].chars().count();
        let skipped =
            if line.chars().nth(LONGEST_LINE).is_some() { before.saturating_sub(LONGEST_LINE / 3) } else { 0 };
        let window_start = line.char_indices().nth(skipped).map_or(line.len(), |(at, _)| at);
        let window_end =
            line[window_start..].char_indices().nth(LONGEST_LINE).map_or(line.len(), |(at, _)| window_start + at);
        if window_start > 0 {
            self.text.push('…');
        }
        // The position in the excerpt of each byte that a label needs.
        let mut wanted: Vec<(usize, usize)> = Vec::new();
        let mut column = 0;
        for (at, character) in line[window_start..window_end].char_indices() {
            wanted.push((window_start + at, self.text.len()));
            if character == '\t' {
                let spaces = 4 - column % 4;
                self.text.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            } else {
                self.text.push(tame_character(character));
                column += 1;
            }
        }
        wanted.push((window_end, self.text.len()));
        if window_end < line.len() {
            self.text.push('…');
        }
        let place = |byte: usize| {
            let index = wanted.partition_point(|(at, _)| *at < byte).min(wanted.len() - 1);
            wanted[index].1
        };
        for (index, ((span, label), _)) in places.iter().zip(lines).enumerate().filter(|(_, (_, on))| **on == number) {
            let (from, to) = (inside(span.start), inside(span.end.max(span.start)));
            let (shown_from, shown_to) = (place(from), place(to.max(from)));
            let length = shown_to.saturating_sub(shown_from);
            let label = (!label.is_empty()).then(|| tame(&shorten(label)));
            let labelled = if index == 0 {
                LabeledSpan::new_primary_with_span(label, (shown_from, length))
            } else {
                LabeledSpan::new_with_span(label, (shown_from, length))
            };
            self.labels.push(labelled);
            self.positions.push((shown_from, number, line[..from].chars().count()));
        }
        self.text.push('\n');
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_before: usize,
        _context_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let offset = span.offset();
        let block = self.blocks.iter().find(|block| (block.start..block.end.max(block.start + 1)).contains(&offset));
        let block = block.filter(|block| offset + span.len() <= block.end).ok_or(MietteError::OutOfBounds)?;
        let data = self.text.as_bytes();
        // Without context, miette asks for the place to write above the lines.
        let position = self.positions.iter().find(|(at, _, _)| context_before == 0 && *at == offset);
        let (data, span, line, column) = match position {
            Some((_, line, column)) => (&data[offset..offset + span.len()], *span, *line, *column),
            None => (&data[block.start..block.end], (block.start, block.end - block.start).into(), block.first_line, 0),
        };
        Ok(Box::new(MietteSpanContents::new_named(self.name.clone(), data, span, line, column, block.line_count)))
    }
}

/// A visible character that does not control the terminal.
fn tame_character(character: char) -> char {
    match character {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => '\u{fffd}',
        _ => character,
    }
}

/// A text with only such characters.
fn tame(text: &str) -> String {
    text.chars().map(tame_character).collect()
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Breaks a text only at spaces: prefixes and names stay whole, so that users can copy them.
fn wrap(text: &str, columns: usize) -> String {
    let mut wrapped = String::with_capacity(text.len());
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > columns {
            wrapped.push('\n');
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}
