//! The one error type of the command line.

use crate::exit::Exit;
use crate::report::Event;
use crate::resource::Refusal;
use crate::ui::Printer;

/// An error as the user sees it: full sentences that say what happened, where, and what to do next.
#[derive(Clone, Debug)]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// What happened, in full sentences. Empty if everything has been said already.
    pub message: String,
    /// What to do next, one sentence each.
    pub hints: Vec<String>,
}

impl From<Refusal> for CommandError {
    fn from(Refusal { message, hints }: Refusal) -> Self {
        Self { exit: Exit::NothingChanged, message, hints }
    }
}

impl CommandError {
    /// An error before anything was changed.
    pub fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::NothingChanged, message: message.into(), hints: Vec::new() }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same error with another exit code.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Prints the error, and returns the exit code.
    pub fn report(self, printer: Printer) -> Exit {
        if !self.message.is_empty() {
            printer.event(Event::Error { text: self.message.clone(), hints: self.hints.clone() });
            let (start, end) = if printer.colors_err() { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
            printer.note(&format!("{start}Error:{end} {}", self.message));
            for hint in &self.hints {
                printer.note(&format!("  Hint: {hint}"));
            }
        }
        self.exit
    }
}
