//! How text looks: colours and widths.

use crate::resource::Action;

/// Text lists the adds and imports of one change up to this number, and counts the rest.
pub(super) const LISTED: usize = 20;

/// How text looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether to colour with ANSI sequences.
    pub color: bool,
    /// Number of columns that prose is broken at.
    pub width: usize,
}

impl Default for Look {
    fn default() -> Self {
        Self { color: false, width: 80 }
    }
}

impl Look {
    /// Paints a text in a style: a parameter of ANSI's SGR sequence.
    pub(super) fn paint(self, style: &str, text: &str) -> String {
        if self.color && !style.is_empty() { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Paints each line by itself, so that a pager that shows part of the text shows it right.
    pub(super) fn paint_lines(self, style: &str, text: &str) -> String {
        text.lines().map(|line| self.paint(style, line) + "\n").collect()
    }
}

/// Headings.
pub(super) const BOLD: &str = "1";
/// What is of minor interest.
pub(super) const DIM: &str = "2";

/// The style of a line of the plan.
pub(super) fn style(action: Action) -> &'static str {
    match action {
        Action::Import => "36",
        Action::Add => "32",
        Action::Change => "33",
        Action::Remove => "31",
        Action::Forget => DIM,
    }
}
