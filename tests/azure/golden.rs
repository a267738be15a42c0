//! Writes golden states of Azure (see `state/golden/README.md`): documents and journals as the program leaves them.

use super::*;
use crate::state::golden::keep;

impl Cloud {
    /// The document and the journal.
    fn files(&self) -> (String, String) {
        let folder = self.folder.path().join("state");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        (read("kthw.json"), read("kthw.json.journal"))
    }

    /// The same while a request of this method and path is on its way.
    fn files_while_held(&self, arguments: &[&str], held: (&str, &str, u32)) -> (String, String) {
        let mut files = Default::default();
        self.topo_while_held(arguments, held, || files = self.files()).exits(0);
        files
    }
}

#[test]
#[ignore = "writes files: TOPO_GOLDEN_STATES=FOLDER cargo test --test all write_golden -- --ignored"]
fn write_golden_states_of_azure() {
    let settings = "ip_forwarding = \"enable\"\nbgp_route_propagation = false";
    let apply = ["apply", "-y"];
    let forwarding = || {
        let cloud = Cloud::start(3);
        cloud.forward(1, false);
        cloud.write(&topology(3, settings));
        cloud
    };
    let cloud = forwarding();
    keep("azure-in-doubt", &cloud.files_while_held(&apply, ("PUT", &table(), 0)));
    keep("azure-settled", &cloud.files());

    let cloud = forwarding();
    keep("azure-journal-half", &cloud.files_while_held(&apply, ("PUT", &subnet(), 0)));
    let cloud = forwarding();
    cloud.apply();
    cloud.write(&topology(2, settings).replace("10.240.0.21", "10.240.0.22"));
    keep("azure-changed-in-doubt", &cloud.files_while_held(&apply, ("PUT", &table(), 0)));
    keep("azure-removed-in-doubt", &cloud.files_while_held(&["destroy", "-y"], ("DELETE", &table(), 0)));
    keep("azure-all-removed", &cloud.files());

    // Somebody made the table with a route, and associated it.
    let cloud = Cloud::start(2);
    let routes =
        json!([route("theirs", "192.168.0.0/16", "10.240.0.99"), route("old-name", "10.200.0.0/24", "10.240.0.20")]);
    let body = json!({ "location": LOCATION, "tags": { "by": "hand" }, "properties": { "routes": routes } });
    cloud.server.command(Command::Put { path: table(), body });
    let body = json!({ "properties": { "routeTable": { "id": table() } } });
    cloud.server.command(Command::Merge { path: subnet(), body });
    cloud.apply();
    keep("azure-adopted", &cloud.files());
    keep("azure-destroyed-but-recorded", &interrupted::all_but_recorded("destroy").files());
}
