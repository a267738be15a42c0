//! `azure-udr`: route tables of Azure, their routes, and the subnets that go by them.

pub mod inventory;
mod settings;

pub use settings::{BACKEND, IpForwarding, Outside, Settings, SubnetName};
