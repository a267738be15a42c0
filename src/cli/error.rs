//! The one error type of the command line.

use serde::Serialize;

use crate::exit::Exit;
use crate::ui::Printer;

/// An error as the user sees it: a full sentence on what happened and where, and what to do next.
#[derive(Clone, Debug)]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// What happened, in full sentences. Empty where all has been said already.
    pub message: String,
    /// What to do next, a sentence each.
    pub hints: Vec<String>,
}

impl CommandError {
    /// An error after which nothing was changed.
    pub fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::NothingChanged, message: message.into(), hints: Vec::new() }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// With another exit code.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Prints it, and gives back the exit code.
    pub fn report(self, printer: Printer) -> Exit {
        #[derive(Serialize)]
        struct Event<'a> {
            r#type: &'static str,
            message: &'a str,
            hints: &'a [String],
        }
        if !self.message.is_empty() {
            printer.event(&Event { r#type: "error", message: &self.message, hints: &self.hints });
            let (start, end) = if printer.colors_err() { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
            printer.note(&format!("{start}Error:{end} {}", self.message));
            for hint in &self.hints {
                printer.note(&format!("  Hint: {hint}"));
            }
        }
        self.exit
    }
}
