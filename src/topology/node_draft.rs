//! The nodes of a document as read, before they are checked.

use std::ops::Range;

use super::diagnostics::Span;
use super::reader::Located;

/// A value of a node.
pub(super) struct OfNode<T> {
    pub(super) value: T,
    /// Index of the node.
    pub(super) node: u32,
    pub(super) span: Span,
}

impl<T> OfNode<T> {
    pub(super) fn new(Located { value, span }: Located<T>, node: u32) -> Self {
        Self { value, node, span }
    }
}

pub(super) struct NodeDraft<'a> {
    pub(super) name: Located<&'a str>,
    pub(super) addresses: Range<usize>,
    pub(super) pods: Range<usize>,
    pub(super) settings: SettingsDraft<'a>,
    /// Whether some of its addresses were unreadable, so that a missing address proves nothing.
    pub(super) damaged: bool,
}

impl AsRef<str> for NodeDraft<'_> {
    fn as_ref(&self) -> &str {
        self.name.value
    }
}

/// The settings of a node or a group.
#[derive(Clone, Copy, Default)]
pub(super) struct SettingsDraft<'a> {
    pub(super) host: Option<Located<&'a str>>,
    pub(super) port: Option<Located<u16>>,
    pub(super) user: Option<Located<&'a str>>,
    pub(super) sudo: Option<Located<bool>>,
    pub(super) interface: Option<Located<&'a str>>,
}
