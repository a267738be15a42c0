//! What a look asks the kernel in one process for each address family: the start of a process costs more than its answers.

use std::fmt::Write as _;

use super::Request;
use super::question::questions;
use super::quote::quoted;

/// The question behind each part: its answer shows that the answers before it are whole.
const END: &str = "link show dev lo\n";

/// Notes the questions of a look in `$questions4` and `$questions6`. The first part is about the node itself.
pub(super) fn push_questions(script: &mut String, requests: &[Request]) {
    let mut all =
        [format!("addr show\nroute show default\nrule show\n{END}"), format!("route show default\nrule show\n{END}")];
    for request in requests {
        if let Request::List(listing) = request {
            for of_family in &mut all {
                let _ = write!(of_family, "route show table {}\n{END}", listing.table);
            }
        }
    }
    for request in requests {
        if let Request::Reach(addresses) | Request::Devices(addresses) = request {
            let _ = write!(all[0], "{}\n{END}", questions(addresses));
        }
    }
    let [questions4, questions6] = all.map(|questions| quoted(questions.trim_end()));
    let _ = writeln!(script, "questions4={questions4}\nquestions6={questions6}");
}

/// The part of the answers that belongs to a request; 0 if it was not asked with others. Tables come first, because they are the parts of
/// both address families.
pub(super) fn part(requests: &[Request], index: usize) -> usize {
    let is_list = |request: &Request| matches!(request, Request::List(_));
    let is_way = |request: &Request| matches!(request, Request::Reach(_) | Request::Devices(_));
    let count = |requests: &[Request], is: fn(&Request) -> bool| requests.iter().filter(|request| is(request)).count();
    match requests.get(index) {
        _ if !requests.contains(&Request::Identify) => 0,
        Some(request) if is_list(request) => 2 + count(&requests[..index], is_list),
        Some(request) if is_way(request) => 2 + count(requests, is_list) + count(&requests[..index], is_way),
        _ => 0,
    }
}
