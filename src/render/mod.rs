//! Plans and states in text and JSON: pure functions.
