//! The topology: cases as folders of small files, hostile input, the schema, and the commands that need no network.

mod cases;
mod commands;
mod hostile;
mod scale;
mod schema;
