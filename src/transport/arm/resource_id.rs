//! Identifiers of resources. Takes them apart and puts them together so that no part can change the path.

use super::error::ArmError;

// The provider in an identifier, before the type of the resource.
const NETWORK: &str = "Microsoft.Network";
const COMPUTE: &str = "Microsoft.Compute";

/// A kind of resource that topo asks for by identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Table,
    Network,
    Subnet,
    Interface,
    Machine,
    ScaleSet,
}

impl Type {
    /// Provider and the names of the collections, outermost first.
    fn path(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Table => (NETWORK, &["routeTables"]),
            Self::Network => (NETWORK, &["virtualNetworks"]),
            Self::Subnet => (NETWORK, &["virtualNetworks", "subnets"]),
            Self::Interface => (NETWORK, &["networkInterfaces"]),
            Self::Machine => (COMPUTE, &["virtualMachines"]),
            Self::ScaleSet => (COMPUTE, &["virtualMachineScaleSets"]),
        }
    }

    /// Its name in sentences.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Table => "route table",
            Self::Network => "virtual network",
            Self::Subnet => "subnet",
            Self::Interface => "network interface",
            Self::Machine => "virtual machine",
            Self::ScaleSet => "virtual machine scale set",
        }
    }

    /// The resource type in names of permissions, such as `Microsoft.Network/virtualNetworks/subnets`.
    pub(super) fn resource_type(self) -> String {
        let (provider, collections) = self.path();
        format!("{provider}/{}", collections.join("/"))
    }
}

/// An identifier with checked parts.
#[derive(Clone, Debug)]
pub(super) struct ResourceId {
    pub(super) kind: Type,
    pub(super) subscription: String,
    pub(super) group: String,
    /// One for each collection.
    pub(super) names: Vec<String>,
}

impl ResourceId {
    /// Takes an identifier apart. Ignores case in its fixed words, as Azure does.
    pub(super) fn parse(id: &str, kind: Type) -> Result<Self, ArmError> {
        let (provider, collections) = kind.path();
        let parts: Vec<&str> = id.split('/').collect();
        let mut expected = vec![Some(""), Some("subscriptions"), None, Some("resourceGroups"), None, Some("providers")];
        expected.push(Some(provider));
        expected.extend(collections.iter().flat_map(|name| [Some(*name), None]));
        let fits = parts.len() == expected.len()
            && parts.iter().zip(&expected).all(|(part, word)| match word {
                Some(word) => part.eq_ignore_ascii_case(word),
                None => is_part(part),
            });
        if !fits {
            return Err(ArmError::odd_name(kind.word(), id));
        }
        let names = parts[8..].iter().step_by(2).map(|name| (*name).to_owned()).collect();
        Ok(Self { kind, subscription: parts[2].to_owned(), group: parts[4].to_owned(), names })
    }

    /// The parts as the crate needs them: percent-encoded, because it puts them into the path unchanged.
    pub(super) fn encoded(&self) -> Encoded {
        let names = self.names.iter().map(|name| encode(name)).collect();
        Encoded { subscription: encode(&self.subscription), group: encode(&self.group), names }
    }

    /// Its name at the start of a sentence.
    pub(super) fn subject(&self) -> String {
        format!("The {}", self.named())
    }

    /// Its name within a sentence, to follow an article.
    pub(super) fn named(&self) -> String {
        format!("{} {} (resource group {})", self.kind.word(), self.names.join("/"), self.group)
    }

    /// The lock key for a write: Azure takes one write at a time for a table and for a virtual network.
    pub(super) fn lock(&self) -> String {
        let (provider, collections) = self.kind.path();
        lock_key(&format!(
            "/subscriptions/{}/resourceGroups/{}/providers/{provider}/{}/{}",
            self.subscription, self.group, collections[0], self.names[0]
        ))
    }
}

/// The lock key for an identifier in a body.
pub(super) fn lock_key(id: &str) -> String {
    id.to_ascii_lowercase()
}

/// Percent-encoded parts.
#[derive(Clone, Debug)]
pub(super) struct Encoded {
    pub(super) subscription: String,
    pub(super) group: String,
    names: Vec<String>,
}

impl Encoded {
    /// The name of the outermost resource.
    pub(super) fn outer(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// The name of the innermost one.
    pub(super) fn inner(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }
}

/// Percent-encodes a part that stands alone, such as a location.
pub(super) fn part(what: &'static str, text: &str) -> Result<String, ArmError> {
    if is_part(text) { Ok(encode(text)) } else { Err(ArmError::odd_name(what, text)) }
}

/// Whether a text can be one part of a path: no `.` or `..`, no separators, no invisible characters.
fn is_part(text: &str) -> bool {
    let moves = text.is_empty() || text == "." || text == "..";
    !moves && text.chars().count() <= 260 && !text.chars().any(|it| it.is_control() || matches!(it, '/' | '\\'))
}

/// Percent-encodes everything except letters, digits and `-._~()` (the name of a resource group may have parentheses).
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~()".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{ResourceId, Type, encode, part};

    #[test]
    fn parts_stay_parts() {
        let id = "/subscriptions/s/RESOURCEGROUPS/g?a=b#c/providers/microsoft.network/virtualNetworks/v%2e/subnets/ü d";
        let id = ResourceId::parse(id, Type::Subnet).unwrap();
        let encoded = id.encoded();
        assert_eq!(
            (encoded.group.as_str(), encoded.outer(), encoded.inner()),
            ("g%3Fa%3Db%23c", "v%252e", "%C3%BC%20d")
        );
        assert_eq!(encode("a-b_c.d~(e)"), "a-b_c.d~(e)");
        for odd in ["", ".", "..", "a/b", "a\\b", "a\nb", "a\u{9b}b"] {
            assert!(part("location", odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn an_identifier_of_something_else_is_refused() {
        for (id, kind) in [
            ("", Type::Table),
            ("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/routeTables", Type::Table),
            ("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/routeTables/", Type::Table),
            ("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/routeTables/..", Type::Table),
            ("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/routeTables/t/routes/r", Type::Table),
            ("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v", Type::Subnet),
            ("https://a/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/routeTables/t", Type::Table),
        ] {
            assert!(ResourceId::parse(id, kind).is_err(), "{id}");
        }
    }
}
