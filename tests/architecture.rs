//! How topo is built: rules that hold for all files of src, and a toy backend and a toy cloud that src does not know.

mod circles;
mod fog;
mod note;
mod order;
mod places;
mod program;
mod promises;
mod source;
mod toys;
mod words;

pub(crate) use self::source::files_below;
