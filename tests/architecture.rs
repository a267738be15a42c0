//! How topo is built: rules that hold for all files of src.

mod circles;
mod order;
mod places;
mod source;
mod words;

pub(crate) use self::source::files_below;
