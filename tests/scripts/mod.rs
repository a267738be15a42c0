//! The scripts that topo runs on nodes, in a namespace, while their commands go wrong.

mod attributes;
mod cases;
mod folders;
mod looks;
mod machine;
mod runs;
mod winners;
mod words;
