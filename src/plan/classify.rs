//! The ownership table for routes in the kernel: what live rows of a key mean, and what follows.

use std::net::IpAddr;

use super::judge::{self, Claim, Form, Judgement, Owner};
use super::operation::Live;
use crate::exchange::node::LiveRoute;
use crate::network::{BOOT, KERNEL, Route, STATIC};
use crate::resource::{Action, Evidence, Reason};

/// A key that somebody else has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// What is there.
    pub found: String,
    /// Its route protocol number.
    pub protocol: u8,
    /// Whether topo can take it over, and put it back as it was.
    pub can_be_taken: bool,
}

impl ForeignKey {
    /// Somebody else's row. Behind one of the kernel's own is a link, and what is not plain could not be put back.
    pub fn of(row: &LiveRoute) -> Self {
        let can_be_taken = row.plain && row.next_hop.is_some() && row.protocol != KERNEL;
        Self { found: row.describe(), protocol: row.protocol, can_be_taken }
    }
}

/// What is known about one route key of one node.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The recorded next hops: one, or several if the record is in doubt.
    pub owned: &'a [IpAddr],
    /// Whether the record is in doubt.
    pub in_doubt: bool,
    /// Whether topo once saw that the key is its own.
    pub confirmed: bool,
    /// The route that is wanted.
    pub wanted: Option<Route>,
    /// The protocol that wanted rows carry.
    pub protocol: u8,
    /// Route protocols that are topo's mark. A static row is topo's only if it comes from topo's file.
    pub mark_protocols: &'a [u8],
    /// Whether a file of topo's has or had the route. A static row of it is then topo's.
    pub kept_in_file: bool,
    /// Whether the topology wants the route in a file. A static row of it then stays static.
    pub accepts_static: bool,
    /// Whether the user takes it over from others.
    pub take_over: bool,
    /// Whether the destination is a pod subnet of the node itself. No route may lead these pods elsewhere.
    pub is_own: bool,
    /// Whether rows of ours say that their gateway is on-link.
    pub has_on_link: bool,
}

/// What follows for the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is to be done, and it is ours.
    Same,
    /// Nothing is to be done, and nothing is there.
    Gone,
    /// Something is to be done.
    Act {
        /// What.
        action: Action,
        /// Why; none leaves it to what the topology says (added, edited, removed).
        reason: Option<Reason>,
        /// The live row that is changed or removed.
        before: Option<Live>,
    },
    /// Somebody else provides the very route: it is left alone and not recorded.
    Provided(String),
    /// Somebody else has the key.
    Conflict(ForeignKey),
    /// It was ours and is somebody else's now, and is not wanted any more: its record is dropped.
    Lost(String),
    /// Left for another run by the user's selection.
    NotSelected,
}

/// What follows for a key with all its live rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyVerdict {
    /// What follows for the row that stays, or that goes where the route is not wanted.
    pub verdict: Verdict,
    /// Other rows of ours with this key. All of them are removed.
    pub surplus: Vec<Surplus>,
}

/// A row of ours beside the one that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surplus {
    /// The row.
    pub live: Live,
    /// Why it goes; none leaves it to what the topology says.
    pub reason: Option<Reason>,
}

impl From<Verdict> for KeyVerdict {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, surplus: Vec::new() }
    }
}

impl KeyVerdict {
    /// Whether this live row of the key goes.
    pub fn removes(&self, row: &LiveRoute) -> bool {
        let removed = match &self.verdict {
            Verdict::Act { action: Action::Remove, before, .. } => *before,
            _ => None,
        };
        let mut gone = removed.into_iter().chain(self.surplus.iter().map(|surplus| surplus.live));
        gone.any(|live| row.next_hop == Some(live.next_hop) && row.protocol == live.protocol)
    }
}

/// Judges one key by the live rows that have it.
pub fn classify(key: Key<'_>, live: &[&LiveRoute]) -> KeyVerdict {
    let wanted = key.wanted.map(|route| route.next_hop);
    let has_row_of_file = live.iter().any(|row| key.is_row_of_file(row));
    let values: Vec<judge::Live<IpAddr>> = live.iter().map(|row| key.value(row, has_row_of_file)).collect();
    let Judgement { verdict, live: meant, surplus } = judge::judge(&Claim {
        wanted: wanted.as_ref(),
        recorded: key.owned,
        confirmed: key.confirmed,
        in_doubt: key.in_doubt,
        take_over: key.take_over,
        kept_free: key.is_own,
        live: Evidence::Seen(&values),
    });
    let row = meant.map(|at| live[at]);
    let twin = |at: &usize| verdict == judge::Verdict::Same && row.is_some_and(|row| key.is_twin(row, live[*at]));
    let surplus = surplus.into_iter().filter(|at| !twin(at)).filter_map(|at| key.surplus(live[at]));
    KeyVerdict { verdict: key.verdict(verdict, row), surplus: surplus.collect() }
}

fn as_live(row: &LiveRoute) -> Option<Live> {
    row.next_hop.filter(|_| row.plain).map(|next_hop| Live { next_hop, protocol: row.protocol })
}

impl Key<'_> {
    /// Whether a protocol is our mark on this key.
    fn is_mark(&self, protocol: u8) -> bool {
        self.mark_protocols.contains(&protocol) && (protocol != STATIC || self.kept_in_file)
    }

    /// Whether it is the wanted route, as it comes from a file of topo's.
    fn is_row_of_file(&self, row: &LiveRoute) -> bool {
        let is_static = row.protocol == STATIC && self.accepts_static && self.is_mark(STATIC);
        is_static && row.plain && self.wanted.is_some_and(|wanted| row.next_hop == Some(wanted.next_hop))
    }

    /// A live row, as the ownership table takes it. Beside a row of a file, no other one stays: loading the file removes those, too.
    fn value(&self, row: &LiveRoute, has_row_of_file: bool) -> judge::Live<IpAddr> {
        let is_current = match row.protocol {
            STATIC if self.accepts_static => true,
            protocol => protocol == self.protocol && !has_row_of_file,
        };
        let owner = match row.protocol {
            protocol if self.is_mark(protocol) => Owner::Ours { is_current },
            BOOT => Owner::ByHand,
            STATIC => Owner::Configured,
            // Behind the kernel's own rows is a link.
            KERNEL => Owner::Untakeable,
            _ => Owner::Others,
        };
        // A row of several next hops, or a blackhole, is nothing that topo writes.
        let form = match (row.plain, &row.attributes) {
            (false, _) => Form::Foreign,
            (true, Some(attributes)) if self.has_on_link && **attributes == *"onlink" => Form::Plain,
            (true, Some(_)) => Form::Extended,
            (true, None) => Form::Plain,
        };
        judge::Live { value: row.next_hop, owner, form }
    }

    /// Whether two rows differ only in that one says `onlink`, as the one from a file can do. No command removes just one of them, and
    /// loading the file leaves one.
    fn is_twin(&self, one: &LiveRoute, other: &LiveRoute) -> bool {
        let says = |row: &LiveRoute| row.attributes.as_deref().is_some_and(|words| *words == *"onlink");
        let bare = |row: &LiveRoute| row.attributes.is_none();
        let differ = (says(one) && bare(other)) || (bare(one) && says(other));
        self.kept_in_file && differ && as_live(one).is_some() && as_live(one) == as_live(other)
    }

    fn surplus(&self, row: &LiveRoute) -> Option<Surplus> {
        let is_extended = self.value(row, false).form == Form::Extended;
        let reason = match (self.wanted, self.in_doubt) {
            (None, _) if !is_extended => None,
            (Some(_), true) => Some(Reason::InDoubt),
            (None, _) | (Some(_), false) => Some(Reason::Altered(row.describe())),
        };
        as_live(row).map(|live| Surplus { live, reason })
    }

    /// What a verdict of the ownership table means for a row of the kernel.
    fn verdict(&self, verdict: judge::Verdict, row: Option<&LiveRoute>) -> Verdict {
        let found = || row.map(LiveRoute::describe).unwrap_or_default();
        let act =
            |action: Action, reason: Option<Reason>| Verdict::Act { action, reason, before: row.and_then(as_live) };
        let ours = if self.wanted.is_some() { Action::Change } else { Action::Remove };
        match verdict {
            judge::Verdict::Same => Verdict::Same,
            judge::Verdict::Gone => Verdict::Gone,
            judge::Verdict::New => act(Action::Add, None),
            judge::Verdict::Missing => act(Action::Add, Some(Reason::Missing)),
            judge::Verdict::InDoubt => act(Action::Add, Some(Reason::InDoubt)),
            judge::Verdict::Edited | judge::Verdict::Remove => act(ours, None),
            judge::Verdict::MarkLost => act(ours, Some(Reason::MarkLost(found()))),
            judge::Verdict::Altered => act(ours, Some(Reason::Altered(found()))),
            judge::Verdict::Adopt => act(Action::Import, Some(Reason::Adopted(found()))),
            judge::Verdict::TakenOver => act(ours, Some(Reason::TakenOver(found()))),
            judge::Verdict::Provided => Verdict::Provided(found()),
            judge::Verdict::Lost => Verdict::Lost(found()),
            judge::Verdict::Conflict | judge::Verdict::Stray => {
                row.map_or(Verdict::Gone, |row| Verdict::Conflict(ForeignKey::of(row)))
            }
            judge::Verdict::NotKnown => Verdict::NotSelected,
        }
    }
}

#[cfg(test)]
mod tests;
