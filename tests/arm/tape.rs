//! Tapes of real traffic. They are not part of this repository: `TOPO_AZURE_TAPES`, by default `../shared/azure/recordings`. Where they
//! are absent the tests say so and pass.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Where the tapes were made.
pub const AZURE: &str = "https://management.azure.com";

/// The folder of the tapes.
fn folder() -> PathBuf {
    std::env::var_os("TOPO_AZURE_TAPES")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/azure/recordings"), PathBuf::from)
}

/// A file of the tapes' folder, or of a folder beside it.
pub fn file(name: &str) -> Option<Value> {
    read(&folder().join(name), "TOPO_AZURE_TAPES")
}

/// A tape in YAML, as `tests/judges/azure/tapes` has put it into JSON: in the folder that `TOPO_AZURE_TAPES_JSON` names.
pub fn converted(name: &str) -> Option<Value> {
    let variable = "TOPO_AZURE_TAPES_JSON";
    match std::env::var_os(variable) {
        Some(folder) => read(&Path::new(&folder).join(format!("{name}.json")), variable),
        None => skipped(&format!("{name}.yaml is read by `tests/judges/run azure/tapes` ({variable})")),
    }
}

/// All tapes that can be read: those in JSON, and those in YAML where they have been put into JSON.
pub fn all() -> Vec<(String, Value)> {
    let mut tapes = Vec::new();
    for folder in [Some(folder()), std::env::var_os("TOPO_AZURE_TAPES_JSON").map(PathBuf::from)].into_iter().flatten() {
        let Ok(files) = std::fs::read_dir(&folder) else {
            skipped(&format!("there are no tapes in {}", folder.display()));
            continue;
        };
        let paths = files.map(|file| file.expect("a file").path());
        for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            tapes.extend(read(&path, "TOPO_AZURE_TAPES").map(|tape| (name, tape)));
        }
    }
    tapes.sort_by(|one, other| one.0.cmp(&other.0));
    tapes
}

fn read(path: &Path, variable: &str) -> Option<Value> {
    match std::fs::read(path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("a tape in JSON")),
        Err(error) => skipped(&format!("{} cannot be read: {error} ({variable})", path.display())),
    }
}

/// Past the capture of test output, so that it is seen.
fn skipped(why: &str) -> Option<Value> {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
    None
}

/// One exchange as it was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub method: String,
    pub url: String,
    /// The body of the request; null where there was none.
    pub sent: Value,
    pub status: u16,
    /// By lower-case name.
    pub headers: Vec<(String, String)>,
    /// The body of the answer.
    pub body: String,
}

impl Recorded {
    /// An entry in any of the three forms: of a tape in JSON, of a tape in YAML, of a tape of Go's.
    pub fn of(entry: &Value) -> Self {
        let (request, response) = (&entry["request"], &entry["response"]);
        let either = |one: &Value, other: &Value| if one.is_null() { other.clone() } else { one.clone() };
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        let status = [&entry["StatusCode"], &response["code"], &response["status"]["code"]];
        let body = either(&entry["ResponseBody"], &response["body"]);
        let body = either(&body["string"], &body);
        let headers = either(&entry["ResponseHeaders"], &response["headers"]);
        let sent = either(&entry["RequestBody"], &request["body"]);
        Self {
            method: text(either(&entry["RequestMethod"], &request["method"])),
            url: text(either(&entry["RequestUri"], &either(&request["uri"], &request["url"]))),
            sent: sent.as_str().map_or_else(|| sent.clone(), |text| serde_json::from_str(text).unwrap_or_default()),
            status: status.into_iter().find_map(Value::as_u64).and_then(|it| it.try_into().ok()).expect("a status"),
            headers: headers
                .as_object()
                .expect("headers")
                .iter()
                .flat_map(|(name, values)| header(name, values))
                .collect(),
            body: match &body {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                body => body.to_string(),
            },
        }
    }

    /// All exchanges of a tape with Azure Resource Manager.
    pub fn all(tape: &Value) -> Vec<Self> {
        let entries = tape["Entries"].as_array().expect("entries").iter().map(Self::of);
        entries.filter(|entry| entry.url.starts_with(AZURE)).collect()
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        let target = self.url.strip_prefix(AZURE).unwrap_or(&self.url);
        target.split('?').next().unwrap_or_default()
    }

    /// What follows the path.
    pub fn query(&self) -> &str {
        self.url.split_once('?').map_or("", |(_, query)| query)
    }

    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body of the answer; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// A header's values: one, or a list.
fn header(name: &str, values: &Value) -> Vec<(String, String)> {
    let values = values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice);
    values.iter().filter_map(|value| Some((name.to_ascii_lowercase(), value.as_str()?.to_owned()))).collect()
}
