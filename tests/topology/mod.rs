//! The topology: cases as folders of small files, hostile input, the schema, and the commands that need no network.

mod azure;
mod cases;
mod commands;
mod hostile;
mod netplan;
mod scale;
mod schema;
