//! The command line of topo.

fn main() -> topo::cli::Exit {
    topo::cli::main()
}
