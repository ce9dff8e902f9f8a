//! Law: every operation ends exactly once.

use std::sync::Arc;

use overlays::{Addr, Key, OpId, Outcome, Overlay, Profile, Query, Span};

use super::lab::{Conditions, Lab, own_item};
use super::{Findings, Trial};
use crate::sim::{Request, Verb};
use crate::workload::draw;

/// How long everything is given to end.
const LONG_DRAIN: Span = Span::from_s(2 * 3600);

/// A scenario and the operations it started.
struct Scene<O: Overlay> {
    lab: Lab<O>,
    started: Vec<(OpId, Verb, u32)>,
}

impl<O: Overlay> Scene<O> {
    /// A network of `n` joined peers, with the fraction `loss` lost from then on.
    fn new(trial: &Trial<O>, n: u32, loss: f64) -> Self {
        let mut lab = Lab::new(trial, Conditions { loss, ..Conditions::default() });
        for _ in 0..n {
            let peer = lab.add_peer();
            lab.join(peer);
        }
        lab.run(Span::from_s(60));
        Self { lab, started: Vec::new() }
    }

    fn ask(&mut self, node: u32, request: &Request) -> OpId {
        let op = self.lab.ask(node, request);
        self.started.push((op, request.verb(), node));
        op
    }

    /// Everything but joining and leaving, at `node`, at once.
    fn ask_all(&mut self, node: u32) {
        self.ask(node, &Request::Insert(own_item(node, 0)));
        self.ask(node, &Request::Search(Query::exact(own_item(node + 1, 0).key())));
        self.ask(node, &Request::Search(Query::keywords("shared")));
        self.ask(node, &Request::Locate(Key::hash(&node.to_be_bytes())));
        self.ask(node, &Request::Delete(own_item(node, 0).key()));
    }

    /// Lets hours pass and complains of each operation that has not ended.
    fn close(mut self, name: &str, findings: &mut Findings) {
        self.lab.run(LONG_DRAIN);
        let mut unended = Vec::new();
        for (op, verb, node) in &self.started {
            if self.lab.ended(*op).is_none() {
                unended.push(format!("{} at n{node}", verb.name()));
            }
        }
        findings.demand(unended.is_empty(), || {
            format!(
                "{name}: {} of {} never ended, such as {}",
                unended.len(),
                self.started.len(),
                unended[0]
            )
        });
        let surplus = self.lab.sim.surplus_ends();
        findings.demand(surplus == 0, || format!("{name}: {surplus} ended more than once"));
        let open = self.lab.sim.open_operations();
        findings.demand(open == 0 || !unended.is_empty(), || {
            format!("{name}: {open} operations still cause something after {LONG_DRAIN}")
        });
    }
}

pub fn trial<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    crashes_and_loss(trial).close("30 % crash under 5 % loss", &mut findings);
    partition(trial).close("partition and heal", &mut findings);
    dead_contact(trial, &mut findings);
    colliding_joins(trial).close("two joins with one id", &mut findings);
    not_joined(trial).close("calls before joining", &mut findings);
    comings_and_goings(trial).close("calls while joining and leaving", &mut findings);
    servers_die(trial).close("all servers crash", &mut findings);
    findings
}

fn crashes_and_loss<O: Overlay>(trial: &Trial<O>) -> Scene<O> {
    let mut scene = Scene::new(trial, 20, 0.05);
    let mut members = scene.lab.joined.clone();
    draw::shuffle(&mut scene.lab.rng, &mut members);
    for &peer in &members {
        scene.ask_all(peer);
        scene.lab.run(Span::from_ms(20));
    }
    for &victim in members.iter().take(6) {
        scene.lab.crash(victim);
    }
    for &peer in members.iter().skip(6) {
        scene.ask_all(peer);
        scene.lab.run(Span::from_ms(50));
    }
    scene
}

fn partition<O: Overlay>(trial: &Trial<O>) -> Scene<O> {
    let mut scene = Scene::new(trial, 16, 0.0);
    let groups: Vec<u32> = (0..scene.lab.sim.len() as u32).map(|node| node % 2).collect();
    for healed in [false, true] {
        if healed {
            scene.lab.run(Span::from_s(90));
            scene.lab.sim.heal();
        } else {
            scene.lab.sim.partition(&groups);
        }
        for peer in scene.lab.joined.clone() {
            scene.ask_all(peer);
            scene.lab.run(Span::from_ms(50));
        }
        let newcomer = scene.lab.add_peer();
        let via = scene.lab.contacts(newcomer);
        scene.ask(newcomer, &Request::Join(via));
        let leaver = scene.lab.joined[3];
        scene.ask(leaver, &Request::Leave);
        scene.lab.joined.retain(|&n| n != leaver);
    }
    scene
}

/// Joins through a contact that is down, and through one that never was, must
/// fail.
fn dead_contact<O: Overlay>(trial: &Trial<O>, findings: &mut Findings) {
    let mut scene = Scene::new(trial, 4, 0.0);
    let dead = scene.lab.add_peer();
    scene.lab.sim.crash(dead);
    let mut joins = Vec::new();
    for contact in [dead, 1_000_000] {
        let newcomer = scene.lab.add_peer();
        joins.push(scene.ask(newcomer, &Request::Join(vec![Addr::from_index(contact)])));
        scene.ask_all(newcomer);
    }
    scene.lab.run(LONG_DRAIN);
    for op in joins {
        let outcome = scene.lab.ended(op);
        findings.demand(matches!(outcome, Some(Outcome::Failed(_))), || {
            format!("join through a dead contact: {outcome:?}")
        });
    }
    scene.close("join through a dead contact", findings);
}

/// Two nodes with one identifier join through the same member, and then both
/// once more.
fn colliding_joins<O: Overlay>(trial: &Trial<O>) -> Scene<O> {
    let mut scene = Scene::new(trial, 6, 0.0);
    let id = Key::hash(b"the same place");
    let twins = [(); 2].map(|()| {
        let addr = Addr::from_index(scene.lab.sim.len() as u32);
        scene.lab.sim.add_node(Profile::peer(addr).with_id(id))
    });
    for _ in 0..2 {
        let via = scene.lab.contacts(twins[0]);
        for twin in twins {
            scene.ask(twin, &Request::Join(via.clone()));
        }
    }
    scene.lab.run(Span::from_s(60));
    for twin in twins {
        scene.ask_all(twin);
        scene.ask(twin, &Request::Leave);
    }
    scene
}

fn not_joined<O: Overlay>(trial: &Trial<O>) -> Scene<O> {
    let mut scene = Scene::new(trial, 4, 0.0);
    let outsider = scene.lab.add_peer();
    scene.ask_all(outsider);
    scene.lab.run(Span::from_s(5));
    scene.ask(outsider, &Request::Leave);
    // A node that is down cannot do anything, and is told so by its host.
    scene.lab.run(Span::from_s(5));
    scene.ask_all(outsider);
    let hermit = scene.lab.add_peer();
    scene.ask(hermit, &Request::Join(vec![Addr::from_index(hermit)]));
    scene.ask(hermit, &Request::Join(Vec::new()));
    scene.lab.run(Span::from_s(30));
    scene.ask_all(hermit);
    scene
}

fn comings_and_goings<O: Overlay>(trial: &Trial<O>) -> Scene<O> {
    let mut scene = Scene::new(trial, 8, 0.0);
    for _ in 0..4 {
        let newcomer = scene.lab.add_peer();
        let via = scene.lab.contacts(newcomer);
        scene.ask(newcomer, &Request::Join(via.clone()));
        scene.ask_all(newcomer);
        scene.ask(newcomer, &Request::Join(via));
        scene.lab.run(Span::from_ms(30));
        scene.ask_all(newcomer);
        scene.ask(newcomer, &Request::Leave);
    }
    let leavers: Vec<u32> = scene.lab.joined.iter().copied().take(4).collect();
    for leaver in leavers {
        scene.ask_all(leaver);
        scene.ask(leaver, &Request::Leave);
        scene.ask_all(leaver);
        scene.ask(leaver, &Request::Leave);
        let via: Vec<Addr> = scene.lab.contacts(leaver);
        scene.ask(leaver, &Request::Join(via));
        scene.lab.joined.retain(|&n| n != leaver);
        scene.lab.run(Span::from_ms(40));
    }
    scene
}

/// Where there are servers, the worst that can happen: all of them die.
fn servers_die<O: Overlay>(trial: &Trial<O>) -> Scene<O> {
    let mut scene = Scene::new(trial, 6, 0.0);
    let members = scene.lab.joined.clone();
    for &peer in &members {
        scene.ask_all(peer);
    }
    for server in scene.lab.servers() {
        scene.lab.sim.crash(server);
    }
    for &peer in &members {
        scene.ask_all(peer);
        scene.ask(peer, &Request::Search(Query::keywords(own_item(peer, 0).name())));
        let item = Arc::clone(&own_item(peer, 1));
        scene.ask(peer, &Request::Insert(item));
        scene.lab.run(Span::from_ms(300));
        scene.ask(peer, &Request::Leave);
    }
    scene
}
