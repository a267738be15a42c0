//! `azure-udr`: route tables of Azure, their routes, and the subnets that go by them.

mod covered;
mod settings;

pub(super) use covered::covered;
pub use settings::{BACKEND, IpForwarding, Outside, Settings, SubnetName};
