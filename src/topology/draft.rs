//! The document as read, before it is checked.

use std::net::IpAddr;

use super::diagnostics::Span;
use super::format::{TableFormat, TableRead};
use super::node_draft::{NodeDraft, OfNode, SettingsDraft};
use super::reader::Located;
use crate::network::Prefix;
use crate::resource::Name;

/// The readable part of the document. Addresses and pod subnets are flat lists, so that checks can sort them.
#[derive(Default)]
pub(super) struct Draft<'a> {
    pub(super) name: Option<Name>,
    pub(super) decommissioned: Vec<Located<&'a str>>,
    pub(super) subnets: Vec<SubnetDraft<'a>>,
    /// Sorted by name.
    pub(super) nodes: Vec<NodeDraft<'a>>,
    pub(super) addresses: Vec<OfNode<IpAddr>>,
    pub(super) pods: Vec<OfNode<Prefix>>,
    pub(super) groups: Vec<GroupDraft<'a>>,
    /// The settings for all nodes: how to log in.
    pub(super) ssh: SettingsDraft<'a>,
    pub(super) backends: Vec<BackendDraft<'a>>,
    /// Whether there is a table of a backend, valid or not.
    pub(super) has_backends: bool,
}

impl Draft<'_> {
    /// The addresses of a node.
    pub(super) fn addresses_of(&self, node: &NodeDraft<'_>) -> impl Iterator<Item = IpAddr> {
        self.addresses[node.addresses.clone()].iter().map(|address| address.value)
    }

    /// The pod subnets of a node.
    pub(super) fn pods_of(&self, node: &NodeDraft<'_>) -> impl Iterator<Item = Prefix> {
        self.pods[node.pods.clone()].iter().map(|pod| pod.value)
    }
}

pub(super) struct SubnetDraft<'a> {
    pub(super) name: Located<&'a str>,
    pub(super) cidr: Vec<Located<Prefix>>,
    pub(super) gateway: Vec<Located<IpAddr>>,
    pub(super) routed: bool,
    /// The position of `on_link = true`.
    pub(super) on_link: Option<Span>,
    /// Whether a part of it was unreadable, so that a missing value proves nothing.
    pub(super) damaged: bool,
}

pub(super) struct GroupDraft<'a> {
    pub(super) name: Located<&'a str>,
    pub(super) patterns: Vec<Located<&'a str>>,
    pub(super) settings: SettingsDraft<'a>,
}

/// A table of a backend.
pub(super) struct BackendDraft<'a> {
    pub(super) name: Located<&'a str>,
    pub(super) format: &'static dyn TableFormat,
    /// None: all nodes.
    pub(super) patterns: Option<Vec<Located<&'a str>>>,
    pub(super) read: TableRead,
}
