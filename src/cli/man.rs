//! `topo man`.

use clap::CommandFactory;

use super::{Cli, CommandError, Exit};
use crate::ui::Printer;

/// Write the manual page to standard output, in the form that `man` reads.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

/// Runs the command.
pub(super) fn run(_: &Arguments, printer: Printer) -> Result<Exit, CommandError> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut text)
        .map_err(|error| CommandError::new(format!("The manual page could not be made: {error}.")))?;
    printer.document(&String::from_utf8_lossy(&text));
    Ok(Exit::Done)
}
