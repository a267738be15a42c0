//! What is live, as far as somebody looked.

use std::net::IpAddr;

use crate::exchange::node::{Identity, Inspected, Listed};

/// What was seen of one place.
#[derive(Clone, Debug, Default)]
pub enum Observation {
    /// Nobody looked.
    #[default]
    NotAsked,
    /// It could not be reached; the sentence says why.
    Unreachable(String),
    /// It answered.
    Seen(Box<Seen>),
}

/// The answers of a node.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Who it is.
    pub identity: Identity,
    /// Its routing tables that were asked for: number and rows.
    pub tables: Vec<(u32, Listed)>,
    /// Next hops that are not on-link, and what the kernel says instead.
    pub not_on_link: Vec<(IpAddr, String)>,
    /// Files that keep routes, by name, and what they depend on.
    pub files: Vec<(String, Inspected)>,
}

impl Observation {
    /// The answers, where there are some.
    pub fn seen(&self) -> Option<&Seen> {
        match self {
            Self::Seen(seen) => Some(seen),
            _ => None,
        }
    }
}

impl Seen {
    /// What was found of a file.
    pub fn file(&self, name: &str) -> Option<&Inspected> {
        self.files.iter().find(|(file, _)| file == name).map(|(_, inspected)| inspected)
    }

    /// What was listed of a table.
    pub fn table(&self, number: u32) -> Option<&Listed> {
        self.tables.iter().find(|(table, _)| *table == number).map(|(_, listed)| listed)
    }
}
