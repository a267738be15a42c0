//! Why a machine of Azure cannot be a node. All texts of Azure are escaped in sentences.

use std::fmt;

use thiserror::Error;

use crate::network::Prefix;

/// How many characters of a text from Azure a sentence shows.
const LONGEST: usize = 100;

/// Why a machine cannot be a node. The sentence can follow a colon.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Unfit {
    /// Its name.
    #[error(
        "its name is not a valid name of a node. A name starts with a letter or digit, then has letters, digits, `-`, \
         `_` and `.`, at most 63 characters."
    )]
    Name,
    /// It lists no network interface.
    #[error("it has no network interface.")]
    NoInterface,
    /// Nobody knows the network interface with this name.
    #[error("its network interface `{}` does not exist.", shown(.0))]
    InterfaceMissing(String),
    /// Its network interface has no private address.
    #[error("its network interface has no private address.")]
    NoAddress,
    /// Its network interface names no subnet.
    #[error("its network interface is in no subnet.")]
    NoSubnet,
    /// Nobody knows the virtual network with this name.
    #[error("its virtual network `{}` does not exist.", shown(.0))]
    NetworkMissing(String),
    /// The virtual network does not have the subnet.
    #[error("its subnet `{}/{}` does not exist.", shown(network), shown(subnet))]
    SubnetMissing {
        /// The network.
        network: String,
        /// The subnet.
        subnet: String,
    },
    /// The subnet names no prefix.
    #[error("its subnet `{}/{}` has no address prefix.", shown(network), shown(subnet))]
    SubnetWithoutPrefix {
        /// The network.
        network: String,
        /// The subnet.
        subnet: String,
    },
    /// Its tag cannot be read.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// A prefix of its tag has a family that none of its addresses has.
    #[error(
        "its tag has the {label} prefix {prefix}, but it has no private {label} address.",
        label = .0.family().label(),
        prefix = .0
    )]
    Family(Prefix),
}

/// Why a tag is not a list of prefixes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("its tag `{}` is not a list of prefixes: {fault}", shown(tag))]
pub(super) struct TagError {
    /// The tag in its own spelling.
    pub(super) tag: String,
    /// What is wrong.
    pub(super) fault: TagFault,
}

/// What is wrong in a list of prefixes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum TagFault {
    /// There is nothing in it.
    #[error("it is empty.")]
    Empty,
    /// A word is the default route.
    #[error("`{0}` is the default route.")]
    DefaultRoute(Prefix),
    /// A word is there twice.
    #[error("`{0}` occurs twice.")]
    Twice(Prefix),
    /// A word has bits after the prefix.
    #[error("`{}` has host bits set; the prefix is `{meant}`.", shown(word))]
    HostBits {
        /// The word.
        word: String,
        /// The prefix that it begins with.
        meant: Prefix,
    },
    /// A word is no prefix.
    #[error("`{}` should look like 10.200.1.0/24.", shown(.0))]
    Syntax(String),
}

/// Two tags of one machine that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The name of the machine.
    pub(super) machine: String,
    /// Both tags with their values.
    pub(super) tags: [(String, String); 2],
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, two] = self.tags.each_ref().map(|(tag, value)| format!("`{}` = `{}`", shown(tag), shown(value)));
        let machine = shown(&self.machine);
        write!(f, "The machine `{machine}` has two different tags for its pods: {one} and {two}.")
    }
}

impl std::error::Error for Contradiction {}

/// A text from Azure, escaped and shortened for a sentence.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
