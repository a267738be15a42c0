//! Identifiers of resources. Takes them apart and puts them together so that no part can change the path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::ArmError;
use crate::transport::azure::ResourceType;

// The provider in an identifier, before the type of the resource.
const NETWORK: &str = "Microsoft.Network";
const COMPUTE: &str = "Microsoft.Compute";
/// Everything except letters, digits and `-._~()`: the name of a resource group may have parentheses.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'(').remove(b')');

impl ResourceType {
    /// Its name in sentences, its provider, and the names of the collections, outermost first.
    fn words(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::Table => ("route table", NETWORK, &["routeTables"]),
            Self::Network => ("virtual network", NETWORK, &["virtualNetworks"]),
            Self::Subnet => ("subnet", NETWORK, &["virtualNetworks", "subnets"]),
            Self::Interface => ("network interface", NETWORK, &["networkInterfaces"]),
            Self::ScaleSet => ("virtual machine scale set", COMPUTE, &["virtualMachineScaleSets"]),
        }
    }

    /// The resource type in names of permissions, such as `Microsoft.Network/virtualNetworks/subnets`.
    pub(super) fn permission(self) -> String {
        let (_, provider, collections) = self.words();
        format!("{provider}/{}", collections.join("/"))
    }
}

/// An identifier with checked parts.
#[derive(Clone, Debug)]
pub(super) struct ResourceId {
    pub(super) kind: ResourceType,
    pub(super) subscription: String,
    pub(super) group: String,
    /// One for each collection.
    pub(super) names: Vec<String>,
}

impl ResourceId {
    /// Takes an identifier apart. Ignores case in its fixed words, as Azure does.
    pub(super) fn parse(id: &str, kind: ResourceType) -> Result<Self, ArmError> {
        let (word, provider, collections) = kind.words();
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
            return Err(ArmError::odd_name(word, id));
        }
        let names = parts[8..].iter().step_by(2).map(|name| (*name).to_owned()).collect();
        Ok(Self { kind, subscription: parts[2].to_owned(), group: parts[4].to_owned(), names })
    }

    /// The parts as the crate needs them: percent-encoded, because it puts them into the path unchanged.
    pub(super) fn encoded(&self) -> Self {
        let names = self.names.iter().map(|name| encode(name)).collect();
        Self { kind: self.kind, subscription: encode(&self.subscription), group: encode(&self.group), names }
    }

    /// The name of the outermost resource.
    pub(super) fn outer(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// The name of the innermost one.
    pub(super) fn inner(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    /// Its name within a sentence, to follow an article.
    pub(super) fn named(&self) -> String {
        format!("{} {} (resource group {})", self.kind.words().0, self.names.join("/"), self.group)
    }

    /// The lock key for a write: Azure takes one write at a time for a table and for a virtual network.
    pub(super) fn lock(&self) -> String {
        let (_, provider, collections) = self.kind.words();
        lock_key(&format!(
            "/subscriptions/{}/resourceGroups/{}/providers/{provider}/{}/{}",
            self.subscription,
            self.group,
            collections[0],
            self.outer()
        ))
    }
}

/// The lock key for an identifier in a body.
pub(super) fn lock_key(id: &str) -> String {
    id.to_ascii_lowercase()
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

/// Percent-encodes a part.
fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::{ResourceId, ResourceType as Type, encode, part};

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
