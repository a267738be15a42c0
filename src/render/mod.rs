//! Plans and states in text and JSON: pure functions.

pub mod json;
pub mod sentence;
pub mod text;
mod words;
