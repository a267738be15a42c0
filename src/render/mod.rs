//! Plans and states in text and JSON: pure functions.

mod azure;
pub mod json;
mod result;
pub mod sentence;
pub mod style;
pub mod text;
mod words;

#[cfg(test)]
mod tests;
