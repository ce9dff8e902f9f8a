//! Causes, and the context that hands them on.

use overlays::napster::{Config, Message, Napster, Timer};
use overlays::{
    Action, Addr, Cause, Cx, Effect, Key, Note, OpId, Outcome, Parameters, Span, Stream, Time,
};

#[test]
fn hops_count_requests_and_legs_count_all() {
    let start = Cause::start(OpId(7));
    assert_eq!((start.op, start.hops, start.legs), (OpId(7), 0, 0));
    let there = start.next(false);
    assert_eq!((there.op, there.hops, there.legs), (OpId(7), 1, 1));
    let back = there.next(true);
    assert_eq!((back.op, back.hops, back.legs), (OpId(7), 1, 2));
    let full = Cause { op: OpId(7), hops: u16::MAX, legs: u16::MAX };
    assert_eq!(full.next(false), full, "long chains saturate");
    assert_eq!(Cause::UPKEEP.next(false).op, OpId::NONE);
    assert_eq!(Cause::default(), Cause::UPKEEP);
}

fn effects(recording: bool, f: impl FnOnce(&mut Cx<'_, Napster>)) -> Vec<Effect<Napster>> {
    let mut rng = Stream::Protocol.rng(1);
    let mut effects = Vec::new();
    let cause = Cause { op: OpId(3), hops: 2, legs: 4 };
    let me = Addr::from_index(1);
    let mut cx = Cx::new(Time::from_us(9), me, cause, recording, &mut rng, &mut effects);
    assert_eq!((cx.now(), cx.me(), cx.cause()), (Time::from_us(9), me, cause));
    f(&mut cx);
    effects
}

#[test]
fn effects_inherit_the_cause_but_upkeep_does_not() {
    let peer = Addr::from_index(2);
    let other = Cause::start(OpId(8));
    let list = effects(false, |cx| {
        cx.send(peer, Message::LoginAck);
        cx.wake(Span::from_s(1), Timer::Relink);
        cx.wake_upkeep(Span::from_s(1), Timer::Relink);
        cx.answer(OpId(3), 1);
        cx.finish(OpId(3), Outcome::Done);
        cx.close(peer);
        cx.on_behalf_of(other).send(peer, Message::LoginAck);
        cx.finish_search(OpId(3), Vec::new());
    });
    let ops: Vec<u32> = list.iter().map(|e| e.cause.op.0).collect();
    assert_eq!(ops, [3, 3, 0, 3, 3, 3, 8, 3]);
    assert!(matches!(list[2].action, Action::Upkeep { .. }));
    let Action::Finish { outcome, .. } = &list[7].action else { panic!("{:?}", list[7]) };
    assert_eq!(*outcome, Outcome::NotFound);
}

#[test]
fn notes_are_taken_only_while_recording() {
    let note = Note::Store { key: Key::ZERO, provider: Addr::from_index(1), stored: true };
    assert!(effects(false, |cx| cx.note(|| unreachable!("nobody records"))).is_empty());
    let list = effects(true, |cx| cx.note(|| note));
    assert!(matches!(&list[..], [Effect { action: Action::Note(n), .. }] if *n == note));
}

#[test]
fn parameter_names_are_ready_for_the_command_line() {
    for parameter in Config::default().list() {
        let fits = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(parameter.name.chars().all(fits), "{}", parameter.name);
        assert!(parameter.help.ends_with('.'), "{}: {}", parameter.name, parameter.help);
    }
}
