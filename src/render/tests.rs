use std::ops::ControlFlow;

use super::text::{self, Look, Outcome};
use crate::network::Memo;
use crate::plan::summary::fixture::{World, live, place, plan_of, prefix, seen};
use crate::plan::{Conflict, Desired, Note, Observation, Options, Place, Plan, Refusal, Summary};
use crate::state::State;
use crate::topology::Name;

fn nothing() -> State {
    State::new(Name::new("mesh").expect("name")).expect("lineage")
}

fn render(plan: &Plan) -> String {
    text::plan(plan, &Summary::new(plan, &mut Memo::default()), Look::default(), false)
}

fn planned(desired: &Desired, state: &State, answers: Vec<(Place, Observation)>) -> Plan {
    plan_of(desired, state, answers, &Options::default())
}

#[test]
fn show() {
    let world = World::mesh(3, 3);
    eprintln!("{}", render(&planned(&world.desired(), &nothing(), vec![])));
    let world = World::mesh(30, 30);
    eprintln!("{}", render(&planned(&world.desired(), &nothing(), vec![])));
    eprintln!("{}", render(&planned(&World::mesh(31, 31).desired(), &world.state(), vec![])));
    eprintln!("{}", render(&planned(&World::mesh(29, 29).desired(), &world.state(), vec![])));
    let options = Options { destroy: true, ..Options::default() };
    let small = World::mesh(6, 2);
    eprintln!("{}", render(&plan_of(&Desired::default(), &small.state(), vec![], &options)));
    let state = world.state();
    let mut after = world.clone();
    after.0[5].pods[0] = prefix("192.168.5.0/24");
    let pods = after.0[8].pods.pop().expect("pods");
    after.0[9].pods.push(pods);
    let mut answers = Vec::new();
    for name in ["node-1", "node-2"] {
        answers.push(seen(&state, name, |rows| rows.retain(|row| row.destination != prefix("172.16.20.0/24"))));
    }
    answers.push(seen(&state, "node-3", |rows| {
        rows.iter_mut().filter(|row| row.destination == prefix("172.16.21.0/24")).for_each(|row| {
            row.next_hop = "10.128.0.99".parse().ok();
            row.protocol = 3;
        })
    }));
    for name in ["node-4", "node-5"] {
        answers.push(seen(&state, name, |rows| rows.push(live("192.168.5.0/24", "10.128.0.15", 80))));
    }
    answers.push(seen(&state, "node-6", |rows| rows.push(live("192.168.5.0/24", "10.128.0.77", 4))));
    answers
        .push((place("node-7"), Observation::Unreachable("ssh to 10.128.0.17 port 22 timed out after 10 s.".into())));
    eprintln!("{}", render(&planned(&after.desired(), &state, answers)));
    let answers = (0..6).map(|index| {
        seen(&small.state(), &format!("node-{index}"), |rows| rows.iter_mut().for_each(|row| row.protocol = 3))
    });
    eprintln!("{}", render(&planned(&small.desired(), &nothing(), answers.collect())));
    eprintln!("{}", render(&planned(&small.desired(), &small.state(), vec![])));
    let _ = (ControlFlow::<()>::Continue(()), Note::Replaced(place("a")), Outcome::default());
    let _ = Refusal::LineageLost(place("a"));
    let _: Option<Conflict> = None;
}
