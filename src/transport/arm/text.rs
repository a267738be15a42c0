//! Texts of Azure and of servers in between, made safe for sentences.

use crate::transport::one_line;

/// Longest excerpt of Azure's or a program's text in a message, in characters.
const EXCERPT: usize = 600;

/// What to do where topo does not trust a server.
pub(super) const TRUST: &str = "If an authority of your own signs there, set `certificate_authorities` (or \
                                TOPO_AZURE_CERTIFICATE_AUTHORITIES) to its PEM file.";

/// Whether a reason says that a certificate was refused: another try does not help.
pub(super) fn is_untrusted(reason: &str) -> bool {
    reason.contains("invalid peer certificate")
}

/// Makes a text from outside safe for a message. Links lose what comes after `?`: signed links are secrets.
pub(super) fn tidy(text: &str) -> String {
    one_line(&without_secrets(text), " ", EXCERPT)
}

/// The text without queries, fragments and passwords of its links.
fn without_secrets(text: &str) -> String {
    let mut safe = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, link) = rest.split_at(at + 3);
        safe.push_str(before);
        let ends = |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '`' | '<' | '>' | ')' | ',');
        let (link, behind) = link.split_at(link.find(ends).unwrap_or(link.len()));
        let (shown, hidden) = link.split_at(link.find(['?', '#']).unwrap_or(link.len()));
        let (host, path) = shown.split_at(shown.find('/').unwrap_or(shown.len()));
        safe.push_str(host.rsplit_once('@').map_or(host, |(_, host)| host));
        safe.push_str(path);
        safe.push_str(if hidden.is_empty() { "" } else { "?…" });
        rest = behind;
    }
    safe + rest
}

/// The same, to be followed by the end of a sentence.
pub(super) fn clause(text: &str) -> String {
    tidy(text).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::tidy;

    #[test]
    fn links_lose_what_may_be_secret() {
        for (given, shown) in [
            ("see https://a.example/b?sig=hidden&x=1 for more", "see https://a.example/b?… for more"),
            ("`https://user:hidden@a.example/b#hidden`", "`https://a.example/b?…`"),
            ("https://a.example/b, (https://b.example?hidden)", "https://a.example/b, (https://b.example?…)"),
            ("no link? none", "no link? none"),
        ] {
            assert_eq!(tidy(given), shown);
        }
    }
}
