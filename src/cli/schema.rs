//! `topo schema`.

use crate::backend::Registry;
use crate::topology::schema;
use crate::ui::Printer;

use crate::exit::Exit;

/// Print the JSON schema of the topology, for editors.
///
/// Editors with taplo or Even Better TOML complete and check a topology if its first line is `#:schema FILE`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

/// Runs the command.
pub(super) fn run(_arguments: &Arguments, registry: &'static Registry, printer: Printer) -> Exit {
    printer.document(&schema::text(registry.formats()));
    Exit::Done
}
