//! `topo init --from azure://SUBSCRIPTION/RESOURCE_GROUP`: reads machines from Azure, and says which ones it skipped.

use std::net::IpAddr;

use crate::backend::azure_udr::inventory::{self, NoteKind};
use crate::cli::{CommandError, GlobalArguments, operator, session};
use crate::exchange::arm::Document;
use crate::plan::Severity;
use crate::render::json;
use crate::resource::Name;
use crate::transport::arm::{Arm, ArmError};
use crate::transport::azure::ResourceType;
use crate::ui::Printer;

use super::{Nodes, SCHEME};

/// Reads the machines of a resource group, and says which ones it skipped.
pub(super) fn read(from: &str, name: &Name, global: &GlobalArguments, printer: Printer) -> Result<Nodes, CommandError> {
    let (subscription, resource_group) = parse(from)?;
    let settings = operator::arm_settings(global)?;
    let documents = session::block_on(async {
        let ask = async {
            let arm = Arm::connect(&settings)?;
            ask(&arm, &subscription, &resource_group).await
        };
        ask.await.map_err(|error: ArmError| CommandError::new(error.to_string()))
    })?;
    let [machines, interfaces, networks] = documents;
    let inventory = inventory::read(&machines, &interfaces, &networks).map_err(|sentences| {
        CommandError::new(sentences.join("\n")).hint("Nothing was written. Remove one of the two tags in Azure.")
    })?;
    for note in &inventory.notes {
        let (code, severity) = match note.kind {
            NoteKind::Skipped => ("machine_skipped", Severity::Warning),
            NoteKind::WithoutPods => ("machine_without_pods", Severity::Note),
            NoteKind::NotRead => ("interfaces_not_read", Severity::Note),
        };
        let nodes = note.machines.iter().map(String::as_str).collect();
        printer.event(&json::found(severity, code, nodes, &note.text));
        printer.note(&format!("{}: {}", severity.label(), note.text));
    }
    if inventory.machines.is_empty() {
        let error = CommandError::new(format!(
            "No virtual machine of the resource group {} can be a node. Nothing was written.",
            resource_group.escape_debug()
        ));
        return Err(error.hint("Check the subscription and the resource group: `az vm list --output table`."));
    }
    let topology = inventory.to_topology(name, &subscription, &resource_group);
    let machines = inventory.machines.clone();
    let is_silent_on = Box::new(move |name: &str, addresses: &[IpAddr]| inventory.is_silent_on(name, addresses));
    Ok(Nodes { machines, topology, is_silent_on })
}

/// The documents of virtual machines, of their network interfaces, and of the networks of those interfaces.
async fn ask(arm: &Arm, subscription: &str, group: &str) -> Result<[Vec<serde_json::Value>; 3], ArmError> {
    let bodies = |documents: Vec<Document>| documents.into_iter().map(|it| it.body).collect::<Vec<_>>();
    let (machines, interfaces) =
        tokio::try_join!(arm.list_machines(subscription, group), arm.list_interfaces(subscription, group))?;
    let (machines, mut interfaces) = (bodies(machines), bodies(interfaces));
    for id in inventory::interfaces_elsewhere(&machines, &interfaces) {
        interfaces.extend(arm.get(ResourceType::Interface, &id).await?.map(|it| it.body));
    }
    let mut networks = Vec::new();
    for id in inventory::networks_of(&machines, &interfaces) {
        networks.extend(arm.get(ResourceType::Network, &id).await?.map(|it| it.body));
    }
    Ok([machines, interfaces, networks])
}

/// The subscription and the resource group in `azure://SUBSCRIPTION/RESOURCE_GROUP`.
fn parse(from: &str) -> Result<(String, String), CommandError> {
    let wrong = |what: &str| {
        CommandError::new(format!("`{}` {what}.", from.escape_debug())).hint(
            "Write azure://SUBSCRIPTION/RESOURCE_GROUP with the id of the subscription: `az account show --query id \
             --output tsv`.",
        )
    };
    let rest = from.strip_prefix(SCHEME).unwrap_or(from);
    let Some((subscription, group)) = rest.strip_suffix('/').unwrap_or(rest).split_once('/') else {
        return Err(wrong("names no resource group"));
    };
    if !inventory::is_subscription(subscription) {
        return Err(wrong("does not begin with the id of a subscription"));
    }
    if !inventory::is_resource_group(group) {
        return Err(wrong("does not end with the name of a resource group"));
    }
    Ok((subscription.to_owned(), group.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn only_a_subscription_and_a_resource_group_are_taken() {
        let id = "0123abcd-0000-0000-0000-00000000ABCD";
        for (rest, group) in [("a", "a"), ("a/", "a"), ("a.b_(c)", "a.b_(c)")] {
            let parsed = parse(&format!("azure://{id}/{rest}")).map_err(|error| error.message);
            assert_eq!(parsed, Ok((id.to_owned(), group.to_owned())));
        }
        let long = "a".repeat(91);
        for rest in ["", "/", "/a/b", "/..", "/a.", "/a?b", "/a%2fb", "/a b", "/a\n", "/ü", &format!("/{long}")] {
            assert!(parse(&format!("azure://{id}{rest}")).is_err(), "{rest:?}");
        }
        for subscription in
            ["", "x", "0123abcd-0000-0000-0000-00000000ABC", "0123abcd-0000-0000-0000-00000000ABCG", "My Subscription"]
        {
            assert!(parse(&format!("azure://{subscription}/a")).is_err(), "{subscription}");
        }
    }
}
