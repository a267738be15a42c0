//! Paths and queries of requests: percent-decoded part by part, compared without case.

/// Decodes `%XX`; what is not a valid escape stays as it is.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The parts of a path, decoded; empty ones are left out.
pub fn parts(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty()).map(decode).collect()
}

/// The value of a query parameter, decoded; names are compared without case.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        decode(key).eq_ignore_ascii_case(name).then(|| decode(&value.replace('+', " ")))
    })
}

/// Whether two identifiers or names mean the same thing to Azure.
pub fn same(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}

/// The key that an identifier is found by.
pub fn key(id: &str) -> String {
    format!("/{}", parts(id).join("/").to_ascii_lowercase())
}

#[test]
fn a_path_is_decoded_part_by_part() {
    assert_eq!(parts("/a%2Fb/c%20d//%zz/%4"), ["a/b", "c d", "%zz", "%4"]);
    assert_eq!(parameter("api-version=2024-01-01&%24skipToken=a%26b", "$skiptoken").as_deref(), Some("a&b"));
}
