//! Valid names in Azure: "Naming rules and restrictions for Azure resources" (learn.microsoft.com,
//! azure-resource-manager/management/resource-name-rules). Names become parts of paths, so topo accepts nothing else.

/// Longest name of a route table, a subnet or a route, in characters.
pub(super) const LONGEST_NAME: usize = 80;
/// The longest start of the names of routes: every IPv4 prefix (`255-255-255-255-32`) fits after it.
pub(super) const LONGEST_PREFIX: usize = LONGEST_NAME - 18;
/// The longest name of a region, in characters: twice the longest one today.
const LONGEST_LOCATION: usize = 64;
/// The end of the table's default name, after the name of the resource group.
pub(super) const TABLE_ENDING: &str = "-routes";

/// Describes valid names of route tables and subnets to the user.
pub(super) const NAME_HINT: &str = "A name in Azure starts with a letter or digit, continues with letters, digits, `_`, `.` and `-`, ends with a letter, digit or `_`, \
     and has at most 80 characters.";

/// Whether a text is a subscription's id: a UUID.
pub fn is_subscription(text: &str) -> bool {
    let parts = || text.split('-');
    parts().map(str::len).eq([8, 4, 4, 4, 12]) && parts().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a text can be the name of a resource group. Azure accepts letters of all alphabets; topo accepts only ASCII.
pub fn is_resource_group(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_().-".contains(&byte);
    (1..=90).contains(&text.len()) && text.bytes().all(allowed) && !text.ends_with('.')
}

/// Whether a text can be the name of a region, in the spelling of `az` (`eastus2`) or of the portal (`East US 2`).
pub(super) fn is_location(text: &str) -> bool {
    text.len() <= LONGEST_LOCATION
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ')
}

/// The name of a region in the spelling of `az`: `East US 2` is `eastus2`.
pub(super) fn location(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Whether a text can be the name of a route table or of a subnet.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME && begins_as_name(text) && !text.ends_with(['.', '-'])
}

/// Whether a text can be the name of a virtual network.
pub(super) fn is_network(text: &str) -> bool {
    (2..=64).contains(&text.len()) && is_name(text)
}

/// Whether the names of routes can start with a text.
pub(super) fn is_prefix(text: &str) -> bool {
    text.len() <= LONGEST_PREFIX && begins_as_name(text)
}

fn begins_as_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// The part of an id that follows a word: the resource group follows `resourceGroups`.
pub(super) fn part_of<'a>(id: &'a str, word: &str) -> Option<&'a str> {
    id.split('/').skip_while(|part| !part.eq_ignore_ascii_case(word)).nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_uuids() {
        assert!(is_subscription("00000000-0000-0000-0000-000000000000"));
        assert!(is_subscription("0b1f6471-1bf0-4dda-AEC3-cb9272f09590"));
        for text in [
            "",
            "kubernetes",
            "00000000000000000000000000000000",
            "{00000000-0000-0000-0000-000000000000}",
            "00000000-0000-0000-0000-00000000000g",
            "00000000-0000-0000-0000-000000000000-",
            "00000000-0000-0000-0000-0000000000ä",
        ] {
            assert!(!is_subscription(text), "{text}");
        }
    }

    #[test]
    fn names_are_those_of_azure() {
        for text in ["a", "0", "a_", "kubernetes-routes", "A.b-c_d", &"a".repeat(80)] {
            assert!(is_name(text), "{text}");
        }
        for text in ["", "-a", "_a", ".a", "a-", "a.", "a/b", "a b", "ä", "..", "(a)", "a\n", &"a".repeat(81)] {
            assert!(!is_name(text), "{text}");
        }
        assert!(!is_network("a") && is_network("ab") && is_network(&"a".repeat(64)) && !is_network(&"a".repeat(65)));
        for text in ["a", "_a-", "(a)", "-", "A.b", &"a".repeat(90)] {
            assert!(is_resource_group(text), "{text}");
        }
        for text in ["", ".", "..", "a.", "a/b", "a b", "a#", &"a".repeat(91)] {
            assert!(!is_resource_group(text), "{text}");
        }
        assert!(
            is_prefix("a-") && is_prefix("0.") && !is_prefix("") && !is_prefix("-a") && !is_prefix(&"a".repeat(63))
        );
    }

    #[test]
    fn regions_are_read_as_the_portal_writes_them() {
        assert!(is_location("East US 2") && is_location("eastus2"));
        assert_eq!(location("East US 2"), "eastus2");
        for text in ["", " ", "2", "east-us", "east/us", "Österreich", "a\nb", &"a".repeat(65)] {
            assert!(!is_location(text), "{text}");
        }
    }

    #[test]
    fn a_part_of_an_id_follows_its_word() {
        let id = "/subscriptions/x/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/vn/subnets/s";
        assert_eq!((part_of(id, "RESOURCEGROUPS"), part_of(id, "s")), (Some("g"), None));
    }
}
