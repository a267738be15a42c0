//! What is to be known beside the changes, in full sentences: the same said of many nodes is said once.

use std::collections::HashMap;
use std::fmt::Write;

use super::words::{counted, place_names};
use crate::backend::azure_udr::{AZURE_ROUTE, AZURE_SUBNET_ASSOCIATION, arm};
use crate::backend::netplan::NETPLAN_FILE;
use crate::network::Prefix;
use crate::plan::{Conflict, Note, Plan, Refusal};
use crate::resource::{Name, Place, natural_order};

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Good to know.
    Note,
    /// Traffic may not go as the topology says.
    Warning,
    /// Somebody else has what is wanted.
    Conflict,
    /// Nothing is written.
    Error,
}

impl Level {
    /// The word in front of the sentence.
    pub fn label(self) -> &'static str {
        match self {
            Self::Note => "Note",
            Self::Warning => "Warning",
            Self::Conflict => "Conflict",
            Self::Error => "Error",
        }
    }
}

/// Something that is said about one or more places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence<'a> {
    /// How much it matters.
    pub level: Level,
    /// What it is about; its name in JSON.
    pub topic: &'static str,
    /// The places, in natural order.
    pub places: Vec<&'a Place>,
    words: Words,
}

/// The words around the names of the places, and the address of a route where one is to be given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Words {
    before: String,
    after: String,
    /// Text in front of the address, kind, destination.
    address: Option<(&'static str, String, String)>,
    /// Whether the names of the places are in the text already.
    has_names: bool,
}

/// All that is to be said about a plan.
pub fn all(plan: &Plan) -> Vec<Sentence<'_>> {
    let notes = plan.notes.iter().map(note);
    let conflicts = plan.conflicts.iter().map(conflict);
    let refusals = plan.refusals.iter().map(refusal);
    let mut sentences: Vec<Sentence<'_>> = Vec::new();
    let mut known: HashMap<(Level, &'static str, Words, Option<&Place>), usize> = HashMap::new();
    for sentence in notes.chain(conflicts).chain(refusals) {
        // What is said of a route table in whole sentences is said of one.
        let alone = matches!(sentence.topic, "table_stays" | "outside" | "unverified" | "lost" | "azure");
        let only = sentence.places.first().copied().filter(|place| alone && !place.is_node());
        let key = (sentence.level, sentence.topic, sentence.words.clone(), only);
        if let Some(at) = known.get(&key) {
            sentences[*at].places.extend(sentence.places);
        } else {
            known.insert(key, sentences.len());
            sentences.push(sentence);
        }
    }
    for sentence in &mut sentences {
        sentence.places.sort_by(|one, other| natural_order(one.name(), other.name()));
        sentence.places.dedup();
    }
    sentences.sort_by_key(|sentence| sentence.level);
    sentences
}

impl Sentence<'_> {
    /// The whole text.
    pub fn text(&self) -> String {
        let Words { before, after, address, has_names } = &self.words;
        let places = if *has_names { String::new() } else { place_names(self.places.iter().copied()) };
        let mut text = format!("{before}{places}{after}");
        if let Some((lead, kind, destination)) = address {
            let place = if let [only] = self.places[..] { only.name() } else { "*" };
            let _ = write!(text, " {lead} --take-over '{kind}.{place}[\"{destination}\"]'.");
        }
        text
    }
}

fn say<'a>(
    level: Level,
    topic: &'static str,
    place: &'a Place,
    before: impl Into<String>,
    after: impl Into<String>,
) -> Sentence<'a> {
    let words = Words { before: before.into(), after: after.into(), address: None, has_names: false };
    Sentence { level, topic, places: vec![place], words }
}

/// What a place in Azure is, by its id.
fn what_it_is(place: &Place) -> &'static str {
    let Some(id) = arm(place) else { return "" };
    match id.rsplit('/').nth(1).unwrap_or_default().to_ascii_lowercase().as_str() {
        "routetables" => "the route table ",
        "virtualnetworks" => "the virtual network ",
        "networkinterfaces" => "the network interface ",
        _ => "",
    }
}

/// The words in front of a place where something is.
fn at(place: &Place) -> String {
    if place.is_node() { "On ".to_owned() } else { format!("In {}", what_it_is(place)) }
}

/// A note in words.
pub fn note(note: &Note) -> Sentence<'_> {
    use Level::{Note as Plain, Warning};
    match note {
        Note::Unseen(place, reason) => say(
            Warning,
            "unseen",
            place,
            "",
            format!(" could not be looked at, so the plan goes by what is recorded. {reason}"),
        ),
        Note::Replaced(place) => say(
            Warning,
            "replaced",
            place,
            "Another machine than the recorded one answers as ",
            ": it is planned from nothing, and the record of the other one is dropped. Where that one still runs, its routes \
             and its marker in /etc/topo stay there; give it a name of its own in the topology to keep or destroy them.",
        ),
        Note::Renamed(from, to) => say(
            Plain,
            "renamed",
            to,
            "",
            format!(" is the machine that was called {} before; its record moves with it.", from.name()),
        ),
        Note::Forgotten(place) => say(
            Plain,
            "forgotten",
            place,
            "Nothing is done on ",
            "; what topo has put there is not recorded any more, and stays for as long as the machine lives.",
        ),
        Note::Provided(place, destination, found) => {
            let mut sentence = say(
                Plain,
                "provided",
                place,
                "On ",
                format!(", the route to {destination} is provided by somebody else ({found}) and is left alone."),
            );
            let row = destination.to_string();
            sentence.words.address = Some(("It becomes topo's with", "kernel_route".to_owned(), row));
            sentence
        }
        Note::Wins(place, destination, found) => say(
            Warning,
            "wins",
            place,
            at(place),
            format!(
                ", another route wins over the one to {destination}: {found}. Remove it, or take the destination out of \
                 the topology."
            ),
        ),
        Note::Deferred(place, destination, found) => say(
            Warning,
            "deferred",
            place,
            "On ",
            format!(
                ", the route to {destination} is left for later, for the node itself still has that subnet ({found}). \
                 Take the subnet away from there, then run topo apply again."
            ),
        ),
        Note::Lost(place, destination, found) => say(
            Plain,
            "lost",
            place,
            at(place),
            format!(
                ", the route to {destination} is somebody else's by now ({found}). It is not wanted any more, so only \
                 its record is dropped."
            ),
        ),
        Note::Stray(place, destination, found) => say(
            Warning,
            "stray",
            place,
            "On ",
            format!(
                ", a route to {destination} carries the mark of topo and is neither recorded nor wanted ({found}). It \
                 is left alone; where nobody needs it, remove it there with `ip route del {destination}`."
            ),
        ),
        Note::OtherLineage(place, lineage) => say(
            Warning,
            "other_lineage",
            place,
            "The marker of this topology on ",
            format!(" is of another lineage ({lineage}): the state that it belongs to is not this one."),
        ),
        Note::NotLoaded(place, true) => say(
            Warning,
            "not_loaded",
            place,
            "The routes of ",
            " are not in the kernel yet: their file is loaded at the next boot or restart of systemd-networkd (activate = \"defer\"). \
             Leave `activate` out to have it loaded at once.",
        ),
        Note::NotLoaded(place, false) => say(
            Warning,
            "not_loaded",
            place,
            "The routes of ",
            " are not persistent yet: their file is loaded at the next boot or restart of systemd-networkd (activate = \"defer\"), \
             and until then they do not survive a loss of carrier.",
        ),
        Note::StaysLoaded(place) => say(
            Warning,
            "stays_loaded",
            place,
            "systemd-networkd on ",
            " may still have the routes of a file in mind that is taken away without loading: until its next start, or `netplan \
             apply` there, a loss of carrier can bring them back.",
        ),
        Note::Azure(place, topic, text) => {
            if *topic == "forwarding_stays" {
                // The same is said of many at once.
                let after =
                    ": topo turned it on, and only the record of that is dropped. --revert-forwarding turns it off.";
                return say(Plain, topic, place, "IP forwarding stays on at ", after);
            }
            let level = if matches!(*topic, "unverified" | "lost") { Warning } else { Plain };
            let before = capitalized(what_it_is(place));
            say(level, topic, place, before, format!(" {text}"))
        }
        Note::Skipped(conflict) => say(
            Warning,
            "skipped",
            &conflict.place,
            at(&conflict.place),
            if &*conflict.kind == NETPLAN_FILE {
                format!(", {} is left alone as asked: {}.", conflict.key, conflict.found)
            } else if &*conflict.kind == AZURE_SUBNET_ASSOCIATION {
                format!(", the subnet {} is left to somebody else as asked: {}.", conflict.key, conflict.found)
            } else if &*conflict.kind == AZURE_ROUTE {
                format!(", the route {} is left out as asked: somebody else has it ({}).", conflict.key, conflict.found)
            } else {
                format!(
                    ", the route to {} is left out as asked: somebody else has it ({}).",
                    conflict.key, conflict.found
                )
            },
        ),
    }
}

/// A conflict in words, with the ways out.
pub fn conflict(conflict: &Conflict) -> Sentence<'_> {
    let Conflict { place, kind, key, found } = conflict;
    if &**kind == NETPLAN_FILE {
        let after = format!(
            ", {found}. Give ours another name with `file` in the backend's table, leave it alone with --skip-conflicts,"
        );
        let mut sentence = say(Level::Conflict, "conflict", place, "On ", after);
        sentence.words.address = Some(("or write over it with", kind.to_string(), key.to_string()));
        return sentence;
    }
    if &**kind == AZURE_SUBNET_ASSOCIATION {
        let table = found.strip_prefix("it goes by the route table ").unwrap_or(found);
        let after = format!(
            ", the subnet {key} goes by the route table of somebody else already, and topo does not replace it silently, for its \
             machines would lose the routes in there: {table}. Leave it to them with --skip-conflicts,"
        );
        let mut sentence = say(Level::Conflict, "conflict", place, at(place), after);
        sentence.words.address = Some(("or have it go by topo's with", kind.to_string(), key.to_string()));
        return sentence;
    }
    if &**kind == AZURE_ROUTE {
        let after = format!(", the route {key} is somebody else's: {found}. Leave it to them with --skip-conflicts,");
        let mut sentence = say(Level::Conflict, "conflict", place, at(place), after);
        // Two routes cannot have one name, whoever has them.
        if found.starts_with("a route of this name") {
            sentence.words.after.push_str(" or give ours other names with `route_name_prefix` in the backend's table.");
        } else {
            sentence.words.address = Some(("or make it topo's with", kind.to_string(), key.to_string()));
        }
        return sentence;
    }
    let mut sentence = say(
        Level::Conflict,
        "conflict",
        place,
        "On ",
        format!(", the route to {key} is somebody else's: {found}. Leave it to them with --skip-conflicts"),
    );
    // A link, or a route that topo could not put back as it was, cannot be taken over.
    if found.starts_with("via ") && !found.contains("the kernel") {
        sentence.words.after.push(',');
        sentence.words.address = Some(("or make it topo's with", kind.to_string(), key.to_string()));
    } else {
        sentence.words.after.push_str(", or remove it there; a route of this sort cannot be taken over.");
    }
    sentence
}

/// A refusal in words, with what to do.
pub fn refusal(refusal: &Refusal) -> Sentence<'_> {
    use Level::Error;
    match refusal {
        Refusal::NotOnLink(place, next_hop, found) => say(
            Error,
            "not_on_link",
            place,
            "On ",
            format!(
                ", the next hop {next_hop} is not on the link: {found}. Declare the networks of the nodes in \
                 [subnets], with a gateway where one leads to the others, or correct the address."
            ),
        ),
        Refusal::Captures(place, destination, address, what) => say(
            Error,
            "captures",
            place,
            "On ",
            format!(
                ", a route to {destination} would capture {address}, {what}, and could cut the node off. Take that \
                 pod subnet out of the topology, or give the pods another one."
            ),
        ),
        Refusal::ProtocolTaken(place, topology, protocol) => {
            let free = if *protocol == 202 { 203 } else { 202 };
            say(
                Error,
                "protocol_taken",
                place,
                "On ",
                format!(
                    ", the topology {topology} marks its routes with the protocol number {protocol} too, so neither \
                     could tell its own. Write protocol = {free} in [backends.ssh-static]."
                ),
            )
        }
        Refusal::LineageLost(place) => say(
            Error,
            "lineage_lost",
            place,
            "The marker on ",
            " says that this topology was applied with another state. Give that state with --state; where it is lost, \
             --new-lineage records what is there and wanted, and goes on.",
        ),
        Refusal::NameTaken(place, source) => say(
            Error,
            "name_taken",
            place,
            "",
            format!(
                " is the name of the machine that is recorded as {} now, and the machine that is recorded under this name \
                 does not answer: its record would be lost. Bring it back under its new name first, or drop its record \
                 with --forget {}.",
                source.name(),
                place.name()
            ),
        ),
        Refusal::Azure(place, text) if names_it(text, place.name()) => {
            let mut sentence = say(Error, "azure", place, "", text.as_str());
            sentence.words.has_names = true;
            sentence
        }
        Refusal::Azure(place, text) => say(Error, "azure", place, capitalized(what_it_is(place)), format!(": {text}")),
        Refusal::InAzure(place, backends, destinations) => {
            let backends: Vec<&str> = backends.iter().map(Name::as_str).collect();
            say(
                Error,
                "in_azure",
                place,
                "On ",
                format!(
                    ", in Azure, a route on the machine does not choose the next hop: Azure forwards by its own route \
                     tables, and no [backends.azure-udr] with `subnets` puts {} into one, so what is sent there is lost. \
                     Add one that does, or take {} off the machines in Azure with `nodes = […]`.",
                    prefixes(destinations),
                    backends.join(" and ")
                ),
            )
        }
        Refusal::File(place, sentence) => say(Error, "file", place, "On ", format!(", {sentence}.")),
        Refusal::SameMachine(one, other) => say(
            Error,
            "same_machine",
            other,
            "",
            format!(
                " and {} are one machine: both have the same /etc/machine-id. Take one of them out of the topology, or \
                 run systemd-machine-id-setup on a machine that was cloned.",
                one.name()
            ),
        ),
    }
}

/// Whether a name is in a text as a word.
fn names_it(text: &str, name: &str) -> bool {
    let is_end = |letter: char| !letter.is_alphanumeric() && !matches!(letter, '-' | '_' | '.');
    text.split(is_end).any(|word| word == name || word.strip_suffix('.') == Some(name))
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A few prefixes are listed; of more, the first ones and the number of the others.
fn prefixes(all: &[Prefix]) -> String {
    const LISTED: usize = 3;
    let (listed, more) = all.split_at(all.len().min(LISTED));
    let listed: Vec<String> = listed.iter().map(Prefix::to_string).collect();
    let listed = listed.join(", ");
    if more.is_empty() { listed } else { format!("{listed} and {}", counted(more.len(), "other destination")) }
}
