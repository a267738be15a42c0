//! The first line of topo's files: whose they are.

/// The owner of a file, from its first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The topology's name.
    pub topology: String,
    /// The lineage of its state.
    pub lineage: String,
}

/// The start of the first line of every file of topo.
const SIGNATURE: &str = "# Written by topo for topology ";

impl Header {
    /// The first line.
    pub(super) fn line(&self) -> String {
        format!(
            "{SIGNATURE}{}, lineage {}. What is changed here by hand, topo changes back.\n",
            self.topology, self.lineage
        )
    }

    /// Reads the first line of a file; none if topo did not write it.
    pub fn read(text: &str) -> Option<Self> {
        let rest = text.lines().next()?.strip_prefix(SIGNATURE)?;
        let (topology, rest) = rest.split_once(", lineage ")?;
        let lineage: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
        Some(Self { topology: topology.to_owned(), lineage })
    }
}

/// Whose a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// A file of this topology, of this state or of the one that it replaces.
    Ours,
    /// A file of this topology, with the lineage of another state.
    OtherLineage(String),
    /// A file of another topology.
    OtherTopology(String),
    /// A file that topo did not write.
    Somebodys,
}

impl Whose {
    /// Whose a file with this content is, seen by the owner of a header. A new lineage owns the files of the lost one.
    pub(super) fn of(text: &str, header: &Header, new_lineage: bool) -> Self {
        match Header::read(text) {
            None => Self::Somebodys,
            Some(found) if found.topology != header.topology => Self::OtherTopology(found.topology),
            Some(found) if found.lineage != header.lineage && !new_lineage => Self::OtherLineage(found.lineage),
            Some(_) => Self::Ours,
        }
    }
}
