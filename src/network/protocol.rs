//! Route protocols of the kernel (`rtnetlink(7)`). They say who added a row.

/// Route protocol of rows that somebody typed without a protocol (`RTPROT_BOOT`).
pub const BOOT: u8 = 3;
/// Route protocol of administrators' static rows (`RTPROT_STATIC`).
pub const STATIC: u8 = 4;
/// Route protocol of the kernel's own rows (`RTPROT_KERNEL`).
pub const KERNEL: u8 = 2;

/// Route protocol numbers that belong to others: first and last of a range, and the owner (linux/rtnetlink.h,
/// `/etc/iproute2/rt_protos`, and the sources of the programs named).
const OWNERS: &[(u8, u8, &str)] = &[
    (1, 1, "an ICMP redirect"),
    (2, 2, "the kernel"),
    (3, 3, "boot, typed by hand"),
    (4, 4, "static"),
    (8, 8, "GateD"),
    (9, 9, "router advertisements"),
    (10, 10, "MRT"),
    (11, 11, "Zebra"),
    (12, 12, "BIRD"),
    (13, 13, "DECnet"),
    (14, 14, "XORP"),
    (15, 15, "netsukuku"),
    (16, 16, "DHCP clients"),
    (17, 17, "mrouted"),
    (18, 18, "keepalived"),
    (42, 42, "Babel"),
    (66, 66, "the guest agent of Google Cloud"),
    (80, 80, "Calico"),
    (84, 84, "OVN"),
    (99, 99, "Open/R"),
    (186, 186, "BGP"),
    (187, 187, "IS-IS"),
    (188, 188, "OSPF"),
    (189, 189, "RIP"),
    (192, 192, "EIGRP"),
    (190, 198, "FRR"),
];

/// The owner of a route protocol number.
pub fn protocol_owner(protocol: u8) -> Option<&'static str> {
    OWNERS.iter().find(|(first, last, _)| (*first..=*last).contains(&protocol)).map(|(_, _, owner)| *owner)
}
