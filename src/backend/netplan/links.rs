//! Finds the definitions in a node's network configuration that get the routes.
//!
//! The key is the definition's ID, never just the interface's name: a second definition of a device removes its
//! address, with exit status 0 (measured with netplan 0.106 and systemd 252).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::attributes::{Attributes, Link, gather};
use crate::exchange::node::{FileForm, NetworkConfiguration, OtherManager};
use crate::network::RouteSet;

/// Why a file cannot keep routes on a node. Each sentence continues after the node's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// There is no netplan.
    #[error("netplan is not installed, so none of its files can keep the routes")]
    NoNetplan,
    /// systemd-networkd does not run, and topo does not know what runs in its place.
    #[error("systemd-networkd does not run: something else keeps the network, such as NetworkManager or ifupdown")]
    NoNetworkd,
    /// Another program manages the device.
    #[error("{1} manages {0}, and systemd-networkd does not")]
    OtherManager(Box<str>, OtherManager),
    /// The kernel has no device for a next hop.
    #[error("the kernel knows no device for the next hop {0}")]
    NoDevice(IpAddr),
    /// The device does not exist.
    #[error("there is no network device {0}")]
    Absent(Box<str>),
    /// systemd-networkd does not manage the device.
    #[error("systemd-networkd does not manage {0}, so no file could keep routes on it")]
    Unmanaged(Box<str>),
    /// The files of netplan give the device to `NetworkManager`.
    #[error("the files of netplan give {0} to NetworkManager, and topo cannot keep routes there yet")]
    NetworkManager(Box<str>),
    /// A file that netplan has not written configures the device.
    #[error("{1} configures {0}, and netplan did not write that file")]
    NotNetplan(Box<str>, Box<str>),
    /// No netplan file defines the device any more.
    #[error("{0} is configured as `{1}`, but no file of netplan defines `{1}` any more")]
    Undefined(Box<str>, Box<str>),
    /// netplan cannot read its files.
    #[error("netplan finds no definition in its files")]
    Unreadable,
}

impl LinkError {
    /// What to do about it, in a full sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoNetplan => "Install netplan.io there, or set persist = \"networkd\" in the backend's table.",
            Self::NoNetworkd | Self::OtherManager(..) => {
                "topo cannot keep routes in the files of other programs yet. Exclude the node with `nodes` in the backend's table: \
                 ssh-static writes its routes until the next boot. Do not start systemd-networkd beside another manager: that can cut the node off."
            }
            Self::NoDevice(_) => "Correct the address, or set the device with `interface` in the node's entry.",
            Self::Absent(_) => "Correct `interface` in the node's entry.",
            Self::Unmanaged(_) => {
                "Define it with `renderer: networkd` in a file in /etc/netplan, or exclude the node with `nodes` in \
                 the backend's table."
            }
            Self::NetworkManager(_) => {
                "Set `renderer: networkd` for it in /etc/netplan, or exclude the node with `nodes` in the backend's \
                 table."
            }
            Self::NotNetplan(..) => {
                "Add a separate table for such nodes: [backends.NAME] with type = \"netplan\", nodes = [\"…\"] and \
                 persist = \"networkd\"."
            }
            Self::Undefined(..) => "Look at /etc/netplan, and run `netplan apply` there.",
            Self::Unreadable => "Run `netplan get` there to see which file is broken, and correct that file.",
        }
    }
}

/// Finds the definition for each next hop. `recorded` has earlier results for next hops that nobody asked for this
/// time.
pub fn find_links(
    wanted: &Attributes,
    recorded: Option<&Attributes>,
    routes: &RouteSet,
    found: &NetworkConfiguration,
) -> Result<Vec<Link>, LinkError> {
    if !found.networkd {
        let devices =
            || wanted.interface.as_deref().into_iter().chain(found.devices.iter().map(|(_, device)| &**device));
        return Err(devices().find_map(|device| managed_by_other(device, found)).unwrap_or(LinkError::NoNetworkd));
    }
    if wanted.form() == FileForm::Netplan && found.netplan.is_none() {
        return Err(LinkError::NoNetplan);
    }
    if let Some(device) = &wanted.interface {
        return Ok(vec![resolve_or_recorded(device, wanted.form(), recorded, found)?]);
    }
    let asked: BTreeMap<IpAddr, &str> = found.devices.iter().map(|(hop, device)| (*hop, device.as_str())).collect();
    let mut resolved: BTreeMap<&str, Link> = BTreeMap::new();
    let mut pairs: Vec<(IpAddr, Link)> = Vec::new();
    let next_hops: BTreeSet<IpAddr> = routes.routes().map(|route| route.next_hop).collect();
    for next_hop in next_hops {
        let known = || recorded.and_then(|recorded| recorded.link_of(next_hop)).map(|link| &*link.device);
        let device = asked.get(&next_hop).copied().or_else(known).ok_or(LinkError::NoDevice(next_hop))?;
        if !resolved.contains_key(device) {
            resolved.insert(device, resolve_or_recorded(device, wanted.form(), recorded, found)?);
        }
        pairs.extend(resolved.get(device).map(|link| (next_hop, link.clone())));
    }
    Ok(gather(pairs))
}

/// If somebody has broken topo's file by hand, netplan cannot read any file, and topo needs the record to restore its
/// file. It does not trust the record: the node compares netplan's output with and without topo's file.
fn resolve_or_recorded(
    device: &str,
    form: FileForm,
    recorded: Option<&Attributes>,
    found: &NetworkConfiguration,
) -> Result<Link, LinkError> {
    let id = match resolve(device, form, found) {
        Err(LinkError::Undefined(_, id)) if found.definitions.is_empty() => id,
        other => return other,
    };
    let same = |link: &&Link| *link.device == *device && link.id == id && !link.kind.is_empty();
    let known = recorded.and_then(|recorded| recorded.links.iter().find(same));
    known.map(|link| Link { hops: Vec::new(), ..link.clone() }).ok_or(LinkError::Unreadable)
}

/// The definition of a device: its ID from the file that networkd uses for it, its kind from netplan's own files.
fn resolve(device: &str, form: FileForm, found: &NetworkConfiguration) -> Result<Link, LinkError> {
    let link = found.links.iter().find(|link| link.device == device).ok_or_else(|| LinkError::Absent(device.into()))?;
    let manager = found.definitions.iter().find(|definition| definition.id == device);
    let Some(path) = &link.network_file else {
        let foreign = manager.is_some_and(|definition| definition.renderer.as_deref() == Some("NetworkManager"));
        return Err(if foreign {
            LinkError::NetworkManager(device.into())
        } else {
            managed_by_other(device, found).unwrap_or_else(|| LinkError::Unmanaged(device.into()))
        });
    };
    let file = path.rsplit('/').next().unwrap_or(path);
    if form == FileForm::Networkd {
        return Ok(Link { device: device.into(), id: file.into(), kind: "".into(), hops: Vec::new() });
    }
    let generated =
        path.strip_prefix("/run/systemd/network/10-netplan-").and_then(|rest| rest.strip_suffix(".network"));
    let id = generated.ok_or_else(|| LinkError::NotNetplan(device.into(), path.as_str().into()))?;
    let definition = found.definitions.iter().find(|definition| definition.id == id);
    let definition = definition.ok_or_else(|| LinkError::Undefined(device.into(), id.into()))?;
    if definition.renderer.as_deref() == Some("NetworkManager") {
        return Err(LinkError::NetworkManager(device.into()));
    }
    Ok(Link { device: device.into(), id: id.into(), kind: definition.kind.as_str().into(), hops: Vec::new() })
}

fn managed_by_other(device: &str, found: &NetworkConfiguration) -> Option<LinkError> {
    let (_, manager) = found.managers.iter().find(|(managed, _)| managed == device)?;
    Some(LinkError::OtherManager(device.into(), *manager))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::node::{Definition, FoundLink};

    fn configuration(network_file: Option<&str>, kind: &str, id: &str, renderer: Option<&str>) -> NetworkConfiguration {
        NetworkConfiguration {
            netplan: Some("0.106".into()),
            networkd: true,
            links: vec![FoundLink { device: "eth0".into(), network_file: network_file.map(str::to_owned) }],
            definitions: vec![Definition { kind: kind.into(), id: id.into(), renderer: renderer.map(str::to_owned) }],
            ..NetworkConfiguration::default()
        }
    }

    fn netdef(network_file: Option<&str>, kind: &str, id: &str, renderer: Option<&str>) -> Result<Link, LinkError> {
        resolve("eth0", FileForm::Netplan, &configuration(network_file, kind, id, renderer))
    }

    #[test]
    fn the_definition_is_the_one_that_networkd_uses_for_the_device() {
        let link = netdef(Some("/run/systemd/network/10-netplan-id0.network"), "ethernets", "id0", None).expect("link");
        assert_eq!((&*link.id, &*link.kind), ("id0", "ethernets"));
        let link =
            netdef(Some("/run/systemd/network/10-netplan-all-en.network"), "bonds", "all-en", None).expect("link");
        assert_eq!((&*link.id, &*link.kind), ("all-en", "bonds"));
        let found = configuration(Some("/etc/systemd/network/10-eth0.network"), "", "", None);
        let link = resolve("eth0", FileForm::Networkd, &found).expect("link");
        assert_eq!((&*link.id, &*link.kind), ("10-eth0.network", ""));
    }

    #[test]
    fn a_file_of_ours_that_breaks_all_can_be_put_back() {
        let mut found = configuration(Some("/run/systemd/network/10-netplan-id0.network"), "ethernets", "id0", None);
        let link = resolve("eth0", FileForm::Netplan, &found).expect("link");
        found.definitions.clear();
        let find = |recorded: Option<&Attributes>| resolve_or_recorded("eth0", FileForm::Netplan, recorded, &found);
        assert_eq!(find(None), Err(LinkError::Unreadable));
        let recorded = Attributes { links: vec![link.clone()], ..Attributes::default() };
        assert_eq!(find(Some(&recorded)), Ok(link));
        let other = Link { id: "eth0".into(), ..recorded.links[0].clone() };
        let recorded = Attributes { links: vec![other], ..Attributes::default() };
        assert_eq!(find(Some(&recorded)), Err(LinkError::Unreadable));
    }

    #[test]
    fn what_could_cut_the_node_off_is_an_error() {
        let generated = Some("/run/systemd/network/10-netplan-eth0.network");
        assert_eq!(netdef(None, "ethernets", "eth0", None), Err(LinkError::Unmanaged("eth0".into())));
        let manager = Some("NetworkManager");
        let refused = LinkError::NetworkManager("eth0".into());
        assert_eq!(netdef(None, "ethernets", "eth0", manager), Err(refused.clone()));
        assert_eq!(netdef(generated, "ethernets", "eth0", manager), Err(refused));
        // What networkd keeps is networkd's, also if another program says that it manages the device.
        let mut found = configuration(generated, "ethernets", "eth0", None);
        found.managers = vec![("eth1".into(), OtherManager::NetworkManager), ("eth0".into(), OtherManager::Ifupdown)];
        assert!(resolve("eth0", FileForm::Netplan, &found).is_ok());
        found.links[0].network_file = None;
        let refused = Err(LinkError::OtherManager("eth0".into(), OtherManager::Ifupdown));
        assert_eq!(resolve("eth0", FileForm::Netplan, &found), refused);
        assert!(matches!(netdef(generated, "ethernets", "id0", None), Err(LinkError::Undefined(..))));
        assert!(matches!(netdef(Some("/etc/systemd/network/x.network"), "", "", None), Err(LinkError::NotNetplan(..))));
        let found = configuration(generated, "ethernets", "eth0", None);
        assert_eq!(resolve("eth1", FileForm::Netplan, &found), Err(LinkError::Absent("eth1".into())));
    }
}
