//! Reads addresses and prefixes. A topology and its state have tens of thousands of them, so this module reads the common
//! forms itself. The standard library and `ipnet` read all other forms.

use std::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Reads an address. The result is that of `text.parse()`, which is slower.
pub fn parse_address(text: &str) -> Result<IpAddr, AddrParseError> {
    match common_address(text.as_bytes()) {
        Some(address) => Ok(address),
        None => text.parse(),
    }
}

/// Reads an address with a prefix length. The result is that of `text.parse()`, which is slower.
pub(super) fn parse_net(text: &str) -> Result<IpNet, ipnet::AddrParseError> {
    match common_net(text.as_bytes()) {
        Some(net) => Ok(net),
        None => text.parse(),
    }
}

fn common_net(text: &[u8]) -> Option<IpNet> {
    // The length has one to three digits.
    let last = text.len().saturating_sub(4);
    let slash = last + text[last..].iter().position(|byte| *byte == b'/')?;
    let length = decimal(&text[slash + 1..])?;
    IpNet::new(common_address(&text[..slash])?, length).ok()
}

fn common_address(text: &[u8]) -> Option<IpAddr> {
    // An IPv4 address begins with one to three digits and a dot.
    let is_v4 = text.iter().take(4).any(|byte| *byte == b'.');
    if is_v4 { common_v4(text).map(IpAddr::V4) } else { common_v6(text).map(IpAddr::V6) }
}

/// Reads one to three digits without a leading zero, up to 255.
fn decimal(digits: &[u8]) -> Option<u8> {
    let mut value = 0_u16;
    for byte in digits {
        value = value * 10 + u16::from(byte.wrapping_sub(b'0'));
        if !byte.is_ascii_digit() {
            return None;
        }
    }
    let plain = matches!(digits, [_] | [b'1'..=b'9', _] | [b'1'..=b'9', _, _]);
    u8::try_from(value).ok().filter(|_| plain)
}

fn common_v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut at = 0;
    for (number, octet) in octets.iter_mut().enumerate() {
        let mut value = 0_u16;
        let start = at;
        while let Some(byte @ b'0'..=b'9') = text.get(at) {
            value = value * 10 + u16::from(byte - b'0');
            at += 1;
            // A number with a leading zero could be octal.
            if at - start > 3 || (at - start > 1 && text[start] == b'0') {
                return None;
            }
        }
        if at == start {
            return None;
        }
        *octet = u8::try_from(value).ok()?;
        if number < 3 {
            if text.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
    }
    (at == text.len()).then(|| Ipv4Addr::from(octets))
}

/// Reads groups of hexadecimal digits with at most one `::`, without an IPv4 address at the end.
fn common_v6(text: &[u8]) -> Option<Ipv6Addr> {
    let mut groups = [0_u16; 8];
    let mut count = 0;
    // The number of groups before `::`.
    let mut gap = None;
    let mut at = 0;
    if text.starts_with(b"::") {
        gap = Some(0);
        at = 2;
    }
    while at < text.len() {
        let start = at;
        let mut value = 0_u16;
        while let Some(digit) = text.get(at).and_then(|byte| hexadecimal(*byte)) {
            if at - start == 4 {
                return None;
            }
            value = value << 4 | digit;
            at += 1;
        }
        if at == start || count == 8 {
            return None;
        }
        groups[count] = value;
        count += 1;
        match &text[at..] {
            [] => break,
            [b':', b':', ..] if gap.is_none() => {
                gap = Some(count);
                at += 2;
            }
            [b':', _, ..] => at += 1,
            _ => return None,
        }
    }
    match gap {
        // `::` replaces at least one group.
        Some(before) if count < 8 => {
            groups[before..].rotate_right(8 - count);
            Some(Ipv6Addr::from(groups))
        }
        None if count == 8 => Some(Ipv6Addr::from(groups)),
        _ => None,
    }
}

fn hexadecimal(byte: u8) -> Option<u16> {
    match byte {
        b'0'..=b'9' => Some(u16::from(byte - b'0')),
        b'a'..=b'f' => Some(u16::from(byte - b'a') + 10),
        b'A'..=b'F' => Some(u16::from(byte - b'A') + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts that are addresses, or almost addresses.
    fn nearly(text: &'static str) -> impl Strategy<Value = String> {
        proptest::string::string_regex(text).expect("a pattern")
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            nearly("[0-9]{0,4}(\\.[0-9]{0,3}){2,4}(/[0-9]{0,4})?"),
            nearly("(25[0-9]|[1-9]?[0-9])(\\.(25[0-5]|1?[0-9]{1,2})){3}(/(3[0-3]|[0-9]|[a1+ ]))?"),
            nearly("(::)?([0-9a-fA-F]{0,5}:{1,2}){0,9}[0-9a-f]{0,4}(/[0-9]{0,4})?"),
            nearly("([0-9a-f]{1,4}:){0,7}(:([0-9a-f]{1,4}:){0,6})?[0-9a-f]{0,4}(/(12[0-9]|[0-9]{1,2}))?"),
            nearly("[0-9a-f:./% ]{0,12}"),
            any::<u128>().prop_map(|number| Ipv6Addr::from(number).to_string()),
            (any::<u128>(), 0..128)
                .prop_map(|(number, gap)| Ipv6Addr::from(number & (u128::MAX << gap)).to_string() + "/64"),
            "\\PC{0,8}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn addresses_and_prefixes_are_read_as_the_libraries_read_them(text in texts()) {
            prop_assert_eq!(parse_address(&text).ok(), text.parse::<IpAddr>().ok(), "{}", text);
            prop_assert_eq!(parse_net(&text).ok(), text.parse::<IpNet>().ok(), "{}", text);
        }
    }

    #[test]
    fn common_forms_do_not_need_the_libraries() {
        for text in ["10.0.0.1", "255.255.255.255", "0.0.0.0", "fd00::1", "::", "::1", "1:2:3:4:5:6:7:8", "fd00:a:B::"]
        {
            assert_eq!(common_address(text.as_bytes()), text.parse().ok(), "{text}");
        }
        for text in ["10.0.0.0/8", "10.1.2.0/24", "0.0.0.0/0", "fd00::/8", "::/0", "fd00:1::/128"] {
            assert_eq!(common_net(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }
}
