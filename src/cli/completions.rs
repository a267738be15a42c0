//! `topo completions`.

use clap_complete::Shell;

use crate::backend::Registry;
use crate::exit::Exit;
use crate::ui::Printer;

/// Write the completions for a shell to standard output.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, registry: &Registry, printer: Printer) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(registry), "topo", &mut text);
    printer.document(&String::from_utf8_lossy(&text));
    Exit::Done
}
