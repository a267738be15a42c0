//! What stands in the way of a plan, and what its reader is to know.

use std::net::IpAddr;
use std::sync::Arc;

use crate::network::Prefix;
use crate::resource::{Name, Place};

/// Somebody else has a key that the topology wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where.
    pub place: Place,
    /// What kind of resource.
    pub kind: Arc<str>,
    /// The key: a destination, the name of a file.
    pub key: Box<str>,
    /// What is there.
    pub found: String,
}

/// What the reader of a plan is to know beside the changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A place could not be reached; planned from the record.
    Unseen(Place, String),
    /// Another machine answers under a known name; planned from nothing.
    Replaced(Place),
    /// A machine has another name now.
    Renamed(Place, Place),
    /// The record of a machine is dropped without a login.
    Forgotten(Place),
    /// A wanted route is provided by somebody else and left alone.
    Provided(Place, Prefix, String),
    /// Another row wins over a wanted one.
    Wins(Place, Prefix, String),
    /// The bridge of the old owner still has a subnet that moved; its route is left for later.
    Deferred(Place, Prefix, String),
    /// A recorded row is somebody else's now and not wanted any more; its record is dropped.
    Lost(Place, Prefix, String),
    /// A row carries our mark and is neither recorded nor wanted.
    Stray(Place, Prefix, String),
    /// The machine carries the marker of this topology with another lineage: a state was lost.
    OtherLineage(Place, String),
    /// A file is there that systemd-networkd reads only at its next start, as asked.
    /// The second field says whether its routes are nowhere else, so that they are not live before that.
    NotLoaded(Place, bool),
    /// A file goes that systemd-networkd may have read, and keeps in mind until its next start.
    StaysLoaded(Place),
    /// Something about a place in Azure: the topic, and a sentence that begins with the place's name.
    Azure(Place, &'static str, String),
    /// A conflict that is left out as asked.
    Skipped(Conflict),
}

/// Why nothing may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A next hop is not on-link.
    NotOnLink(Place, IpAddr, String),
    /// A route would capture an address that the node or the operator needs: destination, address, what it is.
    Captures(Place, Prefix, IpAddr, &'static str),
    /// Another topology uses the same protocol number on the machine.
    ProtocolTaken(Place, String, u8),
    /// A state was lost, and `--new-lineage` was not given.
    LineageLost(Place),
    /// Two places of the topology are one machine.
    SameMachine(Place, Place),
    /// A machine (recorded under the second name) has the first name now, under which another one is recorded that does not
    /// answer or has left the topology: its record would be lost. Another name for the machine helps until that one is settled.
    NameTaken(Place, Place),
    /// No file can keep the routes of a node; the sentence says why and what to do.
    File(Place, String),
    /// What is wanted in Azure cannot be; the sentences say why and what to do.
    Azure(Place, String),
    /// A machine in Azure is to have routes that Azure pays no heed to: the backends that put them there, and all destinations
    /// of the topology that no route table of Azure is to have.
    InAzure(Place, Vec<Name>, Arc<[Prefix]>),
}

impl Refusal {
    /// The place that it is about.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::NotOnLink(place, ..)
            | Self::Captures(place, ..)
            | Self::ProtocolTaken(place, ..)
            | Self::LineageLost(place)
            | Self::SameMachine(place, _)
            | Self::NameTaken(place, _)
            | Self::File(place, _)
            | Self::Azure(place, _)
            | Self::InAzure(place, ..) => Some(place),
        }
    }
}
