//! Wanted × recorded × live: what happens to the settings of one node.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::attributes::{Attributes, is_of_device};
use super::boot::{Line, Others, others};
use super::content::{lines_changed, render};
use super::{SYSCTL_FILE, devices, findings, path_of};
use crate::backend::difference::unified;
use crate::backend::header::{Header, Whose};
use crate::backend::{PlannedResource, ResourceInput};
use crate::exchange::node::{DeviceSetting, FoundValues, KernelKey, ValueWrite, ValuesWrite, WholeFile};
use crate::plan::findings::Finding;
use crate::plan::judge::{Claim, Form, Live, Owner, Verdict, judge};
use crate::plan::{ListedChange, ListedPlan, ListedWhat, ResourcePlan};
use crate::resource::words::Setting;
use crate::resource::{Action, Evidence, Phase, Reason, Record, Shape, SharedJson};

/// Plans the settings of one node.
pub(super) fn plan(input: &ResourceInput<'_>) -> Option<PlannedResource> {
    let shapes: Vec<Attributes> = input.record.into_iter().flat_map(Record::shapes).map(Attributes::of).collect();
    let path = path_of(&input.id.name);
    let draft = Draft {
        input,
        recorded: input.record.map(|_| Recorded::of(&shapes)),
        is_in_doubt: input.record.is_some_and(Record::is_in_doubt),
        found: input.seen.and_then(|seen| seen.values(&path)),
        path,
    };
    match (input.wanted, draft.found) {
        (None, _) if input.record.is_none() => None,
        (wanted, None) => Some(draft.by_record(wanted.map(Attributes::of))),
        (None, Some(found)) => Some(draft.remove(found)),
        (Some(wanted), Some(found)) => Some(draft.judge(&Attributes::of(wanted), found)),
    }
}

/// What a step writes, from what the plan found.
pub(super) fn request(plan: &ResourcePlan, header: &Header) -> Option<ValuesWrite> {
    let listed = plan.listed.as_ref()?;
    // Without a look nothing is written.
    let path = plan.guard["path"].as_str()?;
    let values = plan.guard["values"].as_array()?.iter().filter_map(|one| {
        let text = |at: usize| one.get(at).and_then(Value::as_str);
        Some(ValueWrite { key: KernelKey::of_path(text(0)?)?, before: text(1)?.to_owned(), after: text(2)?.to_owned() })
    });
    let after = listed.to.as_ref().map(Attributes::of).filter(|to| !to.values.is_empty());
    let file = WholeFile {
        path: path.to_owned(),
        before: plan.guard["file"].as_str().map(str::to_owned),
        after: after.map(|to| render(header, &to.values)),
    };
    Some(ValuesWrite { file, values: values.collect() })
}

/// All that the sides of a record have.
struct Recorded {
    /// The first side is the one that was confirmed.
    values: Vec<BTreeMap<KernelKey, String>>,
    before: BTreeMap<KernelKey, String>,
}

impl Recorded {
    fn of(shapes: &[Attributes]) -> Self {
        let mut before = BTreeMap::new();
        for shape in shapes.iter().rev() {
            before.extend(shape.before.clone());
        }
        Self { values: shapes.iter().map(|shape| shape.values.clone()).collect(), before }
    }

    fn values_of<'a>(&'a self, key: &'a KernelKey) -> impl Iterator<Item = &'a String> {
        self.values.iter().filter_map(move |values| values.get(key))
    }
}

struct Draft<'a> {
    input: &'a ResourceInput<'a>,
    recorded: Option<Recorded>,
    is_in_doubt: bool,
    found: Option<&'a FoundValues>,
    path: String,
}

/// What is found about one setting.
struct Judged {
    key: KernelKey,
    /// The live value.
    live: String,
    /// The value that topo writes into the file.
    wanted: String,
    /// Whether the live value has to change. The filter of a device is judged by what the kernel goes by.
    is_wrong: bool,
    verdict: Verdict,
    others: Others,
}

impl Draft<'_> {
    fn planned(&self, to: Option<&Attributes>, change: Option<(Phase, ListedChange)>, guard: Value) -> PlannedResource {
        let to = to.map(|to| Shape { routes: None, attributes: to.to_value().into() });
        let (phases, changes): (Vec<Phase>, Vec<ListedChange>) = change.into_iter().unzip();
        let confirmed = self.input.record.and_then(|record| record.confirmed().next()).cloned();
        let plan = ListedPlan { id: self.input.id.clone(), changes, is: confirmed, to, phases };
        PlannedResource { plan: Some(plan), guard: SharedJson::from(guard), findings: Vec::new() }
    }

    fn change(action: Action, reason: Reason, settings: Vec<Setting>) -> (Phase, ListedChange) {
        let phase = if action == Action::Remove { Phase::Retire } else { Phase::Prepare };
        // A node has one such file, so that the place says which one it is.
        let (kind, key, what) = (&SYSCTL_FILE, "".into(), ListedWhat::Settings(settings));
        (phase, ListedChange { kind, key, action, reason, what })
    }

    /// The plan where nobody looked.
    fn by_record(&self, wanted: Option<Attributes>) -> PlannedResource {
        let recorded = self.input.record.and_then(|record| record.shapes().next()).map(Attributes::of);
        let Some(wanted) = wanted else {
            let file = Setting { name: self.path.clone().into(), before: Some("there".to_owned()), after: None };
            return self.planned(None, Some(Self::change(Action::Remove, self.removal(), vec![file])), Value::Null);
        };
        let change = match &recorded {
            _ if self.is_in_doubt => Some((Action::Change, Reason::InDoubt)),
            None => Some((Action::Add, Reason::New)),
            Some(recorded) if recorded.fits(&wanted) => None,
            Some(_) => Some((Action::Change, Reason::Edited)),
        };
        let setting = |(key, value): (&KernelKey, &String)| Setting {
            name: key.to_string().into(),
            before: recorded.as_ref().and_then(|recorded| recorded.values.get(key).cloned()),
            after: Some(value.clone()),
        };
        let to = Attributes { values: wanted.values.clone(), ..Attributes::default() };
        let to = if change.is_none() { recorded.clone().unwrap_or(to) } else { to };
        let settings = wanted.values.iter().map(setting).collect();
        let change = change.map(|(action, reason)| Self::change(action, reason, settings));
        self.planned(Some(&to), change, Value::Null)
    }

    fn removal(&self) -> Reason {
        if self.input.options.destroy { Reason::Destroy } else { Reason::NotWanted }
    }

    /// The plan where nothing is wanted any more: the file goes, and live values stay unless the user asks for the old ones.
    fn remove(&self, found: &FoundValues) -> PlannedResource {
        let mut notes = Vec::new();
        let whose = found.whole.as_deref().map(|text| self.whose(text));
        let is_ours = matches!(whose, Some(Whose::Ours | Whose::Somebodys)) && !self.is_foreign(found);
        let (mut settings, mut values, mut staying) = (Vec::new(), Vec::new(), Vec::new());
        if is_ours {
            let there = Some("there".to_owned());
            settings.push(Setting { name: self.path.clone().into(), before: there, after: None });
        } else if let Some(whose) = whose {
            notes.push(findings::lost(self.input, &self.told(&whose)));
        } else if self.is_in_doubt {
            settings.push(self.tidied());
        }
        let recorded = self.recorded.iter().flat_map(|recorded| &recorded.before);
        for (key, before) in recorded {
            let live = found.values.get(key).cloned().flatten();
            let is_set = |live: &String| match DeviceSetting::FORWARDING.device(key) {
                Some(_) => live == "1",
                None => {
                    self.recorded.as_ref().is_some_and(|recorded| recorded.values_of(key).any(|value| value == live))
                }
            };
            let Some(live) = live.filter(|live| live != before && is_set(live)) else { continue };
            let is_kept = others(found, key, &self.path).usual.is_some_and(|line| line.value == live);
            if is_kept {
                continue;
            }
            if self.input.options.revert_forwarding {
                settings.push(Setting {
                    name: key.to_string().into(),
                    before: Some(live.clone()),
                    after: Some(before.clone()),
                });
                values.push(json!([key.path(), live, before]));
            } else {
                staying.push(format!("{key} = {live}"));
            }
        }
        if !staying.is_empty() {
            notes.push(findings::stays(self.input, &staying));
        }
        let change = (!settings.is_empty()).then(|| Self::change(Action::Remove, self.removal(), settings));
        // What is somebody else's stays.
        let guard = if is_ours || found.whole.is_none() { self.guard(found, &values) } else { Value::Null };
        let planned = self.planned(None, change.filter(|_| !guard.is_null()), guard);
        PlannedResource { findings: notes, ..planned }
    }

    /// What a write does where nothing is wrong after a run that did not finish.
    fn tidied(&self) -> Setting {
        let [before, after] = ["in doubt", "checked"].map(|word| Some(word.to_owned()));
        Setting { name: self.path.clone().into(), before, after }
    }

    fn guard(&self, found: &FoundValues, values: &[Value]) -> Value {
        json!({ "path": self.path, "file": found.whole, "values": values })
    }

    fn whose(&self, text: &str) -> Whose {
        Whose::of(text, self.input.header, self.input.options.new_lineage)
    }

    /// Whether somebody else's file is in the place of topo's. A file that topo has confirmed once stays topo's without its first
    /// line.
    fn is_foreign(&self, found: &FoundValues) -> bool {
        match found.whole.as_deref().map(|text| self.whose(text)) {
            None | Some(Whose::Ours) => false,
            Some(Whose::Somebodys) => self.recorded.is_none() || self.is_in_doubt,
            Some(Whose::OtherLineage(_) | Whose::OtherTopology(_)) => true,
        }
    }

    fn told(&self, whose: &Whose) -> String {
        let path = &self.path;
        match whose {
            Whose::OtherTopology(other) => format!("the file {path} belongs to the topology {other}"),
            Whose::OtherLineage(lineage) => {
                format!("the file {path} was written with another state of this topology (lineage {lineage})")
            }
            Whose::Ours | Whose::Somebodys => format!("somebody else wrote the file {path}"),
        }
    }

    fn judge(&self, wanted: &Attributes, found: &FoundValues) -> PlannedResource {
        let input = self.input;
        let take_over = input.options.takes_over(&input.id.kind, input.place.name(), Some(&input.id.name));
        let mut notes: Vec<Finding> = Vec::new();
        let mut all: Vec<Judged> = Vec::new();
        for (key, value) in self.wanted_values(wanted, found) {
            let Some(live) = found.values.get(&key).cloned().flatten() else {
                // A device that is not there has no packets to check.
                if !is_of_device(&key) {
                    notes.push(findings::no_setting(input, &key));
                }
                continue;
            };
            all.push(self.judge_value(key, value, live, wanted, found, take_over));
        }
        for one in all.iter().filter(|one| one.verdict == Verdict::Conflict) {
            let line = one.others.later.iter();
            notes.extend(line.map(|line| findings::later(input, &one.key, &one.wanted, line)));
        }
        let kept_off = devices::kept_off(wanted, found, &self.path);
        notes.extend(kept_off.iter().map(|(key, line)| findings::later(input, key, "1", line)));
        if self.is_foreign(found) && !take_over {
            let whose = found.whole.as_deref().map_or(Whose::Somebodys, |text| self.whose(text));
            notes.push(findings::file_taken(input, &self.told(&whose)));
        }
        if !notes.is_empty() {
            return PlannedResource { plan: None, guard: SharedJson::default(), findings: notes };
        }
        let (left, all): (Vec<Judged>, Vec<Judged>) = all.into_iter().partition(|one| one.verdict == Verdict::Provided);
        notes.extend(self.check_advertised(&all, found));
        let provided: Vec<(KernelKey, Line)> =
            left.iter().filter_map(|one| Some((one.key.clone(), one.others.usual.clone()?))).collect();
        if !provided.is_empty() {
            notes.push(findings::provided(input, &provided));
        }
        let mut off = devices::turned_off(wanted, found);
        if !off.is_empty() && provided.iter().any(|(key, _)| *key == KernelKey::ip_forward()) {
            notes.push(findings::turned_off(input, &std::mem::take(&mut off)));
        }
        let planned = if all.is_empty() && self.recorded.is_none() {
            PlannedResource { plan: None, guard: SharedJson::default(), findings: Vec::new() }
        } else {
            self.compare(&all, &off, &provided, found, take_over)
        };
        PlannedResource { findings: notes, ..planned }
    }

    /// The wanted values, with those of the devices that were found or are recorded.
    fn wanted_values(&self, wanted: &Attributes, found: &FoundValues) -> BTreeMap<KernelKey, String> {
        let mut values = wanted.values.clone();
        if let Some(filter) = wanted.filter().filter(|_| wanted.is_per_device()) {
            let devices = found.devices.iter().map(|(_, device)| device).chain(&wanted.devices);
            let keys = devices.filter_map(|device| DeviceSetting::REVERSE_PATH_FILTER.of(device));
            let recorded = self.recorded.iter().flat_map(|recorded| &recorded.values).flat_map(BTreeMap::keys);
            let recorded = recorded.filter(|key| is_of_device(key) && found.values.contains_key(*key)).cloned();
            values.extend(keys.chain(recorded).map(|key| (key, filter.to_owned())));
        }
        values
    }

    fn judge_value(
        &self,
        key: KernelKey,
        value: String,
        live: String,
        wanted: &Attributes,
        found: &FoundValues,
        take_over: bool,
    ) -> Judged {
        let others = others(found, &key, &self.path);
        let recorded: Vec<String> =
            self.recorded.iter().flat_map(|recorded| recorded.values_of(&key)).cloned().collect();
        // The kernel goes by the larger one of the values of `all` and of the device.
        let effective = match (is_of_device(&key), wanted.filter()) {
            (true, Some(all)) if live.len() == 1 && all > live.as_str() => all.to_owned(),
            _ => live.clone(),
        };
        let is_wrong = effective != value;
        let (seen, owner) = match &others.later {
            Some(winner) if winner.value != value => (Some(winner.value.clone()), Owner::Untakeable),
            _ if !recorded.is_empty() => (Some(effective), Owner::Ours { is_current: true }),
            // What was never topo's, and is not as wanted, is nobody's: the kernel has a value for each setting.
            _ if is_wrong => (None, Owner::ByHand),
            _ if others.usual.as_ref().is_some_and(|line| line.value == value) => (Some(effective), Owner::Configured),
            _ => (Some(effective), Owner::ByHand),
        };
        let seen: Vec<Live<String>> =
            seen.into_iter().map(|value| Live { value: Some(value), owner, form: Form::Plain }).collect();
        let verdict = judge(&Claim {
            wanted: Some(&value),
            recorded: &recorded,
            confirmed: !recorded.is_empty(),
            in_doubt: self.is_in_doubt,
            take_over,
            kept_free: false,
            live: if seen.is_empty() { Evidence::Absent } else { Evidence::Seen(&seen) },
        })
        .verdict;
        Judged { key, live, wanted: value, is_wrong, verdict, others }
    }

    /// Whether IPv6 forwarding, which is off, would take away what the kernel has by router advertisements. It ignores them then
    /// unless `accept_ra` is 2; where it is 0, a client keeps what they brought (net/ipv6/ndisc.c, `ipv6_accept_ra`).
    fn check_advertised(&self, all: &[Judged], found: &FoundValues) -> Option<Finding> {
        all.iter().find(|one| one.key == KernelKey::ipv6_forwarding() && one.is_wrong)?;
        let is_lost = |device: &&String| {
            let key = DeviceSetting::ACCEPT_ADVERTISEMENTS.of(device);
            key.and_then(|key| found.values.get(&key)).is_some_and(|value| value.as_deref() == Some("1"))
        };
        let devices: Vec<&str> = found.advertised.iter().filter(is_lost).map(String::as_str).collect();
        (!devices.is_empty()).then(|| findings::advertised(self.input, &devices))
    }

    /// The change of file and values together.
    fn compare(
        &self,
        all: &[Judged],
        off: &[KernelKey],
        provided: &[(KernelKey, Line)],
        found: &FoundValues,
        take_over: bool,
    ) -> PlannedResource {
        let known = self.recorded.as_ref();
        let before = |one: &Judged| {
            let before = known.and_then(|known| known.before.get(&one.key)).unwrap_or(&one.live);
            (one.key.clone(), before.clone())
        };
        // What somebody turned off later is not to come back.
        let off_before = off.iter().filter(|_| known.is_none()).map(|key| (key.clone(), "0".to_owned()));
        let recorded_before = known.iter().flat_map(|known| devices::before(&known.before));
        let to = Attributes {
            values: all.iter().map(|one| (one.key.clone(), one.wanted.clone())).collect(),
            before: all.iter().map(before).chain(off_before).chain(recorded_before).collect(),
            left: provided.iter().map(|(key, _)| key.clone()).collect(),
            ..Attributes::default()
        };
        let expected = (!to.values.is_empty()).then(|| render(self.input.header, &to.values));
        let is_file_wrong = found.whole != expected;
        let is_written = is_file_wrong || !off.is_empty() || all.iter().any(|one| one.is_wrong);
        let recorded_file =
            known.and_then(|known| known.values.first()).map(|values| render(self.input.header, values));
        let is_recorded = found.whole.is_some() && found.whole == recorded_file;
        let taken = take_over && (self.is_foreign(found) || all.iter().any(|one| one.verdict == Verdict::TakenOver));
        let altered = all.iter().find(|one| one.verdict == Verdict::Altered);
        let reason = match (&found.whole, &expected) {
            // A run that was cut off may have left its copies of the file. Only a write removes them.
            _ if !is_written && self.is_in_doubt => Some((Action::Change, Reason::InDoubt)),
            _ if !is_written && known.is_some() => None,
            _ if !is_written => Some((Action::Import, Reason::Adopted(String::new()))),
            _ if taken => Some((if known.is_some() { Action::Change } else { Action::Add }, {
                let others = all.iter().filter_map(|one| one.others.usual.as_ref()).map(|line| line.path.clone());
                Reason::TakenOver(others.collect::<Vec<_>>().join(", "))
            })),
            _ if self.is_in_doubt => Some((Action::Change, Reason::InDoubt)),
            (_, None) => Some((Action::Remove, Reason::Edited)),
            (None, _) if known.is_none() => Some((Action::Add, Reason::New)),
            (Some(live), Some(expected)) if known.is_none() => {
                Some((Action::Change, Reason::Stale(unified(&self.path, live, expected))))
            }
            (None, _) => Some((Action::Change, Reason::Missing)),
            (Some(live), _) if !is_recorded && is_file_wrong => {
                let before = recorded_file.as_deref().unwrap_or_default();
                Some((Action::Change, Reason::Altered(unified(&self.path, live, before))))
            }
            _ if altered.is_some() || (known.is_some() && !off.is_empty()) => {
                Some((Action::Change, Reason::Altered(String::new())))
            }
            _ => Some((Action::Change, Reason::Edited)),
        };
        let settings = |action: Action| -> Vec<Setting> {
            let setting = |one: &Judged| Setting {
                name: one.key.to_string().into(),
                before: if action == Action::Change || one.is_wrong { Some(one.live.clone()) } else { None },
                after: Some(one.wanted.clone()),
            };
            let file = is_file_wrong.then(|| Setting {
                name: self.path.clone().into(),
                before: found.whole.as_ref().map(|_| "other content".to_owned()),
                after: expected.as_ref().map(|_| "written".to_owned()),
            });
            let tidied = (!is_written && self.is_in_doubt).then(|| self.tidied());
            let shown = all.iter().filter(|one| one.is_wrong || action != Action::Change);
            let edited = known.filter(|_| is_recorded).and_then(|known| known.values.first());
            let shown = shown.map(setting).chain(off.iter().map(devices::turned_on)).chain(tidied);
            match edited {
                Some(before) => shown.chain(lines_changed(before, &to.values)).collect(),
                None => shown.chain(file).collect(),
            }
        };
        let values: Vec<Value> = all
            .iter()
            .map(|one| json!([one.key.path(), one.live, if one.is_wrong { &one.wanted } else { &one.live }]))
            .chain(off.iter().map(|key| json!([key.path(), "0", "1"])))
            .collect();
        let change = reason.map(|(action, reason)| {
            let (phase, change) = Self::change(action, reason, settings(action));
            // A part of the settings goes at once with what stays of them.
            (if action == Action::Remove { Phase::Retire } else { phase }, change)
        });
        let guard = self.guard(found, &values);
        let to = (!to.values.is_empty()).then_some(&to);
        self.planned(to, change, guard)
    }
}
