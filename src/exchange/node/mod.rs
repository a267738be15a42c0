//! The requests and replies of one exchange with a node: the small vocabulary between backends and nodes. `script`
//! renders requests to a POSIX shell script, and `reply` reads its framed output. A fake node in the tests speaks the
//! same vocabulary without a shell.

mod file;
mod file_reply;
mod file_script;
mod frame;
mod gathered;
mod kept;
mod live;
mod nonce;
mod part;
mod question;
mod quote;
mod reply;
mod route_reply;
mod script;
mod values;
mod values_reply;
mod values_script;
mod ways;
mod winners;
mod words;

pub use file::{
    Activation, Definition, FileForm, FileInquiry, FileOutcome, FileWrite, FoundFile, FoundLink, Inspected,
    NetworkConfiguration, OtherManager,
};
pub use frame::Untrusted;
pub use live::LiveRoute;
pub use nonce::Nonce;
pub use part::Part;
pub use reply::parse;
pub use script::render;
pub(crate) use values::is_device;
pub use values::{
    DeviceSetting, FileLines, FoundValues, KernelKey, ValueWrite, ValuesInquiry, ValuesSet, ValuesWrite, WholeFile,
    swap_separators,
};
pub use values_script::{LAST_SETTINGS_FILE, SETTINGS_FOLDERS};
pub use ways::{FoundWay, Packet};

use std::net::IpAddr;

use crate::network::{Family, Prefix, Route};
use crate::resource::Token;

/// One request of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Asks which machine this is, and what a route could cut off from it.
    Identify,
    /// Asks for the routes of one table.
    List(Listing),
    /// Asks which of these next hops are on-link.
    Reach(Vec<IpAddr>),
    /// Asks which device leads to each of these gateways.
    Devices(Vec<IpAddr>),
    /// Asks which ways packets take, by all rules of the kernel.
    Ways(Vec<Packet>),
    /// Asks which files of others name these destinations.
    Kept(Vec<Prefix>),
    /// Writes the marker `/etc/topo/NAME`.
    WriteMarker(Marker),
    /// Removes the marker of this topology, and then `/etc/topo` if it is empty.
    RemoveMarker(String),
    /// Changes routes of one table.
    Write(RouteWrite),
    /// Looks at a file that keeps routes, and at what it depends on.
    Inspect(FileInquiry),
    /// Writes or removes such a file. If the same exchange removes routes, this comes before them, and rows that
    /// disappear with the file count as removed by the following [`RouteWrite`].
    File(FileWrite),
    /// Asks for settings of the kernel under `/proc/sys`, and for the files that set them.
    Values(ValuesInquiry),
    /// Sets settings of the kernel, and writes or removes one file: all of it, or nothing.
    SetValues(ValuesWrite),
}

impl Request {
    /// Whether it only asks.
    pub fn is_question(&self) -> bool {
        matches!(
            self,
            Self::Identify
                | Self::List(_)
                | Self::Reach(_)
                | Self::Devices(_)
                | Self::Ways(_)
                | Self::Kept(_)
                | Self::Inspect(_)
                | Self::Values(_)
        )
    }
}

/// Asks for the routes of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Number of the table.
    pub table: u32,
    /// Route protocols that are topo's mark.
    pub protocols: Vec<u8>,
    /// The last answer of the same place. The node does not send unchanged parts again.
    pub known: Option<Token>,
}

/// The marker file of a topology on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marker {
    /// Name of the topology, also the file's name.
    pub topology: String,
    /// Lineage of the state.
    pub lineage: String,
    /// Route protocol number of topo's mark.
    pub protocol: u8,
    /// The name of the node; older versions of topo did not write it.
    pub node: Option<String>,
    /// The machine-id when the marker was written, if it was known.
    pub machine_id: Option<String>,
    /// The serial of the state when the marker was written.
    pub serial: Option<u64>,
}

/// Changes routes of one table in one `ip -batch`, unless something has changed since the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteWrite {
    /// The table, and the protocols that are topo's mark. `known` is the guard: if topo's part differs from it, the
    /// node writes nothing.
    pub listing: Listing,
    /// Whether the guard covers the rows of others: necessary to change a row without topo's mark.
    pub guard_foreign: bool,
    /// The commands, in this order.
    pub commands: Vec<RouteCommand>,
}

/// One line for `ip -batch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteCommand {
    /// What to do with the route.
    pub verb: RouteVerb,
    /// The route.
    pub route: Route,
    /// Its new route protocol; for a removal, the protocol seen just before.
    pub protocol: u8,
    /// The metric, if it is not the kernel's default.
    pub metric: Option<u32>,
    /// The device on which the next hop answers though no prefix contains it (`onlink`). None: the kernel finds the device.
    pub on_link: Option<Box<str>>,
}

/// What a [`RouteCommand`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteVerb {
    /// Adds a route. The kernel refuses if the key is taken.
    Add,
    /// Changes the next hop or protocol of an existing row. The fields have the old values, to restore it.
    Change {
        /// The old next hop.
        from: IpAddr,
        /// Protocol before.
        protocol: u8,
        /// The device of the old next hop, if that was on-link without a prefix.
        on_link: Option<Box<str>>,
    },
    /// Removes a route. The kernel refuses if next hop or protocol differ.
    Delete,
}

/// The answer to one [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To [`Request::Identify`].
    Identity(Identity),
    /// To [`Request::List`].
    Listed(Listed),
    /// To [`Request::Reach`].
    Reached {
        /// The next hops that are not on-link, and the kernel's answer for each.
        not_on_link: Vec<(IpAddr, String)>,
        /// Those behind a tunnel, each with its device.
        tunnels: Vec<(IpAddr, String)>,
    },
    /// To [`Request::Ways`]: one for each packet.
    Ways(Vec<FoundWay>),
    /// To [`Request::Kept`]: the destinations that files name, each with the path of the file.
    Kept(Vec<(Prefix, String)>),
    /// To [`Request::Devices`]: the device of each gateway. Gateways to which the kernel knows no way are missing.
    Devices(Vec<(IpAddr, Box<str>)>),
    /// To [`Request::WriteMarker`] and [`Request::RemoveMarker`]: an error text if it failed.
    Marker(Option<String>),
    /// To [`Request::Write`].
    RouteOutcome(RouteOutcome),
    /// To [`Request::Inspect`].
    Inspected(Inspected),
    /// To [`Request::File`].
    FileOutcome(FileOutcome),
    /// To [`Request::Values`].
    Values(FoundValues),
    /// To [`Request::SetValues`].
    ValuesSet(ValuesSet),
    /// The only answer if the node lacks what topo needs there.
    Lacking(String),
    /// A command failed on the node, or topo cannot read the answer. Full sentences say why and what to do next. What a question
    /// asked for is neither there nor not there, and a write may have been made, completely or partly.
    Unknown(String),
}

/// The identity of a machine, and what a route could cut off from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Content of `/etc/machine-id`; empty if there is none.
    pub machine_id: String,
    /// The id of the user in whose name the questions were asked; none for root.
    pub user: Option<u32>,
    /// The markers of all topologies.
    pub markers: Vec<Marker>,
    /// Address of the operator according to the node's sshd.
    pub peer: Option<IpAddr>,
    /// The node's own addresses.
    pub addresses: Vec<IpAddr>,
    /// The subnets of these addresses.
    pub networks: Vec<Prefix>,
    /// DNS servers in use.
    pub resolvers: Vec<IpAddr>,
    /// Default gateways.
    pub gateways: Vec<IpAddr>,
    /// All rules of each address family that has others than the kernel has by itself.
    pub rules: Vec<Rule>,
    /// The addresses with their devices, if there are such rules.
    pub on_devices: Vec<OnDevice>,
    /// Whether it is a machine in Azure, according to the asset tag of its chassis.
    pub in_azure: bool,
}

/// A rule that says for which packets a routing table counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The address family.
    pub family: Family,
    /// The rule as `ip -N rule show` prints it, with its action in words: `32765: from 10.200.0.0/24 lookup 100`.
    pub text: String,
}

impl Rule {
    /// The command that removes it.
    pub fn removal(&self) -> String {
        let family = if self.family == Family::V6 { " -6" } else { "" };
        let (priority, rule) = self.text.split_once(": ").unwrap_or(("", &self.text));
        format!("`ip{family} rule del {rule} priority {priority}`")
    }
}

/// An address of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDevice {
    /// The name of the device.
    pub device: String,
    /// The address.
    pub address: IpAddr,
    /// Its subnet.
    pub network: Prefix,
}

/// The routes of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The token, for comparison with later answers of the same place.
    pub token: Token,
    /// The next hops of our rows that are behind a tunnel, sorted, each with the device. The node always tells them.
    pub tunnels: Vec<(IpAddr, String)>,
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

/// The outcome of a [`RouteWrite`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteOutcome {
    /// The guard failed; nothing was written.
    Moved,
    /// The route back to the operator had changed after the write, so the node restored everything.
    PutBack {
        /// The route back before the write, in the words of `ip route get`.
        before: String,
        /// The route back after the write.
        after: String,
    },
    /// Carried out. Single commands may have failed.
    Done {
        /// The present token of the table.
        token: Token,
        /// Rows of the table that exist now and did not exist before.
        appeared: Vec<LiveRoute>,
        /// Rows that existed before and do not exist now.
        vanished: Vec<LiveRoute>,
        /// What `ip` said about single commands: index of the command, and the message.
        refused: Vec<(usize, String)>,
        /// Destinations where another route wins over the written one: the expected destination and next hop, and the
        /// kernel's answer.
        loses: Vec<String>,
    },
}

/// A destination in the words of `ip route`: a host prefix has no length.
pub(crate) fn destination_text(destination: &Prefix) -> String {
    if destination.is_default() {
        "default".to_owned()
    } else if *destination == Prefix::host(destination.address()) {
        destination.address().to_string()
    } else {
        destination.to_string()
    }
}
