//! The whole of what the server knows, and the way from a path to what answers it.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::watch;

use super::accounts::{account, accounts, locations, provider};
use super::command::{Command, Effect, Fault};
use super::compute::render_machine;
use super::entity::{Entity, Kind};
use super::exchange::Exchange;
use super::interfaces::render_interface;
use super::operations::Operation;
use super::path;
use super::reply::{Handled, Reply, etag_mismatch};
use super::seed::SUBSCRIPTION;

/// How the server behaves; see [`Command`].
#[derive(Clone, Debug)]
pub struct Settings {
    pub polls: u32,
    pub time: Duration,
    pub abandoned: Duration,
    pub retry_after: Option<u32>,
    pub latency: Duration,
    pub page_size: usize,
    pub routes: usize,
    pub tables: usize,
    pub links_origin: Option<String>,
    pub ignores_new: bool,
    pub refuses_sign_in: Option<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            polls: 1,
            time: Duration::ZERO,
            abandoned: Duration::from_secs(5),
            retry_after: Some(0),
            latency: Duration::ZERO,
            page_size: 250,
            routes: 400,
            tables: 200,
            links_origin: None,
            ignores_new: false,
            refuses_sign_in: None,
        }
    }
}

/// A request that has passed the front door.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    /// Scheme, host and port that the client asked.
    pub origin: String,
    /// The path as it came.
    pub path: String,
    pub query: String,
    /// The decoded parts of the path.
    pub parts: Vec<String>,
    pub api_version: String,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub body: Option<Value>,
    /// Somebody else's doing: no operation, no checks of versions and of what is running.
    pub behind: bool,
    /// How the operation that this begins will fail.
    pub fail: Option<(String, String)>,
}

impl Request {
    /// The identifier that the first parts of the path make, spelled as they came.
    pub fn id(&self, parts: usize) -> String {
        format!("/{}", self.parts[..parts].join("/"))
    }
}

/// What the server knows.
#[derive(Clone)]
pub struct World {
    pub(super) settings: Settings,
    /// By lower-case name.
    pub(super) groups: BTreeMap<String, Map<String, Value>>,
    /// By lower-case identifier.
    pub(super) entities: BTreeMap<String, Entity>,
    /// What was there before the last write, by lower-case identifier.
    pub(super) older: HashMap<String, Option<Entity>>,
    pub(super) operations: HashMap<String, Operation>,
    pub(super) faults: Vec<Fault>,
    /// Whether requests that are to be held may go on.
    pub(super) released: watch::Sender<bool>,
    pub(super) log: Vec<Exchange>,
    pub(super) started: Instant,
    pub(super) tokens: Vec<String>,
    pub(super) expired: Vec<String>,
    count: u64,
}

impl World {
    /// A subscription with nothing in it.
    pub fn new() -> Self {
        Self {
            settings: Settings::default(),
            groups: BTreeMap::new(),
            entities: BTreeMap::new(),
            older: HashMap::new(),
            operations: HashMap::new(),
            faults: Vec::new(),
            released: watch::Sender::new(false),
            log: Vec::new(),
            started: Instant::now(),
            tokens: Vec::new(),
            expired: Vec::new(),
            count: 0,
        }
    }

    pub(super) fn origin(&self, request: &Request) -> String {
        self.settings.links_origin.clone().unwrap_or_else(|| request.origin.clone())
    }

    /// A new identifier: the same ones in each run, so that logs can be compared.
    pub(super) fn uuid(&mut self) -> String {
        self.count += 1;
        let mix = |seed: u64| {
            let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x2545_f491_4f6c_dd1d);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ (word >> 31)
        };
        let (high, low) = (mix(self.count), mix(self.count ^ 0xffff_0000));
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }

    pub(super) fn etag(&mut self) -> String {
        format!("W/\"{}\"", self.uuid())
    }

    /// Carries out what does not concern the log of the connection.
    pub fn command(&mut self, command: Command) -> Result<(), Reply> {
        match command {
            Command::Pace { polls, milliseconds, abandoned } => {
                self.settings.polls = polls;
                self.settings.time = Duration::from_millis(milliseconds);
                self.settings.abandoned = Duration::from_millis(abandoned);
            }
            Command::RetryAfter { percent } => self.settings.retry_after = percent,
            Command::Latency { milliseconds } => self.settings.latency = Duration::from_millis(milliseconds),
            Command::PageSize { size } => self.settings.page_size = size.max(1),
            Command::Limits { routes, tables } => {
                self.settings.routes = routes.unwrap_or(self.settings.routes);
                self.settings.tables = tables.unwrap_or(self.settings.tables);
            }
            Command::Fault(fault) => {
                if matches!(fault.effect, Effect::Hold) {
                    self.released.send_replace(false);
                }
                self.faults.push(fault);
            }
            Command::Release => _ = self.released.send_replace(true),
            Command::ClearFaults => self.faults.clear(),
            Command::LinksOrigin { origin } => self.settings.links_origin = origin,
            Command::Put { path, body } => self.behind("PUT", &path, Some(body))?,
            Command::Merge { path, body } => self.merge(&path, &body)?,
            Command::Delete { path } => self.behind("DELETE", &path, None)?,
            Command::Settle => self.settle(),
            Command::ExpireTokens => {
                let mut tokens = std::mem::take(&mut self.tokens);
                self.expired.append(&mut tokens);
            }
            Command::IgnoreNew { on } => self.settings.ignores_new = on,
            Command::RefuseSignIn { error, description } => {
                self.settings.refuses_sign_in = Some((error, description));
            }
            Command::ClearLog => self.log.clear(),
            Command::Stop => {}
        }
        Ok(())
    }

    fn behind(&mut self, method: &str, path: &str, body: Option<Value>) -> Result<(), Reply> {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            parts: path::parts(path),
            api_version: "2024-03-01".to_owned(),
            body,
            behind: true,
            ..Request::default()
        };
        let reply = self.handle(&request);
        if reply.status < 400 { Ok(()) } else { Err(reply) }
    }

    /// Merges into what a GET of this path gives, and puts that.
    fn merge(&mut self, path: &str, changes: &Value) -> Result<(), Reply> {
        let request = Request {
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: "$expand=instanceView".to_owned(),
            parts: path::parts(path),
            api_version: "2024-03-01".to_owned(),
            behind: true,
            ..Request::default()
        };
        let reply = self.handle(&request);
        if reply.status >= 400 {
            return Err(reply);
        }
        let mut body = reply.body.unwrap_or_default();
        merge_patch(&mut body, changes);
        self.behind("PUT", path, Some(body))
    }

    /// Answers a request.
    pub fn handle(&mut self, request: &Request) -> Reply {
        self.advance();
        self.dispatch(request).unwrap_or_else(|refusal| refusal)
    }

    /// Answers a read as if the last write to the resource were still to come.
    pub fn handle_older(&mut self, request: &Request) -> Reply {
        let key = path::key(&request.id(request.parts.len().min(8)));
        let older = self.older.get(&key).cloned().filter(|_| request.method == "GET");
        let Some(older) = older else { return self.handle(request) };
        self.advance();
        let now = self.entities.remove(&key);
        self.entities.extend(older.map(|older| (key.clone(), older)));
        let reply = self.dispatch(request).unwrap_or_else(|refusal| refusal);
        self.entities.remove(&key);
        self.entities.extend(now.map(|now| (key, now)));
        reply
    }

    fn dispatch(&mut self, request: &Request) -> Handled {
        let lower: Vec<String> = request.parts.iter().map(|part| part.to_ascii_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let method = request.method.as_str();
        match lower.as_slice() {
            ["tenants" | "subscriptions"] if method == "GET" => return Ok(accounts(lower[0])),
            ["subscriptions", subscription, ..] => {
                if !path::same(subscription, SUBSCRIPTION) {
                    let message = format!("The subscription '{subscription}' could not be found.");
                    return Err(Reply::gateway_error(404, "SubscriptionNotFound", &message));
                }
            }
            _ => return Err(unknown(request)),
        }
        match &lower[2..] {
            [] if method == "GET" => Ok(account()),
            ["locations"] if method == "GET" => Ok(locations()),
            ["providers"] if method == "GET" => Ok(self.providers(request)),
            ["providers", name] if method == "GET" => provider(name),
            ["resourcegroups"] if method == "GET" => Ok(self.list_groups(request)),
            ["resourcegroups", _] => self.group(request),
            ["providers", "microsoft.network", "locations", location, "usages"] if method == "GET" => {
                Ok(self.usages(location))
            }
            [
                "providers",
                "microsoft.network",
                "locations",
                location,
                collection @ ("operations" | "operationresults"),
                id,
            ] if method == "GET" => Ok(self.poll(request, location, collection, id)),
            ["providers", provider, collection] | ["resourcegroups", _, "providers", provider, collection]
                if method == "GET" =>
            {
                self.list(request, provider, collection)
            }
            ["resourcegroups", group, "providers", provider, rest @ ..] => {
                self.require_group(group, &request.parts[3])?;
                self.in_group(request, provider, rest)
            }
            _ => Err(unknown(request)),
        }
    }

    fn in_group(&mut self, request: &Request, provider: &str, rest: &[&str]) -> Handled {
        let method = request.method.as_str();
        match (provider, rest) {
            ("microsoft.network", ["routetables", _]) => self.table(request),
            ("microsoft.network", ["routetables", _, "routes"] | ["virtualnetworks", _, "subnets"])
                if method == "GET" =>
            {
                self.list_parts(request)
            }
            ("microsoft.network", ["routetables", _, "routes", _]) => self.route(request),
            ("microsoft.network", ["virtualnetworks", _]) => self.network(request),
            ("microsoft.network", ["virtualnetworks", _, "subnets", _]) => self.subnet(request),
            ("microsoft.network", ["networkinterfaces", _]) => self.interface(request),
            ("microsoft.network", ["networkinterfaces", _, "effectiveroutetable"]) if method == "POST" => {
                self.effective_routes(request)
            }
            ("microsoft.compute", ["virtualmachines", _]) => self.machine(request),
            ("microsoft.compute", ["virtualmachines", _, "instanceview"]) if method == "GET" => {
                self.instance_view(request)
            }
            ("microsoft.compute", ["virtualmachinescalesets", rest @ ..]) => self.scale_set(request, rest),
            _ => Err(unknown(request)),
        }
    }

    /// What `If-Match` and `If-None-Match` ask of the version that is there.
    pub(super) fn check_version(&self, request: &Request, key: &str, there: bool) -> Result<(), Reply> {
        if request.behind {
            return Ok(());
        }
        let current = self.entities.get(key).filter(|_| there).map(|entity| entity.etag.clone());
        let id = format!("/{}", request.parts.join("/"));
        if let Some(wanted) = &request.if_match {
            let plain = |etag: &str| etag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
            let fits = current.as_ref().is_some_and(|current| wanted.trim() == "*" || plain(wanted) == plain(current));
            if !fits {
                return Err(etag_mismatch(wanted, current.as_deref().unwrap_or("W/\"\""), &id));
            }
        }
        match (&request.if_none_match, current) {
            (Some(unwanted), Some(current)) if unwanted.trim() == "*" && !self.settings.ignores_new => {
                Err(etag_mismatch("*", &current, &id))
            }
            _ => Ok(()),
        }
    }

    /// One page of a list, with a link to the next. No tape shows one over routes or tables: the token is hand-made.
    pub(super) fn page(&self, request: &Request, mut values: Vec<Value>) -> Reply {
        let start = path::parameter(&request.query, "$skipToken")
            .and_then(|token| token.strip_prefix("from=")?.parse::<usize>().ok())
            .unwrap_or(0);
        let size = self.settings.page_size;
        let more = values.len() > start + size;
        let values = values.drain(start.min(values.len())..).take(size).collect();
        let mut reply = Reply::list(values);
        if let (true, Some(Value::Object(body))) = (more, &mut reply.body) {
            let token = format!("from%3d{}", start + size);
            let link = format!(
                "{}{}?api-version={}&$skipToken={token}",
                self.origin(request),
                request.path,
                request.api_version
            );
            body.insert("nextLink".to_owned(), Value::String(link));
        }
        reply
    }

    /// Lists of a resource group or of the whole subscription.
    fn list(&self, request: &Request, provider: &str, collection: &str) -> Handled {
        let kind = match (provider, collection) {
            ("microsoft.network", "routetables") => Kind::RouteTable,
            ("microsoft.network", "virtualnetworks") => Kind::VirtualNetwork,
            ("microsoft.network", "networkinterfaces") => Kind::NetworkInterface,
            ("microsoft.compute", "virtualmachines") => Kind::VirtualMachine,
            _ => return Err(unknown(request)),
        };
        let group = path::same(&request.parts[2], "resourceGroups").then(|| request.parts[3].as_str());
        if let Some(group) = group {
            self.require_group(group, group)?;
        }
        let values = self
            .entities
            .values()
            .filter(|entity| entity.kind == kind && group.is_none_or(|group| path::same(group, entity.group())))
            .map(|entity| self.render(entity, request))
            .collect();
        Ok(self.page(request, values))
    }

    /// A resource as it goes on the wire.
    pub(super) fn render(&self, entity: &Entity, request: &Request) -> Value {
        match entity.kind {
            Kind::RouteTable => self.render_table(entity),
            Kind::VirtualNetwork => self.render_network(entity),
            Kind::NetworkInterface | Kind::ScaleSetInterface => render_interface(entity),
            Kind::VirtualMachine => render_machine(entity, request),
        }
    }
}

/// RFC 7396.
pub fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(fields) = target {
        for (name, change) in changes {
            if change.is_null() {
                fields.remove(name);
            } else {
                merge_patch(fields.entry(name.clone()).or_insert(Value::Null), change);
            }
        }
    }
}

/// A path or a method that nobody answers to.
pub fn unknown(request: &Request) -> Reply {
    let message = format!(
        "No registered resource provider found for the method '{}' and the path '{}'.",
        request.method, request.path
    );
    Reply::gateway_error(404, "InvalidResourceType", &message)
}
