//! Reads the answers about settings of the kernel. They come from a machine that topo does not trust.

use super::Reply;
use super::file_reply::{LONGEST_LIST, name, quoted_lines, reason};
use super::frame::Untrusted;
use super::values::{FileLines, FoundValues, KernelKey, ValuesInquiry, ValuesSet};

/// The longest value, in bytes. A longer one is cut.
const LONGEST_VALUE: usize = 100;

/// Every setting that was asked for has to be in the answer: what is missing there is not absent on the node.
pub(super) fn values(body: &str, inquiry: &ValuesInquiry) -> Result<Reply, Untrusted> {
    let mut found = FoundValues::default();
    let mut is_whole = false;
    let mut lines = body.split('\n').peekable();
    while let Some(line) = lines.next() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let is_full = found.values.len().max(found.files.len()).max(found.networkd.len()) > LONGEST_LIST;
        match word {
            _ if is_full => return Err(Untrusted("there are too many settings or files")),
            "value" => {
                let (key, value) = rest.split_once(' ').unwrap_or((rest, ""));
                let value = value.chars().filter(|c| !c.is_control()).take(LONGEST_VALUE).collect();
                found.values.extend(KernelKey::of_path(key).map(|key| (key, Some(value))));
            }
            "absent" => found.values.extend(KernelKey::of_path(rest).map(|key| (key, None))),
            "advertised" => found.advertised.extend(name(rest)),
            "device" => {
                let (address, device) = rest.split_once(' ').unwrap_or((rest, ""));
                let address = address.parse().ok().filter(|address| inquiry.reached.contains(address));
                if let (Some(address), Some(device)) = (address, name(device)) {
                    found.devices.push((address, device));
                }
            }
            "file" | "networkd" => {
                let path = name(rest).ok_or(Untrusted("the path of a file is damaged"))?;
                let text = quoted_lines(&mut lines);
                let lines = text.lines().map(str::to_owned).collect();
                let files = if word == "file" { &mut found.files } else { &mut found.networkd };
                files.push(FileLines { path, lines });
            }
            "whole" => {
                let mut text = quoted_lines(&mut lines);
                if text.pop() != Some('.') {
                    return Err(Untrusted("a file is incomplete"));
                }
                if text.contains('\u{fffd}') {
                    let why = format!("{} is not a text file. Move it away, and run topo again.", inquiry.whole);
                    return Ok(Reply::Unknown(why));
                }
                found.whole = Some(text);
                is_whole = true;
            }
            "none" => is_whole = true,
            _ => {}
        }
    }
    let is_answered = |key: &KernelKey| found.values.contains_key(key);
    if !is_whole || !inquiry.keys.iter().all(is_answered) {
        return Err(Untrusted("a setting of the kernel or a file is missing"));
    }
    Ok(Reply::Values(found))
}

pub(super) fn set(body: &str) -> Result<ValuesSet, Untrusted> {
    let mut lines = body.split('\n').peekable();
    match lines.next().unwrap_or_default() {
        "moved" => Ok(ValuesSet::Moved),
        "refused" => Ok(ValuesSet::Refused(reason(&quoted_lines(&mut lines)))),
        "back" => Ok(ValuesSet::PutBack(reason(&quoted_lines(&mut lines)))),
        "done" => Ok(ValuesSet::Done),
        _ => Err(Untrusted("the outcome of settings is missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::DeviceSetting;
    use super::*;

    fn inquiry() -> ValuesInquiry {
        ValuesInquiry {
            keys: vec![KernelKey::ip_forward(), KernelKey::ipv6_forwarding()],
            of_devices: vec![DeviceSetting::REVERSE_PATH_FILTER, DeviceSetting::FORWARDING],
            devices: Vec::new(),
            reached: vec!["10.240.0.21".parse().expect("an address")],
            advertised: true,
            whole: "/etc/sysctl.d/60-topo.conf".to_owned(),
        }
    }

    const BOTH: &str = "value net/ipv4/ip_forward 0\nabsent net/ipv6/conf/all/forwarding\n";

    #[test]
    fn an_answer_is_read() {
        let body = format!(
            "{BOTH}value kernel/core_pattern |/x\ndevice 10.240.0.21 eth0\ndevice 10.9.9.9 eth1\n\
             value net/ipv4/conf/eth0/rp_filter 2\nfile /etc/sysctl.d/a.conf\n|net.ipv4.ip_forward=1\n|none\n\
             networkd /etc/systemd/networkd.conf\nadvertised eth0\nadvertised eth0\nwhole\n|# x\n|y\n|."
        );
        let Ok(Reply::Values(found)) = values(&body, &inquiry()) else { panic!() };
        let values: Vec<_> = found.values.iter().map(|(key, value)| (key.to_string(), value.as_deref())).collect();
        let expected = [
            ("net.ipv4.conf.eth0.rp_filter", Some("2")),
            ("net.ipv4.ip_forward", Some("0")),
            ("net.ipv6.conf.all.forwarding", None),
        ];
        assert_eq!(values, expected.map(|(key, value)| (key.to_owned(), value)));
        assert_eq!(found.devices.len(), 1, "nobody asked for the other");
        assert_eq!(found.files[0].lines, ["net.ipv4.ip_forward=1", "none"]);
        assert_eq!((found.networkd.len(), found.advertised.len()), (1, 1));
        assert_eq!(found.whole.as_deref(), Some("# x\ny\n"));
    }

    #[test]
    fn what_is_not_in_the_answer_is_not_absent() {
        for body in ["", "none", BOTH, "value net/ipv4/ip_forward 0\nnone", &format!("{BOTH}whole\n|# x")] {
            assert!(values(body, &inquiry()).is_err(), "{body:?}");
        }
        assert!(
            matches!(values(&format!("{BOTH}none"), &inquiry()), Ok(Reply::Values(found)) if found.whole.is_none())
        );
        let odd = values(&format!("{BOTH}whole\n|\u{fffd}."), &inquiry());
        assert!(matches!(&odd, Ok(Reply::Unknown(why)) if why.contains("not a text file")), "{odd:?}");
    }

    #[test]
    fn outcomes_are_read() {
        assert_eq!(set("moved"), Ok(ValuesSet::Moved));
        assert_eq!(set("done"), Ok(ValuesSet::Done));
        assert_eq!(set("refused\n|It\u{1b} is so."), Ok(ValuesSet::Refused("It is so.".to_owned())));
        assert_eq!(set("back\n|It is so.\n|And so."), Ok(ValuesSet::PutBack("It is so.\nAnd so.".to_owned())));
        assert!(set("").is_err() && set("Done").is_err());
    }
}
