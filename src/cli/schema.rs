//! `topo schema`.

use crate::backend::Registry;
use crate::report;
use crate::topology;
use crate::ui::Printer;

use crate::exit::Exit;

/// Print the JSON schema of the topology, for editors, or of the events that --json writes.
///
/// Editors with taplo or Even Better TOML complete and check a topology if its first line is `#:schema FILE`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What the schema is of.
    #[arg(value_enum, value_name = "OF", default_value_t = Of::Topology)]
    of: Of,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Of {
    /// The topology.
    Topology,
    /// The events that --json writes, one on each line.
    Events,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, registry: &'static Registry, printer: Printer) -> Exit {
    printer.document(&match arguments.of {
        Of::Topology => topology::schema::text(registry.formats()),
        Of::Events => report::schema::text(&registry.kinds(), &registry.codes()),
    });
    Exit::Done
}
