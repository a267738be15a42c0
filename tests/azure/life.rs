//! The life of a table.

use super::*;

#[test]
fn from_nothing_to_associated_and_away_again() {
    let cloud = Cloud::start(2);
    let before = cloud.subnet();
    cloud.topo(&["plan"]).exits(0); // TOTALS
    assert!(cloud.server.writes().is_empty());
    cloud.apply();
    assert_eq!(cloud.requests().1, 2, "the table, the subnet");
    assert_eq!(
        cloud.routes(),
        [
            "kubernetes-route-10-200-0-0-24 10.200.0.0/24 VirtualAppliance 10.240.0.20",
            "kubernetes-route-10-200-1-0-24 10.200.1.0/24 VirtualAppliance 10.240.0.21",
        ]
    );
    assert_eq!(cloud.association().as_deref(), Some(table().as_str()));
    assert_eq!(cloud.table().unwrap()["tags"], json!({ "managed-by": "topo", "topology": "kthw" }));
    cloud.settled();
    assert_eq!(cloud.requests(), (2, 0), "{:?}", cloud.server.log());
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.requests().1, 2, "the subnet, the table");
    assert!(cloud.table().is_none());
    let after = cloud.subnet();
    let of = |value: &Value| {
        let mut value = value.clone();
        value["etag"] = Value::Null;
        value
    };
    assert_eq!(of(&after), of(&before));
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn a_destroy_with_nothing_recorded_says_so() {
    let cloud = Cloud::start(1);
    let words = "the state state/kthw.json has no records, so topo has nothing to remove";
    cloud.topo(&["destroy", "-y"]).exits(0).says(words);
    // What is live stays also where the state was lost.
    cloud.apply();
    std::fs::remove_file(cloud.folder.path().join("state/kthw.json")).unwrap();
    cloud.topo(&["destroy", "-y"]).exits(0).says(words).says("topo plan");
    assert!(cloud.server.writes().is_empty());
    assert_eq!(cloud.routes().len(), 1);
    // With something recorded, it is not said.
    cloud.apply();
    cloud.topo(&["destroy", "-y"]).exits(0).not("has no records");
}
