//! Backends: what each puts in place, and how. Pure: text in, text out.

pub mod exchange;
