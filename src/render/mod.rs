//! Plans and runs as text and as JSON: pure functions.

pub mod json;
mod names;
mod result;
pub mod sentence;
pub mod style;
pub mod text;
mod words;

#[cfg(test)]
mod tests;
