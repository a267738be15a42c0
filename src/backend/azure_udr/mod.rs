//! `azure-udr`: route tables of Azure, their routes, and the subnets that go by them.

pub mod inventory;
mod names;
mod schema;
mod settings;

pub use settings::{BACKEND, Given, IpForwarding, Outside, Settings, SubnetName};
