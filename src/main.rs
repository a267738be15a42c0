//! The command line of topo.

fn main() -> topo::exit::Exit {
    topo::cli::main()
}
