//! Route protocols of the kernel (`rtnetlink(7)`): who has put a row there.

/// Route protocol of rows typed by hand without one (`RTPROT_BOOT`).
pub const BOOT: u8 = 3;
/// Route protocol of administrators' static rows (`RTPROT_STATIC`).
pub const STATIC: u8 = 4;
/// Route protocol of the kernel's own rows (`RTPROT_KERNEL`).
pub const KERNEL: u8 = 2;
