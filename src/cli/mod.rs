//! The command line: one file per command. The doc comment of an argument is its help text.

mod apply;
mod completions;
pub(crate) mod configuration;
mod context;
mod destroy;
mod error;
mod init;
mod man;
mod plan;
mod schema;
mod state;
mod validate;

pub use error::CommandError;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::backend::operator::parse_duration;
use crate::backend::{REGISTRY, Registry};
use crate::exit::Exit;
use crate::report::Event;
use crate::ui::{ColorChoice, Printer};

/// Keeps the routes between the nodes of a network as you declare them.
#[derive(Debug, Parser)]
#[command(name = "topo", version, about, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalArguments,
    #[command(subcommand)]
    command: Command,
}

/// Options of all commands.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArguments {
    /// The path of the state file. Default: state/NAME.json beside the topology.
    #[arg(long, global = true, value_name = "PATH", env = "TOPO_STATE")]
    pub state: Option<PathBuf>,
    /// How many nodes topo talks to at once.
    #[arg(long, global = true, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub parallelism: u16,
    /// How long to wait if another run has locked the state (seconds, or with a unit: 500ms, 30s, 5m).
    #[arg(long, global = true, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    pub lock_timeout: Duration,
    /// The time limit for one try to connect to a node.
    #[arg(long, global = true, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub connect_timeout: Duration,
    /// The time limit for one exchange with a node.
    #[arg(long, global = true, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub node_timeout: Duration,
    /// Use this ssh configuration instead of ~/.ssh/config.
    #[arg(long, global = true, value_name = "FILE", env = "TOPO_SSH_CONFIG")]
    pub ssh_config: Option<PathBuf>,
    /// Check host keys against this file, and not against ssh's own.
    #[arg(long, global = true, value_name = "FILE", env = "TOPO_KNOWN_HOSTS")]
    pub known_hosts: Option<PathBuf>,
    /// Write one JSON event per line to standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
    /// Write more to standard error. Give it twice to see everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Arguments),
    Validate(validate::Arguments),
    Plan(plan::Arguments),
    Apply(apply::Arguments),
    Destroy(destroy::Arguments),
    State(state::Arguments),
    Schema(schema::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

impl Command {
    /// Whether the result is a document, also with --json: then there are no events beside it.
    fn writes_document(&self) -> bool {
        match self {
            Self::State(arguments) => arguments.writes_document(),
            Self::Schema(_) | Self::Completions(_) | Self::Man(_) => true,
            _ => false,
        }
    }
}

/// Runs the command line of this process, and returns the exit code.
pub fn main() -> Exit {
    run_with(&REGISTRY, std::env::args_os())
}

/// Commands that talk to all kinds of places.
const TALKING: [&str; 4] = ["init", "plan", "apply", "destroy"];

/// The command line and its help texts, with what these backends add to them.
fn command(registry: &Registry) -> clap::Command {
    let of_sites = registry.sites().iter().map(|site| site.help).filter(|help| !help.is_empty());
    let help = of_sites.collect::<Vec<_>>().join("\n\n");
    let with_help = |command: clap::Command, name| command.mut_subcommand(name, |it| it.after_help(help.clone()));
    let command = if help.is_empty() { Cli::command() } else { TALKING.into_iter().fold(Cli::command(), with_help) };
    let sources = registry.sites().iter().filter_map(|site| site.source.as_ref());
    command.mut_subcommand("init", |init| {
        init.mut_arg("from", |from| {
            let own = from.get_help().map(ToString::to_string).unwrap_or_default();
            from.help(sources.fold(own, |text, source| format!("{text}, or {}", source.help)))
        })
    })
}

/// Runs a command line with these backends, and returns the exit code. The first argument is the name of the program.
pub fn run_with(registry: &'static Registry, arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let mut command = command(registry);
    let matches = command.try_get_matches_from_mut(arguments);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches).map_err(|it| it.format(&mut command))) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::NothingChanged } else { Exit::Done };
        }
    };
    let printer = Printer::new(cli.global.json, cli.global.color);
    crate::ui::log(cli.global.verbose, printer);
    if !cli.command.writes_document() {
        printer.event(Event::version());
    }
    let exit = match run(cli, registry, printer) {
        Ok(exit) => exit,
        Err(error) => error.report(printer),
    };
    if crate::ui::lost_output() {
        printer.note("Error: topo could not write to standard output. Part of its output is lost.");
        return if exit == Exit::Done { Exit::NothingChanged } else { exit };
    }
    exit
}

fn run(cli: Cli, registry: &'static Registry, printer: Printer) -> Result<Exit, CommandError> {
    match cli.command {
        Command::Init(arguments) => init::run(&arguments, registry, &cli.global, printer),
        Command::Validate(arguments) => validate::run(&arguments, registry, printer),
        Command::Plan(arguments) => plan::run(&arguments, registry, &cli.global, printer),
        Command::Apply(arguments) => apply::run(&arguments, registry, &cli.global, printer),
        Command::Destroy(arguments) => destroy::run(&arguments, registry, &cli.global, printer),
        Command::State(arguments) => {
            let path = state::find(cli.global.state.as_deref())?;
            state::run(arguments, registry, &cli.global, &path, printer)
        }
        Command::Schema(arguments) => Ok(schema::run(&arguments, registry, printer)),
        Command::Completions(arguments) => Ok(completions::run(&arguments, registry, printer)),
        Command::Man(arguments) => man::run(&arguments, registry, printer),
    }
}
