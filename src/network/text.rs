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

/// An address as a number, which is compared faster. Within a family, numbers have the order of addresses.
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// Writes an address. The result is that of `address.to_string()`, which is slower.
pub fn address_text(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else { return address.to_string() };
    let mut text = String::with_capacity(15);
    for (at, octet) in address.octets().into_iter().enumerate() {
        if at > 0 {
            text.push('.');
        }
        let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| char::from(b'0' + digit));
        let leading = if octet < 10 { 2 } else { usize::from(octet < 100) };
        text.extend(&digits[leading..]);
    }
    text
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
    match text {
        [_, b'.', ..] | [_, _, b'.', ..] | [_, _, _, b'.', ..] => common_v4(text).map(IpAddr::V4),
        _ => common_v6(text).map(IpAddr::V6),
    }
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
    let (mut number, mut dots) = (0_u32, 0);
    let (mut octet, mut digits) = (0_u32, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                // A number with a leading zero could be octal.
                if digits > 0 && octet == 0 {
                    return None;
                }
                octet = octet * 10 + u32::from(byte - b'0');
                digits += 1;
                if octet > 255 {
                    return None;
                }
            }
            b'.' if digits > 0 => {
                number = number << 8 | octet;
                dots += 1;
                (octet, digits) = (0, 0);
            }
            _ => return None,
        }
    }
    (dots == 3 && digits > 0).then(|| Ipv4Addr::from(number << 8 | octet))
}

/// Reads groups of hexadecimal digits with at most one `::`, without an IPv4 address at the end.
fn common_v6(text: &[u8]) -> Option<Ipv6Addr> {
    let (mut number, mut count) = (0_u128, 0);
    // The groups before `::`, and their number.
    let mut before: Option<(u128, u32)> = None;
    let (mut group, mut digits) = (0_u128, 0);
    let mut after_colon = false;
    let rest = match text {
        [b':', b':', rest @ ..] => {
            before = Some((0, 0));
            rest
        }
        _ => text,
    };
    for byte in rest {
        let digit = HEXADECIMAL[usize::from(*byte)];
        if digit < 16 {
            group = group << 4 | u128::from(digit);
            digits += 1;
            after_colon = false;
            if digits > 4 {
                return None;
            }
        } else if *byte != b':' {
            return None;
        } else if digits > 0 {
            number = number << 16 | group;
            count += 1;
            (group, digits, after_colon) = (0, 0, true);
        } else if after_colon && before.is_none() {
            before = Some((number, count));
            (number, count, after_colon) = (0, 0, false);
        } else {
            return None;
        }
    }
    if digits > 0 {
        number = number << 16 | group;
        count += 1;
    } else if after_colon {
        return None;
    }
    match before {
        // `::` replaces at least one group.
        Some((first, groups)) if groups + count < 8 => {
            // Without groups before it, there is nothing to shift.
            let first = first.checked_shl(16 * (8 - groups)).unwrap_or(0);
            Some(Ipv6Addr::from(first | number))
        }
        None if count == 8 => Some(Ipv6Addr::from(number)),
        _ => None,
    }
}

/// The value of each byte as a hexadecimal digit; 16 if it is none.
const HEXADECIMAL: [u8; 256] = {
    let mut values = [16; 256];
    let mut digit = 0;
    while digit < 16 {
        values[b"0123456789abcdef"[digit as usize] as usize] = digit;
        values[b"0123456789ABCDEF"[digit as usize] as usize] = digit;
        digit += 1;
    }
    values
};

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
    fn an_address_is_written_as_the_library_writes_it() {
        for number in 0..=255_u8 {
            let address = IpAddr::from([number, 255 - number, number / 2, 10]);
            assert_eq!(address_text(address), address.to_string());
        }
        let address: IpAddr = "fd00::1".parse().expect("address");
        assert_eq!(address_text(address), "fd00::1");
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
