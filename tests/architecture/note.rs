//! A toy backend on nodes: it keeps a file with one line. It has no routes.

use serde_json::json;
use topo::backend::mesh::{Mesh, served};
use topo::backend::node::Seen;
use topo::backend::{Backend, Desired, Header, PlannedResource, ResourceEnd, ResourceInput, Settled};
use topo::exchange::node::{Reply, Request, RouteOutcome, ValuesInquiry, ValuesSet, ValuesWrite, WholeFile};
use topo::network::Memo;
use topo::plan::judge::{Claim, Form, Live, Owner, Verdict, judge};
use topo::plan::{Address, Finding, ListedChange, ListedPlan, ListedWhat, Operation, Remedy, ResourcePlan, TablePlan};
use topo::resource::words::{Heading, Setting, Words, removed};
use topo::resource::{Action, Evidence, Kind, Name, Phase, Reason, Record, ResourceId, Shape, SharedJson, Token};
use topo::topology::reader::TableReader;
use topo::topology::{BackendTable, Reporter, RoutesOf, TableFormat, TableRead, Tables, Topology};

/// The name of the file that it keeps.
const FILE: &str = "70-note.conf";
/// The path of the file on a node.
const PATH: &str = "/etc/sysctl.d/70-note.conf";

/// The kind of its resources.
pub(super) static TOY_NOTE: Kind =
    Kind { id: "toy_note", noun: "note", order: 100, retires: 0, only_seen: false, words: &NoteWords };

/// The backend.
pub(super) struct Note;

struct NoteWords;

impl Words for NoteWords {
    fn heading(&self, told: &Heading<'_>) -> String {
        let Heading { action, reason, places, is_one_place: one, .. } = *told;
        let (get, have, lose) = if one { ("gets", "has", "loses") } else { ("get", "have", "lose") };
        match (action, reason) {
            (Action::Import, _) => format!("{places} already {have} the note as wanted"),
            (Action::Change, Reason::Altered(_)) => format!("{places} {get} the note again: somebody changed it"),
            (Action::Add, Reason::Missing) => format!("{places} {get} the note again: the recorded note is gone"),
            (Action::Remove, reason) => format!("{places} {lose} the note {}", removed(reason)),
            _ => format!("{places} {get} a note"),
        }
    }
}

impl TableFormat for Note {
    fn id(&self) -> &'static str {
        "toy-note"
    }

    fn read(&self, reader: &mut TableReader<'_>) -> TableRead {
        let text = reader.string("text");
        if text.is_none() {
            reader.report_missing("text", "\"mind the gap\"");
        }
        let settings = json!({ "text": text.map_or("", |text| text.value) });
        TableRead { settings, routes: RoutesOf::None, given: Box::new(()) }
    }

    fn check(&self, _: &Tables<'_>, _: &Reporter) {}

    fn schema(&self) -> &'static str {
        r##"{ "title": "toy-note", "type": "object", "additionalProperties": false, "required": ["text"], "properties": {
            "type": { "const": "toy-note" }, "nodes": { "$ref": "#/$defs/patterns" }, "text": { "type": "string" } } }"##
    }
}

/// The content of the file with a text.
fn content(text: &str) -> String {
    format!("# note: {text}\n")
}

/// The text of a shape.
fn text_of(shape: &Shape) -> String {
    shape.attributes["text"].as_str().unwrap_or_default().to_owned()
}

fn shape(text: &str) -> Shape {
    Shape { routes: None, attributes: json!({ "text": text }).into() }
}

impl Backend for Note {
    fn kind(&self) -> &'static Kind {
        &TOY_NOTE
    }

    fn desire(&self, topology: &Topology, _: &Mesh<'_>, name: &Name, table: &BackendTable, desired: &mut Desired) {
        let id = ResourceId { backend: name.clone(), kind: TOY_NOTE.id.into(), name: FILE.into() };
        for (_, _, place) in served(topology, table, desired) {
            place.resources.insert(id.clone(), shape(table.settings["text"].as_str().unwrap_or_default()));
        }
    }

    fn questions(&self, _: &str, _: Option<&Shape>, _: Option<&Record>, _: &mut Memo) -> Vec<Request> {
        vec![Request::Values(ValuesInquiry {
            keys: Vec::new(),
            of_devices: Vec::new(),
            devices: Vec::new(),
            reached: Vec::new(),
            advertised: false,
            whole: PATH.to_owned(),
        })]
    }

    fn is_answered(&self, _: &str, seen: &Seen) -> bool {
        seen.values(PATH).is_some()
    }

    fn plan_resource(&self, input: &ResourceInput<'_>) -> Option<PlannedResource> {
        if input.wanted.is_none() && input.record.is_none() {
            return None;
        }
        let recorded: Vec<String> =
            input.record.into_iter().flat_map(Record::shapes).map(text_of).map(|text| content(&text)).collect();
        let wanted = input.wanted.map(|shape| content(&text_of(shape)));
        let looked = input.seen.and_then(|seen| seen.values(PATH));
        // Without a look, the record says what is there.
        let found = looked.map_or_else(|| recorded.first().cloned(), |found| found.whole.clone());
        let owner = if recorded.is_empty() { Owner::Unmarked } else { Owner::Ours { is_current: true } };
        let live: Vec<Live<String>> =
            found.iter().map(|text| Live { value: Some(text.clone()), owner, form: Form::Plain }).collect();
        let verdict = judge(&Claim {
            wanted: wanted.as_ref(),
            recorded: &recorded,
            confirmed: input.record.is_some_and(|record| record.confirmed().next().is_some()),
            in_doubt: input.record.is_some_and(Record::is_in_doubt),
            take_over: input.options.takes_over(TOY_NOTE.id, input.place.name(), Some(FILE)),
            kept_free: false,
            live: Evidence::Seen(&live),
        })
        .verdict;
        let told = || found.clone().unwrap_or_default().trim_end().to_owned();
        let gone = if input.options.destroy { Reason::Destroy } else { Reason::NotWanted };
        let is_wanted = wanted.is_some();
        let (action, reason) = match verdict {
            Verdict::Conflict | Verdict::Stray | Verdict::Provided => {
                let address = Address::of_key(input.place, TOY_NOTE.id, FILE);
                let text = topo::plan::findings::Text::around("Somebody else has a note on ", ".");
                let finding = Finding::conflict(address, text, told()).remedy(Remedy::TakeOver).remedy(Remedy::SKIP);
                return Some(PlannedResource { plan: None, guard: SharedJson::default(), findings: vec![finding] });
            }
            Verdict::New => (Some(Action::Add), Reason::New),
            Verdict::Missing => (Some(Action::Add), Reason::Missing),
            Verdict::InDoubt => (Some(Action::Add), Reason::InDoubt),
            Verdict::Edited => (Some(Action::Change), Reason::Edited),
            Verdict::TakenOver => (Some(Action::Change), Reason::TakenOver(told())),
            Verdict::Altered if is_wanted => (Some(Action::Change), Reason::Altered(told())),
            Verdict::Remove | Verdict::Altered | Verdict::MarkLost => (Some(Action::Remove), gone),
            Verdict::Adopt => (Some(Action::Import), Reason::Adopted(told())),
            Verdict::NotKnown | Verdict::Gone | Verdict::Same | Verdict::Lost => (None, Reason::New),
        };
        let setting = Setting {
            name: "note".into(),
            before: found.as_ref().map(|_| told()),
            after: wanted.as_ref().map(|text| text.trim_end().to_owned()),
        };
        let change = |action| ListedChange {
            kind: &TOY_NOTE,
            key: "".into(),
            action,
            reason: reason.clone(),
            what: ListedWhat::Settings(vec![setting.clone()]),
        };
        let phase = |action| match action {
            Action::Remove => Some(Phase::Retire),
            Action::Add | Action::Change => Some(Phase::Prepare),
            Action::Import | Action::Forget => None,
        };
        let plan = ListedPlan {
            id: input.id.clone(),
            changes: action.map(change).into_iter().collect(),
            is: input.record.and_then(|record| record.confirmed().next()).cloned(),
            to: input.wanted.cloned(),
            phases: action.and_then(phase).into_iter().collect(),
        };
        let guard = looked.map_or_else(SharedJson::default, |found| json!({ "file": found.whole }).into());
        Some(PlannedResource { plan: Some(plan), guard, findings: Vec::new() })
    }

    fn resource_request(&self, plan: &ResourcePlan, _: &Header) -> Option<Request> {
        let listed = plan.listed.as_ref()?;
        let file = WholeFile {
            path: PATH.to_owned(),
            before: plan.guard.get("file")?.as_str().map(str::to_owned),
            after: listed.to.as_ref().map(|shape| content(&text_of(shape))),
        };
        Some(Request::SetValues(ValuesWrite { file, values: Vec::new() }))
    }

    fn resource_end(&self, reply: &Reply) -> ResourceEnd {
        match reply {
            Reply::ValuesSet(ValuesSet::Done) => ResourceEnd { failure: None, touched: true },
            Reply::ValuesSet(ValuesSet::Moved) => {
                ResourceEnd { failure: Some("The note has changed since the plan.".to_owned()), touched: false }
            }
            Reply::ValuesSet(ValuesSet::Refused(said)) => ResourceEnd { failure: Some(said.clone()), touched: false },
            _ => ResourceEnd { failure: Some("The node did not write the note.".to_owned()), touched: true },
        }
    }

    fn request(&self, _: &TablePlan, _: &[Operation], _: Option<&Token>) -> Option<Request> {
        None
    }

    fn settle(&self, _: &[Operation], _: &RouteOutcome) -> Settled {
        Settled::default()
    }
}
