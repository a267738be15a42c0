//! `topo init --from azure://SUBSCRIPTION/RESOURCE_GROUP`: reads machines from Azure, and says which ones it skipped.

use std::net::IpAddr;

use super::inventory::{self, NoteKind};
use super::operator::settings;
use crate::backend::SourceNodes;
use crate::backend::operator::Operator;
use crate::exchange::arm::Document;
use crate::plan::Severity;
use crate::report::Finding;
use crate::resource::{Name, Refusal};
use crate::transport::BoxFuture;
use crate::transport::arm::{Arm, ArmError};
use crate::transport::azure::ResourceType;

/// Reads the machines of a resource group, and notes which ones it skipped.
pub(super) fn read<'a>(
    from: &'a str,
    name: &'a Name,
    operator: &'a Operator,
    notes: &'a mut Vec<Finding>,
) -> BoxFuture<'a, Result<SourceNodes, Refusal>> {
    Box::pin(async move {
        let (subscription, group) = parse(from)?;
        let settings = settings(operator)?;
        let documents = async {
            let arm = Arm::connect(&settings)?;
            ask(&arm, &subscription, &group).await
        };
        let [machines, interfaces, networks] =
            documents.await.map_err(|error: ArmError| Refusal::new(error.to_string()))?;
        let mut inventory = inventory::read(&machines, &interfaces, &networks).map_err(|contradictions| {
            let sentences: Vec<String> = contradictions.iter().map(ToString::to_string).collect();
            Refusal::new(sentences.join("\n")).hint("Nothing was written. Remove one of the two tags in Azure.")
        })?;
        notes.extend(inventory.notes.iter().map(|note| {
            let (code, severity) = match note.kind {
                NoteKind::Skipped => ("machine_skipped", Severity::Warning),
                NoteKind::WithoutPods => ("machine_without_pods", Severity::Note),
                NoteKind::NotRead => ("interfaces_not_read", Severity::Note),
            };
            Finding::new(severity, code, note.text.as_str()).about(note.machines.iter().map(String::as_str))
        }));
        if inventory.machines.is_empty() {
            let message = format!(
                "No virtual machine of the resource group {} can be a node. Nothing was written.",
                group.escape_debug()
            );
            let hint = "Check the subscription and the resource group: `az vm list --output table`.";
            return Err(Refusal::new(message).hint(hint));
        }
        let topology = inventory.to_topology(name, &subscription, &group);
        let machines = std::mem::take(&mut inventory.machines);
        let is_silent_on = Box::new(move |name: &str, addresses: &[IpAddr]| inventory.is_silent_on(name, addresses));
        Ok(SourceNodes { machines, topology, is_silent_on })
    })
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
fn parse(from: &str) -> Result<(String, String), Refusal> {
    let wrong = |what: &str| {
        Refusal::new(format!("`{}` {what}.", from.escape_debug())).hint(
            "Write azure://SUBSCRIPTION/RESOURCE_GROUP with the id of the subscription: `az account show --query id \
             --output tsv`.",
        )
    };
    let rest = from.strip_prefix("azure://").unwrap_or(from);
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
