//! The messages of a run to nodes and to Azure, in one numbering, and what goes wrong with one of them.

use std::sync::{Mutex, MutexGuard};

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// A look at a node.
    Look,
    /// A write on a node.
    Write,
    /// A question about one resource in Azure.
    Get,
    /// A question for a list in Azure.
    List,
    /// The question which routes are in force.
    Effective,
    /// A write of a resource in Azure that is not there yet.
    Create,
    /// A write of a resource in Azure that is there.
    Update,
    /// The deletion of a resource in Azure.
    Delete,
}

/// What goes wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mishap {
    /// The message does not get there, or it is refused: 401, 404, 429 beyond patience, 5xx for a question.
    NotSent,
    /// Azure refuses it: 403, 409. A node lacks what the message needs.
    Refused,
    /// Somebody changes the resource just before: 412.
    Moved,
    /// The connection breaks before the message has its effect.
    LostBefore,
    /// The connection breaks behind the effect.
    LostBehind,
    /// The message has its effect, the answer is lost, and somebody changes the resource then.
    Overtaken,
    /// Azure accepts the write, and it fails in the end.
    Failed,
    /// A part of the answer is missing.
    Half,
    /// The answer does not say what was asked.
    Nonsense,
    /// The answer contradicts what is there: it is not there, or it is as before the write.
    Contradiction,
}

impl Form {
    /// What can go wrong with such a message. Mishaps that are the same for whoever sent it are in the list once.
    pub(crate) fn mishaps(self) -> &'static [Mishap] {
        use Mishap::{
            Contradiction, Failed, Half, LostBefore, LostBehind, Moved, Nonsense, NotSent, Overtaken, Refused,
        };
        match self {
            Self::Look => &[NotSent, Half, Nonsense],
            Self::Write => &[NotSent, Refused, LostBefore, LostBehind, Half, Nonsense],
            Self::Get => &[NotSent, Half, Nonsense, Contradiction],
            Self::List => &[NotSent, Nonsense],
            Self::Effective => &[NotSent],
            Self::Create => &[NotSent, Refused, LostBefore, LostBehind, Overtaken, Failed, Nonsense],
            Self::Update => {
                &[NotSent, Refused, Moved, LostBefore, LostBehind, Overtaken, Failed, Nonsense, Contradiction]
            }
            Self::Delete => &[NotSent, Refused, Moved, LostBefore, LostBehind],
        }
    }
}

/// A message of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) form: Form,
    /// The name of the node, or of the resource.
    pub(crate) to: String,
}

/// Numbers messages.
#[derive(Default)]
pub(crate) struct Post(Mutex<Sent>);

#[derive(Default)]
struct Sent {
    messages: Vec<Message>,
    /// The number of a message, counted from 0, and what goes wrong with it.
    mishap: Option<(usize, Mishap)>,
}

impl Post {
    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.0.lock().expect("no panic before")
    }

    /// Numbers anew. This goes wrong with the message of this number.
    pub(crate) fn begin(&self, mishap: Option<(usize, Mishap)>) {
        *self.sent() = Sent { messages: Vec::new(), mishap };
    }

    /// Counts a message, and says what goes wrong with it.
    pub(crate) fn send(&self, form: Form, to: &str) -> Option<Mishap> {
        let mut sent = self.sent();
        sent.messages.push(Message { form, to: to.to_owned() });
        let number = sent.messages.len() - 1;
        sent.mishap.filter(|(at, _)| *at == number).map(|(_, mishap)| mishap)
    }

    /// The messages since the numbering began.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.sent().messages.clone()
    }
}
