//! The look of text: colours and widths.

use crate::resource::Action;

/// Text lists so many adds or imports of one change, and counts the rest.
pub(super) const LISTED: usize = 20;

/// The look of text.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether to colour with ANSI sequences.
    pub color: bool,
    /// Number of columns for sentences.
    pub width: usize,
}

impl Default for Look {
    fn default() -> Self {
        Self { color: false, width: 80 }
    }
}

impl Look {
    /// Paints a text. The style is a parameter of ANSI's SGR sequence.
    pub(super) fn paint(self, style: &str, text: &str) -> String {
        if self.color && !style.is_empty() { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Paints each line by itself: a pager may show only a part of the text.
    pub(super) fn paint_lines(self, style: &str, text: &str) -> String {
        text.lines().map(|line| self.paint(style, line) + "\n").collect()
    }
}

/// Headings.
pub(super) const BOLD: &str = "1";
/// Details.
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
