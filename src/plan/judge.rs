//! Who owns what is live: the ownership table of the design, once for every kind of thing that topo keeps.
//!
//! A backend translates what it found into [`Live`] values and the verdict into its own change, finding or record. The table knows
//! neither.

use crate::resource::Evidence;

/// What is known about one key: a destination, a file, a tag, a subnet.
#[derive(Clone, Debug)]
pub struct Claim<'a, V> {
    /// The value that the topology asks for.
    pub wanted: Option<&'a V>,
    /// The values that the record has, confirmed ones first: none, one, or several where it is in doubt.
    pub recorded: &'a [V],
    /// Whether topo once saw that the key is its own. What was never confirmed may never have been written.
    pub confirmed: bool,
    /// Whether the outcome of an earlier run is not known.
    pub in_doubt: bool,
    /// Whether the user takes the key over from others.
    pub take_over: bool,
    /// Whether nothing may have the key, where nothing is wanted there: a route to the node's own pods.
    pub kept_free: bool,
    /// All values that the key has, in the order in which the place gave them.
    pub live: Evidence<&'a [Live<V>]>,
}

/// One value that a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live<V> {
    /// The value; none for something that topo has no value for, such as a route without a next hop.
    pub value: Option<V>,
    /// Who put it there, as far as it shows.
    pub owner: Owner,
    /// What else it is.
    pub form: Form,
}

/// Who put a value there, as far as it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It bears topo's mark.
    Ours {
        /// Whether that is the mark that it is to bear.
        is_current: bool,
    },
    /// Somebody typed it. A value of topo's that is changed by hand looks like this.
    ByHand,
    /// An administrator's configuration put it there. It is topo's only where it is as recorded or as wanted.
    Configured,
    /// Things of this kind bear no marks. It is topo's where it is as recorded, and can become topo's where it is as wanted.
    Unmarked,
    /// Somebody else.
    Others,
    /// Somebody else, from whom nobody can take it.
    Untakeable,
}

/// What a value is, compared with what topo writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Such as topo writes.
    Plain,
    /// More than topo writes: writing the key loses something that the plan has to show.
    Extended,
    /// Of a sort that topo neither writes nor can put back.
    Foreign,
}

/// What follows for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Nobody looked. It never leads to a removal, an addition or "no changes".
    NotKnown,
    /// It is not wanted, and nothing of topo's is there.
    Gone,
    /// It is wanted, not recorded, and not there.
    New,
    /// It is wanted, recorded, and not there.
    Missing,
    /// It is wanted and not there, and a run that did not end may never have written it.
    InDoubt,
    /// It is topo's and as wanted.
    Same,
    /// It is topo's, and the topology wants something else.
    Edited,
    /// It is topo's, and is not wanted.
    Remove,
    /// It is topo's without the mark. Where it is not wanted, it goes.
    MarkLost,
    /// It is topo's, and somebody changed it. Where it is not wanted, it goes.
    Altered,
    /// It is as wanted and nobody else keeps it: topo records it.
    Adopt,
    /// Somebody else keeps it as wanted, and topo leaves it alone.
    Provided,
    /// It bears topo's mark, is neither recorded nor as wanted, and topo does not know why.
    Stray,
    /// It is somebody else's, and the user takes it over. Where it is not wanted, it goes.
    TakenOver,
    /// It is somebody else's, and wanted or to be kept free.
    Conflict,
    /// It was topo's, is somebody else's now, and is not wanted: only its record goes.
    Lost,
}

/// What follows for a key, and which of its live values that is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What follows.
    pub verdict: Verdict,
    /// The live value that is meant; none where none is there.
    pub live: Option<usize>,
    /// Other live values of the key that a side of the record owns. None of them is the one that stays: all of them go away.
    pub surplus: Vec<usize>,
}

/// Judges one key.
pub fn judge<V: PartialEq>(claim: &Claim<'_, V>) -> Judgement {
    match claim.live {
        Evidence::Unknown(_) => Judgement::of(Verdict::NotKnown),
        Evidence::Absent | Evidence::Seen([]) => Judgement::of(claim.without_live_value()),
        Evidence::Seen(live) if claim.recorded.is_empty() => claim.not_recorded(live),
        Evidence::Seen(live) => claim.recorded(live),
    }
}

impl Judgement {
    fn of(verdict: Verdict) -> Self {
        Self { verdict, live: None, surplus: Vec::new() }
    }

    fn at(verdict: Verdict, live: usize) -> Self {
        Self { live: Some(live), ..Self::of(verdict) }
    }
}

impl<V> Live<V> {
    /// Whether topo could write it, and so put it back.
    fn is_writable(&self) -> bool {
        self.value.is_some() && self.form != Form::Foreign
    }
}

impl<V: PartialEq> Claim<'_, V> {
    fn without_live_value(&self) -> Verdict {
        match (self.wanted, self.recorded.is_empty(), self.in_doubt) {
            (None, ..) => Verdict::Gone,
            (Some(_), true, _) => Verdict::New,
            (Some(_), false, true) => Verdict::InDoubt,
            (Some(_), false, false) => Verdict::Missing,
        }
    }

    fn is_as_wanted(&self, live: &Live<V>) -> bool {
        live.form != Form::Foreign && live.value.is_some() && live.value.as_ref() == self.wanted
    }

    /// Whether a side of the record, or the topology, has this value.
    fn is_known(&self, live: &Live<V>) -> bool {
        let known = |value: &V| self.recorded.contains(value) || self.wanted == Some(value);
        live.value.as_ref().is_some_and(known)
    }

    /// Whether it bears a mark of topo's that says something: without confirmation only a value that topo meant is topo's.
    fn is_marked(&self, live: &Live<V>) -> bool {
        match live.owner {
            Owner::Ours { .. } => self.confirmed || self.is_known(live),
            Owner::Unmarked => live.value.as_ref().is_some_and(|value| self.recorded.contains(value)),
            _ => false,
        }
    }

    /// Whether it is a value of topo's that lost its mark.
    fn is_unmarked(&self, live: &Live<V>) -> bool {
        match live.owner {
            Owner::ByHand => self.confirmed || self.is_known(live),
            Owner::Configured | Owner::Unmarked => self.is_known(live),
            _ => false,
        }
    }

    fn recorded(&self, live: &[Live<V>]) -> Judgement {
        let marked: Vec<usize> = (0..live.len()).filter(|at| self.is_marked(&live[*at])).collect();
        let with_surplus = |verdict: Verdict, meant: usize| {
            let goes = |at: &&usize| **at != meant && live[**at].is_writable() && self.is_known(&live[**at]);
            Judgement { surplus: marked.iter().filter(goes).copied().collect(), ..Judgement::at(verdict, meant) }
        };
        let stays = |owner: Owner| matches!(owner, Owner::Ours { is_current: true } | Owner::Unmarked);
        let right = |at: &&usize| self.is_as_wanted(&live[**at]) && stays(live[**at].owner);
        if let Some(right) = marked.iter().find(right) {
            return with_surplus(Verdict::Same, *right);
        }
        // What topo cannot write is nothing that it knows how to take back exactly.
        let known = marked.iter().find(|at| live[**at].is_writable() && self.is_known(&live[**at]));
        let meant = known.or(marked.first()).copied();
        let meant = meant.or_else(|| live.iter().position(|one| self.is_unmarked(one)));
        let Some(meant) = meant.filter(|at| live[*at].is_writable()) else {
            return match self.wanted {
                Some(_) => self.somebody_elses(live),
                None => Judgement::at(Verdict::Lost, 0),
            };
        };
        let one = &live[meant];
        let verdict = match (self.is_marked(one), self.is_known(one), self.wanted) {
            (_, false, _) => Verdict::Altered,
            (false, true, _) if one.owner == Owner::Unmarked => Verdict::Adopt,
            (false, true, _) => Verdict::MarkLost,
            // A plan shows what a change or a removal loses.
            (true, true, _) if one.form == Form::Extended => Verdict::Altered,
            (true, true, None) => Verdict::Remove,
            (true, true, Some(_)) => Verdict::Edited,
        };
        with_surplus(verdict, meant)
    }

    fn not_recorded(&self, live: &[Live<V>]) -> Judgement {
        match (self.wanted, self.kept_free) {
            (None, true) => return self.somebody_elses(live),
            (None, false) => return Judgement::of(Verdict::Gone),
            (Some(_), _) => {}
        }
        let Some(at) = live.iter().position(|one| self.is_as_wanted(one)) else { return self.somebody_elses(live) };
        let is_free = matches!(live[at].owner, Owner::Ours { .. } | Owner::ByHand | Owner::Unmarked);
        let verdict = match (is_free && live[at].form == Form::Plain, self.take_over) {
            (true, _) => Verdict::Adopt,
            (false, true) => Verdict::TakenOver,
            (false, false) => Verdict::Provided,
        };
        Judgement::at(verdict, at)
    }

    /// A key that another holds, and that is wanted or to be kept free: a conflict, unless the user takes it over.
    fn somebody_elses(&self, live: &[Live<V>]) -> Judgement {
        let first = &live[0];
        let verdict = match first.owner {
            owner if self.take_over && first.is_writable() && owner != Owner::Untakeable => Verdict::TakenOver,
            Owner::Ours { .. } => Verdict::Stray,
            _ => Verdict::Conflict,
        };
        Judgement::at(verdict, 0)
    }
}
