//! Somebody else is there at the same time.

use super::*;

impl Cloud {
    /// Runs the program; somebody is there after its last look at the table and before its write.
    fn meanwhile(&self, arguments: &[&str], somebody: impl FnOnce()) -> Said {
        self.topo_while_held(arguments, ("PUT", &table(), 0), somebody)
    }

    /// Runs the program; somebody is there after the plan and before its last look at the table.
    fn before_the_look(&self, arguments: &[&str], somebody: impl FnOnce()) -> Said {
        self.topo_while_held(arguments, ("GET", &table(), 1), somebody)
    }
}

fn theirs() -> Value {
    route("theirs", "192.168.0.0/16", "10.240.0.99")
}

/// All that topo wants of three workers, and a fourth.
fn with_a_fourth(cloud: &Cloud) {
    cloud.write(&topology(3, ""));
    cloud.apply();
    cloud.write(&topology(4, ""));
}

#[test]
fn a_route_that_somebody_adds_meanwhile_is_kept() {
    for look in [true, false] {
        let cloud = Cloud::start(4);
        with_a_fourth(&cloud);
        let somebody = || cloud.set_routes(|routes| routes.push(theirs()));
        let said = if look {
            cloud.before_the_look(&["apply", "-y"], somebody)
        } else {
            cloud.meanwhile(&["apply", "-y"], somebody)
        };
        said.exits(0);
        let puts: Vec<Option<u16>> = cloud.server.writes().iter().map(|it| it.status).collect();
        assert_eq!(puts, if look { vec![Some(200)] } else { vec![Some(412), Some(200)] });
        assert_eq!(cloud.routes().len(), 5);
        assert!(cloud.routes().contains(&"theirs 192.168.0.0/16 VirtualAppliance 10.240.0.99".to_owned()));
        cloud.settled();
    }
}

#[test]
fn a_route_of_ours_that_somebody_changes_meanwhile_is_not_overwritten_unseen() {
    for look in [true, false] {
        let cloud = Cloud::start(4);
        with_a_fourth(&cloud);
        let somebody = || cloud.set_routes(|routes| routes[1]["properties"]["nextHopIpAddress"] = "10.240.0.20".into());
        let said = if look {
            cloud.before_the_look(&["apply", "-y"], somebody)
        } else {
            cloud.meanwhile(&["apply", "-y"], somebody)
        };
        said.exits(1).says("changed since the plan").says("10.200.1.0/24 now leads to 10.240.0.20");
        assert_eq!(cloud.routes().len(), 3, "nothing was written");
        assert!(cloud.routes()[1].ends_with(" 10.240.0.20"));
        // What is not known to be there is not in the record.
        assert!(!cloud.state().to_string().contains("10.200.3.0/24"), "{}", cloud.state());
        cloud.topo(&["plan", "--detailed-exitcode"]).exits(2);
        cloud.apply();
        assert!(cloud.routes()[1].ends_with(" 10.240.0.21"));
        cloud.settled();
    }
}

#[test]
fn somebody_removes_a_route_of_ours_or_the_table_meanwhile() {
    let cloud = Cloud::start(4);
    with_a_fourth(&cloud);
    cloud
        .meanwhile(&["apply", "-y"], || cloud.set_routes(|routes| drop(routes.remove(0))))
        .exits(1)
        .says("changed since the plan: the route to 10.200.0.0/24 no longer exists");
    assert_eq!(cloud.routes().len(), 2);
    cloud.apply();
    cloud.settled();
    let cloud = Cloud::start(4);
    with_a_fourth(&cloud);
    let gone = || {
        cloud.server.command(Command::Merge { path: subnet(), body: json!({ "properties": { "routeTable": null } }) });
        cloud.server.command(Command::Delete { path: table() });
    };
    cloud.before_the_look(&["apply", "-y"], gone).exits(1).says("changed since the plan");
    assert!(cloud.table().is_none());
    cloud.apply();
    cloud.settled();
}

#[test]
fn a_table_that_somebody_makes_meanwhile_is_not_emptied() {
    let cloud = Cloud::start(3);
    let body = json!({ "location": LOCATION, "properties": { "routes": [theirs()] } });
    let somebody = || cloud.server.command(Command::Put { path: table(), body });
    let said = cloud.before_the_look(&["apply", "-y"], somebody);
    said.exits(1).says("the table itself has changed");
    assert_eq!(cloud.routes(), ["theirs 192.168.0.0/16 VirtualAppliance 10.240.0.99"]);
    assert_eq!(cloud.association(), None);
    cloud.apply();
    assert_eq!(cloud.routes().len(), 4);
    cloud.settled();
    // It is not ours: it stays.
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.routes(), ["theirs 192.168.0.0/16 VirtualAppliance 10.240.0.99"]);
}

/// Azure has no guard for what is not there yet: at least nobody writes over a table that is being made.
#[test]
fn a_table_that_somebody_is_making_is_looked_at_again() {
    let cloud = Cloud::start(4);
    cloud.write(&topology(2, ""));
    std::fs::write(cloud.folder.path().join("other.toml"), second()).unwrap();
    cloud.server.command(Command::Pace { polls: 0, milliseconds: 3_000, abandoned: 10_000 });
    cloud.server.command(Effect::Hold.next("PUT", &table()));
    let one = cloud.spawn(&["apply", "-y"]);
    cloud.await_request("PUT", &table(), 1);
    // It is made while the first one's write is on its way: that one finds it busy.
    let two = cloud.spawn(&["apply", "-y", "other.toml"]);
    let is_made = |it: &crate::arm::Exchange| it.method == "PUT" && it.concerns(&table()) && it.status == Some(201);
    await_that("the table", || cloud.server.log().iter().any(is_made));
    cloud.server.command(Command::Release);
    let (one, two) = (one.wait_with_output().unwrap(), two.wait_with_output().unwrap());
    Said::new(&two).exits(0);
    Said::new(&one).exits(1).says("the table itself has changed");
    assert_eq!(cloud.routes().len(), 2, "{:?}", cloud.routes());
    cloud.apply();
    assert_eq!(cloud.routes().len(), 4);
    cloud.settled();
}

#[test]
fn a_subnet_that_gets_another_table_meanwhile_keeps_it() {
    let cloud = Cloud::start(2);
    let other = network_path("routeTables/other");
    cloud.server.command(Command::Put { path: other.clone(), body: json!({ "location": LOCATION }) });
    for path in ["GET", "PUT"] {
        cloud.server.command(Command::Merge { path: subnet(), body: json!({ "properties": { "routeTable": null } }) });
        let body = json!({ "properties": { "routeTable": { "id": other } } });
        let somebody = || cloud.server.command(Command::Merge { path: subnet(), body });
        let said = cloud.topo_while_held(&["apply", "-y"], (path, &subnet(), u32::from(path == "GET")), somebody);
        // The table is there the second time.
        said.exits(if path == "GET" { 3 } else { 1 }).says("changed since the plan").says("routeTables/other");
        assert_eq!(cloud.association().as_deref(), Some(other.as_str()));
        assert!(!cloud.state().to_string().contains("azure_subnet_association"), "{}", cloud.state());
        cloud.topo(&["plan"]).exits(1).says("routeTables/other");
    }
    cloud.server.command(Command::Merge { path: subnet(), body: json!({ "properties": { "routeTable": null } }) });
    cloud.apply();
    cloud.settled();
}

/// A second topology on the same table: other nodes, another state. The association is the first one's.
fn second() -> String {
    let nodes = "other-0 = { address = \"10.240.0.22\", pods = [\"10.201.0.0/24\"] }\n\
                 other-1 = { address = \"10.240.0.23\", pods = [\"10.201.1.0/24\"] }\n";
    let text = topology(0, "").replace("name = \"kthw\"", "name = \"other\"");
    let text = text.replace("[nodes]\n", &format!("[nodes]\n{nodes}"));
    text.lines().filter(|line| !line.starts_with("subnets")).collect::<Vec<_>>().join("\n")
}

#[test]
fn two_topologies_keep_each_others_routes() {
    let cloud = Cloud::start(4);
    cloud.write(&topology(2, ""));
    std::fs::write(cloud.folder.path().join("other.toml"), second()).unwrap();
    cloud.apply();
    let count = || cloud.routes().len();
    for round in 0..10 {
        cloud.server.command(Command::Pace { polls: round % 3, milliseconds: 0, abandoned: 5_000 });
        cloud.server.command(Command::Latency { milliseconds: u64::from(round % 4) * 10 });
        cloud.write(&topology(2 + u8::try_from(round % 2).unwrap(), ""));
        let other = if round % 2 == 0 { "apply" } else { "destroy" };
        let one = cloud.spawn(&["apply", "-y"]);
        let two = cloud.spawn(&[other, "-y", "other.toml"]);
        let (one, two) = (one.wait_with_output().unwrap(), two.wait_with_output().unwrap());
        Said::new(&one).exits(0);
        Said::new(&two).exits(0);
        assert_eq!(count(), if round % 2 == 0 { 4 } else { 3 }, "round {round}: {:?}", cloud.routes());
        cloud.server.command(Command::Latency { milliseconds: 0 });
        cloud.settled();
        assert_eq!(cloud.association().as_deref(), Some(table().as_str()));
    }
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert!(cloud.table().is_none());
}

#[test]
fn two_topologies_that_make_one_table_at_once_end_with_all_routes() {
    for round in 0..2 {
        let cloud = Cloud::start(4);
        cloud.write(&topology(2, ""));
        std::fs::write(cloud.folder.path().join("other.toml"), second()).unwrap();
        cloud.server.command(Command::Pace { polls: 2, milliseconds: 0, abandoned: 5_000 });
        // Both have looked before one of them writes.
        let milliseconds = if round % 2 == 0 { 300 } else { 0 };
        cloud.server.command(Effect::Delay { milliseconds }.next("PUT", &table()));
        let one = cloud.spawn(&["apply", "-y"]);
        let two = cloud.spawn(&["apply", "-y", "other.toml"]);
        for child in [one, two] {
            let said = Said::new(&child.wait_with_output().unwrap());
            assert!([0, 1, 3].contains(&said.code), "{}\n{}", said.out, said.err);
        }
        for file in ["topo.toml", "other.toml", "topo.toml"] {
            cloud.topo(&["apply", "-y", file]).exits(0);
        }
        assert_eq!(cloud.routes().len(), 4);
        cloud.settled();
        cloud.topo(&["destroy", "-y"]).exits(0);
        cloud.topo(&["destroy", "-y", "other.toml"]).exits(0);
        assert_eq!(cloud.association(), None);
        let left = cloud.table().map(|table| table["properties"]["routes"].clone());
        assert!(left.as_ref().is_none_or(|routes| *routes == json!([])), "{left:?}");
    }
}

#[test]
fn the_second_run_on_one_state_has_to_wait() {
    let cloud = Cloud::start(2);
    let second = || _ = Said::new(&cloud.process(&["apply", "-y"]).output().unwrap()).exits(4);
    cloud.topo_while_held(&["apply", "-y"], ("PUT", &table(), 0), second).exits(0);
    cloud.settled();
}
