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
    assert_eq!(cloud.table().unwrap()["tags"], json!({ "managed-by": "topo" }));
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
