//! `topo man`.

use super::CommandError;
use crate::backend::Registry;
use crate::exit::Exit;
use crate::ui::Printer;

/// Write a manual page to standard output, for `man` to read: topo man plan | man -l -
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The command that the page describes. Without it, the page describes topo itself.
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, registry: &Registry, printer: Printer) -> Result<Exit, CommandError> {
    let mut all = super::command(registry);
    // build() gives the subcommands their full names (`topo-plan`) and the global options.
    all.build();
    let page = match &arguments.command {
        None => all,
        Some(name) => all.find_subcommand(name).cloned().ok_or_else(|| {
            CommandError::new(format!("There is no command {name}.")).hint("`topo --help` lists the commands.")
        })?,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut text)
        .map_err(|error| CommandError::new(format!("topo could not make the manual page: {error}.")))?;
    printer.document(&String::from_utf8_lossy(&text));
    Ok(Exit::Done)
}
