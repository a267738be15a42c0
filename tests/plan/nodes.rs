//! The nodes of a case: each script gets the recorded reply of its node, if that answers what the script asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use topo::transport::{BoxFuture, Shell, Target, TransportError};

use super::case::Case;
use super::record;

/// What stands in recorded replies for the word that frames them.
pub(super) const NONCE: &str = "topo0000000000000000";
/// How lines begin that say what a script asks; the others are the same in each look.
const QUESTIONS: [&str; 8] =
    ["begin ", "read_rows ", "part_rows ", "split_rows ", "[ \"$ours_digest", "form=", "route get ", "note '"];

pub(super) struct Nodes {
    case: Arc<Case>,
    /// Whether replies are made anew from `live.sh`.
    records: bool,
    /// What each node was asked, look by look.
    asked: Mutex<BTreeMap<String, Vec<String>>>,
    /// How many looks came to their end.
    answered: AtomicUsize,
}

impl Nodes {
    pub(super) fn new(case: Arc<Case>, records: bool) -> Self {
        Self { case, records, asked: Mutex::default(), answered: AtomicUsize::new(0) }
    }

    fn answer(&self, node: &str, script: &str) -> Result<Vec<u8>, TransportError> {
        if let Some(sentence) = self.case.text(&format!("nodes/{node}.unreachable")) {
            return Err(TransportError::Unreachable(sentence.trim_end().to_owned()));
        }
        let question = question(script);
        let look = {
            let mut asked = self.asked.lock().expect("no panic before");
            let looks = asked.entry(node.to_owned()).or_default();
            looks.push(question.clone());
            looks.len()
        };
        let file = if look == 1 { format!("nodes/{node}.txt") } else { format!("nodes/{node}.look-{look}.txt") };
        let nonce = script.lines().find_map(|line| line.strip_prefix("nonce=")).expect("a nonce");
        if self.records {
            match record::reply(&self.case.folder, node, script) {
                Ok(reply) => self.case.write(&file, Some(&reply.replace(nonce, NONCE))),
                Err(why) => self.case.note(why),
            }
        }
        let Some(reply) = self.case.text(&file) else {
            self.case.note(format!("{node} is asked, and there is neither {file} nor nodes/{node}.unreachable"));
            return Err(TransportError::Unreachable(format!("{node} has no reply.")));
        };
        let answered = frames(&reply, &format!("{NONCE} begin "));
        // A node that lacks what a script needs says that and nothing else.
        if answered != frames(&question, "begin ") && answered != ["lacking"] {
            self.case.note(format!("{file} does not answer what {node} is asked:\n{question}"));
        }
        self.answered.fetch_add(1, Ordering::SeqCst);
        Ok(reply.replace(NONCE, nonce).into_bytes())
    }

    /// Compares the questions with those that the replies were recorded for, or records them.
    pub(super) fn check_questions(&self) {
        let asked = self.asked.lock().expect("no panic before");
        if self.answered.load(Ordering::SeqCst) != asked.values().map(Vec::len).sum::<usize>() {
            self.case.note("not every look was answered".to_owned());
        }
        let mut nodes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (node, looks) in asked.iter() {
            for (look, question) in looks.iter().enumerate() {
                let node = if look == 0 { node.clone() } else { format!("{node} (look {})", look + 1) };
                nodes.entry(question).or_default().push(node);
            }
        }
        let texts = nodes.iter().map(|(question, nodes)| format!("# {}\n{question}", nodes.join(", ")));
        let text = texts.collect::<Vec<_>>().concat();
        if self.records {
            self.case.write("asked", (!text.is_empty()).then_some(text.as_str()));
        } else if self.case.text("asked").unwrap_or_default() != text {
            self.case.note(format!("the nodes are asked something else than their replies were recorded for:\n{text}"));
        }
    }
}

/// The way to the nodes.
pub(super) struct Way(pub(super) Arc<Nodes>);

impl Shell for Way {
    fn run<'a>(&'a self, at: &'a Target, script: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, TransportError>> {
        let script = std::str::from_utf8(script).expect("a script");
        Box::pin(std::future::ready(self.0.answer(at.name.as_str(), script)))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What a script asks.
fn question(script: &str) -> String {
    let asks = |line: &&str| QUESTIONS.iter().any(|start| line.starts_with(start));
    // Without the words of the shell around it.
    let plain = |line: &str| {
        let line = line.strip_prefix("if ").unwrap_or(line);
        let line = line.strip_suffix("; then").or(line.strip_suffix(" &&")).unwrap_or(line);
        let line = line.strip_prefix("ask_ways '").unwrap_or(line);
        if line.starts_with("route get ") { line.split('\'').next().unwrap_or_default() } else { line }.to_owned()
    };
    // Each question is gathered first, and stands once more where its answer is read.
    let script = script.split_once("\nquestions6=").map_or(script, |(_, behind)| behind);
    let lines: Vec<String> = script.lines().map(plain).collect();
    lines.iter().map(String::as_str).filter(asks).flat_map(|line| [line, "\n"]).collect()
}

/// The kinds of frames of a question or a reply.
fn frames<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.strip_prefix(start)).collect()
}
