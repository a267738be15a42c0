//! Route protocols of the kernel (`rtnetlink(7)`). They say who added a row.

/// Route protocol of rows that somebody typed without a protocol (`RTPROT_BOOT`).
pub const BOOT: u8 = 3;
/// Route protocol of administrators' static rows (`RTPROT_STATIC`).
pub const STATIC: u8 = 4;
/// Route protocol of the kernel's own rows (`RTPROT_KERNEL`).
pub const KERNEL: u8 = 2;
