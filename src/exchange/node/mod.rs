//! What can be asked of a node in one exchange, and what it answers: the small vocabulary between backends and
//! nodes. Rendered to a POSIX shell script ([`script`]) and read back from its framed output ([`reply`]); a fake node
//! in the tests answers the same vocabulary without a shell.

mod file;
mod file_reply;
mod file_script;
mod frame;
mod live;
mod part;
mod quote;
mod reply;
mod script;

pub use file::{
    Activation, Definition, FileForm, FileInquiry, FileWrite, Filed, FoundFile, FoundLink, Inspected,
    NetworkConfiguration,
};
pub use frame::Untrusted;
pub use live::LiveRoute;
pub use part::Part;
pub use reply::parse;
pub use script::{Nonce, render};

use std::net::IpAddr;

use crate::network::{Family, Prefix, Route};
use crate::resource::Token;

/// One request of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Who is this machine, and what could a route take away from it?
    Identify,
    /// The routes of one table.
    List(Listing),
    /// Which of these next hops are on-link?
    Reach(Vec<IpAddr>),
    /// Write the marker `/etc/topo/NAME`.
    WriteMarker(Marker),
    /// Remove the marker of this topology, and `/etc/topo` where it is empty then.
    RemoveMarker(String),
    /// Change routes of one table.
    Write(RouteWrite),
    /// Look at a file that makes routes last, and at what it depends on.
    Inspect(FileInquiry),
    /// Put such a file there, or take it away. Where routes are removed in the same exchange, it comes before them, and the
    /// rows that go with the file count as removed by the [`RouteWrite`] behind it.
    File(FileWrite),
}

/// Asks for the routes of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Number of the table.
    pub table: u32,
    /// Route protocols that are our mark.
    pub protocols: Vec<u8>,
    /// What the same place answered before: parts that are unchanged are not sent again.
    pub known: Option<Token>,
}

/// The marker file of a topology on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Name of the topology, also the file's name.
    pub topology: String,
    /// Lineage of the state.
    pub lineage: String,
    /// Route protocol number of our mark.
    pub protocol: u8,
}

/// Changes routes of one table, in one `ip -batch`, if nothing has moved since the plan looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteWrite {
    /// The table, and the protocols that are our mark; `known` is the guard: where our part of it differs, nothing is
    /// written.
    pub listing: Listing,
    /// Whether the guard includes the rows of others: needed where a row without our mark is changed.
    pub guard_foreign: bool,
    /// What to do, in this order.
    pub commands: Vec<RouteCommand>,
}

/// One line for `ip -batch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteCommand {
    /// What to do with the route.
    pub verb: RouteVerb,
    /// The route.
    pub route: Route,
    /// The route protocol that it gets, or for a removal the one that was seen just before.
    pub protocol: u8,
    /// The metric, where it is not the kernel's default.
    pub metric: Option<u32>,
}

/// What a [`RouteCommand`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteVerb {
    /// Add; refused by the kernel where the key is taken.
    Add,
    /// Give the row that is there another next hop or protocol; the fields are what it had, to put it back.
    Change {
        /// Next hop before.
        from: IpAddr,
        /// Protocol before.
        protocol: u8,
    },
    /// Remove; refused by the kernel where next hop or protocol differ.
    Delete,
}

/// The answer to one [`Work`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To [`Work::Identify`].
    Identity(Identity),
    /// To [`Work::List`].
    Listed(Listed),
    /// To [`Work::Reach`]: the next hops that are not on-link, and what the kernel says instead.
    NotOnLink(Vec<(IpAddr, String)>),
    /// To [`Work::WriteMarker`] and [`Work::RemoveMarker`]: an error text where it could not be done.
    Marker(Option<String>),
    /// To [`Work::Write`].
    Written(Written),
    /// To [`Work::Inspect`].
    Inspected(Inspected),
    /// To [`Work::File`].
    Filed(Filed),
    /// The node lacks what topo needs there; the only answer then.
    Lacking(String),
    /// To a question about what is live: the node could not answer it, or topo cannot read the answer. Full sentences say why
    /// and what to do next. What was asked for is neither there nor not there.
    Unknown(String),
}

/// Who a machine is, and what a route could take away from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Content of `/etc/machine-id`; empty where there is none.
    pub machine_id: String,
    /// The markers of all topologies.
    pub markers: Vec<Marker>,
    /// Address of the operator as the node's sshd sees it.
    pub peer: Option<IpAddr>,
    /// The node's own addresses.
    pub addresses: Vec<IpAddr>,
    /// DNS servers in use.
    pub resolvers: Vec<IpAddr>,
    /// Default gateways.
    pub gateways: Vec<IpAddr>,
    /// Whether it is a machine in Azure, as the asset tag of its chassis says.
    pub in_azure: bool,
}

/// The routes of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// To be compared with what the same place gives later.
    pub token: Token,
    /// Rows that carry our mark.
    pub ours: Part<Vec<LiveRoute>>,
    /// All other rows.
    pub foreign: Part<Vec<LiveRoute>>,
}

impl Listed {
    /// The rows that were sent.
    pub fn rows(&self) -> impl Iterator<Item = &LiveRoute> {
        self.ours.sent().into_iter().chain(self.foreign.sent()).flatten()
    }
}

/// What became of a [`RouteWrite`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// The guard did not hold; nothing was written.
    Moved,
    /// The way back to the operator was another after the write, so all was put back.
    PutBack {
        /// The way before, in the words of `ip route get`.
        before: String,
        /// The way after the write.
        after: String,
    },
    /// Carried out, each command or not.
    Done {
        /// The token of the table as it is now.
        token: Token,
        /// Rows of the table that are there now and were not before.
        appeared: Vec<LiveRoute>,
        /// Rows that were there before and are not now.
        vanished: Vec<LiveRoute>,
        /// What `ip` said of single commands: index into the commands, and the message.
        refused: Vec<(usize, String)>,
        /// Destinations for which another route wins over the one written: destination and next hop that were
        /// expected, and what the kernel answers.
        loses: Vec<String>,
    },
}

/// A destination in the words of `ip route`: a host prefix without its length.
pub(crate) fn destination_text(destination: &Prefix) -> String {
    let whole = match destination.family() {
        Family::V4 => 32,
        Family::V6 => 128,
    };
    if destination.is_default() {
        "default".to_owned()
    } else if destination.length() == whole {
        destination.address().to_string()
    } else {
        destination.to_string()
    }
}
