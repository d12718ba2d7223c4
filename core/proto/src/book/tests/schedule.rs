use proptest::prelude::*;

use super::*;
use Action::{Announce, LookUp, Withdraw};
use Step::{Begin, Cut};

fn schedule(listening: bool) -> Schedule {
    Schedule::new(Pace::default(), listening, 7, at(0))
}

/// The one step that is due.
fn step(schedule: &mut Schedule) -> Step {
    let step = schedule.poll_output().unwrap();
    assert_eq!(schedule.poll_output(), None);
    step
}

/// Lets time pass to the next step; how long that was after `from`.
fn next_step(schedule: &mut Schedule, from: Time) -> (Duration, Step) {
    assert_eq!(schedule.poll_output(), None);
    let due = schedule.poll_timeout().unwrap();
    schedule.handle_timeout(due);
    (due - from, step(schedule))
}

/// A schedule that has announced and is about to look up every one or two minutes, at time 0.
fn settled() -> Schedule {
    let mut schedule = schedule(true);
    assert_eq!(step(&mut schedule), Begin(Announce));
    schedule.handle_done(Announce, true, at(0));
    assert_eq!(step(&mut schedule), Begin(LookUp));
    schedule.handle_alone(false, at(0));
    schedule.handle_done(LookUp, true, at(0));
    schedule
}

#[test]
fn it_announces_first_then_looks_up_at_once() {
    let mut schedule = schedule(true);
    assert!(!schedule.flushed());
    assert_eq!(step(&mut schedule), Begin(Announce));
    assert_eq!(schedule.poll_timeout(), None);
    schedule.handle_done(Announce, true, at(3));
    assert!(schedule.flushed());
    assert_eq!(step(&mut schedule), Begin(LookUp));
}

#[test]
fn the_plan_tells_what_runs_and_what_comes_next() {
    let mut schedule = schedule(true);
    step(&mut schedule);
    let announcing = Plan { running: Some(Announce), announce_at: None, look_up_at: Some(at(0)) };
    assert_eq!(schedule.plan(), announcing);
    let mut settled = settled();
    let plan = settled.plan();
    assert_eq!(plan.running, None);
    let next = plan.announce_at.min(plan.look_up_at);
    assert_eq!(next, settled.poll_timeout());
    let (_, begun) = next_step(&mut settled, at(0));
    assert_eq!(begun, Begin(LookUp));
    let looking = Plan { running: Some(LookUp), look_up_at: None, ..plan };
    assert_eq!(settled.plan(), looking);
    settled.handle_stop(at(9));
    assert_eq!(settled.plan(), Plan { announce_at: None, ..looking });
}

#[test]
fn without_a_listener_it_only_looks_up() {
    let mut schedule = schedule(false);
    assert!(schedule.flushed());
    assert_eq!(step(&mut schedule), Begin(LookUp));
    schedule.handle_done(LookUp, true, at(0));
    for _ in 0..100 {
        let now = schedule.poll_timeout().unwrap();
        assert_eq!(next_step(&mut schedule, now).1, Begin(LookUp));
        schedule.handle_done(LookUp, true, now);
    }
    schedule.handle_stop(at(9999));
    assert_eq!(schedule.poll_output(), None);
    assert!(schedule.finished());
}

#[test]
fn alone_it_looks_up_after_one_second_doubling_to_thirty() {
    let mut schedule = schedule(false);
    step(&mut schedule);
    let mut now = at(0);
    for (expected, ok) in
        [(1, true), (2, false), (4, true), (8, true), (16, true), (30, true), (30, true)]
    {
        schedule.handle_done(LookUp, ok, now);
        let (wait, next) = next_step(&mut schedule, now);
        assert_eq!(next, Begin(LookUp));
        assert!(about(wait, expected), "waited {wait:?}, not about {expected} s");
        now += wait;
    }
}

#[test]
fn with_remotes_it_looks_up_every_one_or_two_minutes_and_announces_every_ten_to_fifteen() {
    let mut schedule = settled();
    let (mut now, mut announced, mut looked) = (at(0), at(0), at(0));
    let mut waits = Vec::new();
    while now < at(7200) {
        let (wait, next) = next_step(&mut schedule, now);
        now += wait;
        let (last, least, most) = match next {
            Begin(Announce) => (&mut announced, 600, 900),
            _ => (&mut looked, 60, 120),
        };
        assert!((secs(least)..=secs(most)).contains(&(now - *last)), "{next:?} at {now:?}");
        waits.push(now - *last);
        *last = now;
        let Begin(action) = next else { panic!("{next:?}") };
        schedule.handle_done(action, true, now);
    }
    waits.sort();
    waits.dedup();
    assert!(waits.len() > 30, "the waits are jittered");
}

#[test]
fn newly_alone_it_looks_up_within_seconds_and_in_company_at_leisure() {
    let mut schedule = settled();
    schedule.handle_alone(true, at(10));
    let (wait, _) = next_step(&mut schedule, at(10));
    assert!(about(wait, 1), "{wait:?}");
    schedule.handle_done(LookUp, true, at(20));
    schedule.handle_alone(false, at(20));
    schedule.handle_alone(false, at(20));
    let (wait, _) = next_step(&mut schedule, at(20));
    assert!((secs(60)..=secs(120)).contains(&wait), "{wait:?}");
    schedule.handle_done(LookUp, true, at(200));
    schedule.handle_alone(true, at(200));
    let (wait, _) = next_step(&mut schedule, at(200));
    assert!(about(wait, 1), "alone again, it begins with the first wait: {wait:?}");
}

#[test]
fn a_lookup_that_is_almost_due_is_not_put_off_by_being_alone() {
    let mut schedule = settled();
    let due = schedule.poll_timeout().unwrap();
    schedule.handle_alone(true, Time::from_micros(due.as_micros() - 1));
    assert_eq!(schedule.poll_timeout(), Some(due));
}

#[test]
fn after_a_long_sleep_it_announces_then_looks_up() {
    let mut schedule = settled();
    schedule.handle_timeout(at(9999));
    assert_eq!(step(&mut schedule), Begin(Announce));
    schedule.handle_done(Announce, true, at(9999));
    assert_eq!(step(&mut schedule), Begin(LookUp));
}

#[test]
fn saying_alone_again_changes_nothing() {
    let mut schedule = schedule(false);
    step(&mut schedule);
    schedule.handle_done(LookUp, true, at(0));
    let due = schedule.poll_timeout();
    schedule.handle_alone(true, at(0));
    assert_eq!(schedule.poll_timeout(), due);
}

#[test]
fn a_failed_announcement_is_repeated_after_two_seconds_doubling_to_a_minute() {
    let mut schedule = schedule(true);
    step(&mut schedule);
    let mut failed_at = at(0);
    for expected in [2, 4, 8, 16, 32, 60, 60] {
        schedule.handle_done(Announce, false, failed_at);
        assert!(!schedule.flushed());
        let mut now = failed_at;
        loop {
            if schedule.poll_output() == Some(Begin(LookUp)) {
                schedule.handle_done(LookUp, true, now);
                continue;
            }
            now = schedule.poll_timeout().unwrap();
            schedule.handle_timeout(now);
            match step(&mut schedule) {
                Begin(Announce) => break,
                _ => schedule.handle_done(LookUp, true, now),
            }
        }
        assert!(about(now - failed_at, expected), "{:?}, not {expected} s", now - failed_at);
        failed_at = now;
    }
    schedule.handle_done(Announce, true, failed_at);
    assert!(schedule.flushed());
}

#[test]
fn when_the_addresses_change_it_announces_at_once() {
    let mut schedule = settled();
    schedule.handle_listening(true, at(5));
    assert_eq!(step(&mut schedule), Begin(Announce));
    // They change again while that one is on its way: what it tells is wrong already.
    schedule.handle_listening(true, at(6));
    assert_eq!(step(&mut schedule), Cut(Announce));
    schedule.handle_done(Announce, false, at(6));
    assert_eq!(step(&mut schedule), Begin(Announce));
    schedule.handle_done(Announce, true, at(8));
    // And while a lookup is.
    let (_, next) = next_step(&mut schedule, at(8));
    assert_eq!(next, Begin(LookUp));
    schedule.handle_listening(true, at(200));
    assert_eq!(step(&mut schedule), Cut(LookUp));
    schedule.handle_done(LookUp, false, at(200));
    assert_eq!(step(&mut schedule), Begin(Announce));
    schedule.handle_done(Announce, true, at(200));
    assert_eq!(step(&mut schedule), Begin(LookUp));
}

#[test]
fn a_node_that_listens_no_more_withdraws_what_it_announced() {
    let mut schedule = settled();
    schedule.handle_listening(false, at(5));
    assert_eq!(step(&mut schedule), Begin(Withdraw));
    schedule.handle_done(Withdraw, true, at(6));
    let (wait, next) = next_step(&mut schedule, at(6));
    assert_eq!(next, Begin(LookUp), "after {wait:?}");
    schedule.handle_done(LookUp, true, at(200));
    schedule.handle_listening(true, at(201));
    assert_eq!(step(&mut schedule), Begin(Announce));
}

#[test]
fn a_faster_pace_counts_at_once_and_a_slower_one_from_the_next_time_on() {
    let mut schedule = settled();
    let pace = |secs_| Pace {
        announce: (secs(secs_), secs(secs_)),
        look_up: (secs(secs_), secs(secs_)),
        ..Pace::default()
    };
    schedule.handle_pace(pace(5), at(1));
    schedule.handle_pace(pace(500), at(1));
    assert_eq!(schedule.poll_output(), None);
    assert_eq!(schedule.poll_timeout(), Some(at(6)));
    schedule.handle_timeout(at(6));
    assert_eq!(step(&mut schedule), Begin(Announce));
    schedule.handle_done(Announce, true, at(6));
    assert_eq!(step(&mut schedule), Begin(LookUp));
    schedule.handle_done(LookUp, true, at(6));
    assert_eq!(schedule.poll_timeout(), Some(at(506)));
}

#[test]
fn a_listener_that_comes_later_is_announced() {
    let mut schedule = schedule(false);
    assert_eq!(step(&mut schedule), Begin(LookUp));
    schedule.handle_listening(true, at(1));
    assert!(!schedule.flushed());
    assert_eq!(step(&mut schedule), Cut(LookUp));
    schedule.handle_done(LookUp, false, at(1));
    assert_eq!(step(&mut schedule), Begin(Announce));
}

#[test]
fn a_lookup_without_end_is_cut_for_an_announcement_and_begun_again() {
    let mut schedule = settled();
    let (now, next) = next_step(&mut schedule, at(0));
    assert_eq!(next, Begin(LookUp));
    let (due, next) = next_step(&mut schedule, at(0));
    assert_eq!(next, Cut(LookUp));
    assert!(due >= secs(610) && due <= secs(910), "{now:?} {due:?}");
    assert_eq!(schedule.poll_timeout(), None);
    schedule.handle_done(LookUp, false, Time::ZERO + due);
    assert_eq!(step(&mut schedule), Begin(Announce));
    schedule.handle_done(Announce, true, Time::ZERO + due);
    assert_eq!(step(&mut schedule), Begin(LookUp));
}

#[test]
fn what_was_announced_is_withdrawn_once_at_the_end() {
    let mut schedule = settled();
    schedule.handle_stop(at(1));
    assert!(!schedule.finished());
    assert_eq!(step(&mut schedule), Begin(Withdraw));
    schedule.handle_stop(at(1));
    assert_eq!((schedule.poll_output(), schedule.poll_timeout()), (None, None));
    assert!(!schedule.finished());
    schedule.handle_done(Withdraw, false, at(2));
    assert!(schedule.finished());
    schedule.handle_listening(true, at(3));
    schedule.handle_alone(true, at(3));
    schedule.handle_timeout(at(9999));
    assert_eq!((schedule.poll_output(), schedule.poll_timeout()), (None, None));
}

#[test]
fn stopping_cuts_what_runs_and_withdraws_even_a_half_made_announcement() {
    let mut schedule = schedule(true);
    assert_eq!(step(&mut schedule), Begin(Announce));
    schedule.handle_stop(at(1));
    assert_eq!(step(&mut schedule), Cut(Announce));
    schedule.handle_done(Announce, false, at(1));
    assert_eq!(step(&mut schedule), Begin(Withdraw));
    schedule.handle_done(Withdraw, true, at(1));
    assert!(schedule.finished());
}

#[test]
fn schedules_with_different_seeds_drift_apart() {
    let due: BTreeSet<_> = (0..100)
        .map(|seed| {
            let mut schedule = Schedule::new(Pace::default(), false, seed, at(0));
            step(&mut schedule);
            schedule.handle_done(LookUp, true, at(0));
            schedule.poll_timeout().unwrap()
        })
        .collect();
    assert!(due.len() > 90, "{}", due.len());
}

#[derive(Clone, Debug)]
enum Input {
    Done(bool),
    Alone(bool),
    Listening(bool),
    Pace(u64),
    Wait(u64),
    ToTimeout,
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        3 => any::<bool>().prop_map(Input::Done),
        1 => any::<bool>().prop_map(Input::Alone),
        1 => any::<bool>().prop_map(Input::Listening),
        1 => (1..100_u64).prop_map(Input::Pace),
        1 => (0..100_000_000_u64).prop_map(Input::Wait),
        4 => Just(Input::ToTimeout),
    ]
}

/// Drains the steps, keeping what runs: never two, and a cut only of what runs, once.
fn drain_steps(schedule: &mut Schedule, running: &mut Option<(Action, bool)>) {
    while let Some(step) = schedule.poll_output() {
        match (step, *running) {
            (Begin(action), None) => *running = Some((action, false)),
            (Cut(action), Some((runs, false))) if action == runs => *running = Some((runs, true)),
            unexpected => panic!("{unexpected:?}"),
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_one_action_runs_at_a_time_and_it_ends(
        seed: u64,
        listening: bool,
        inputs in prop::collection::vec(input(), 1..200),
    ) {
        let mut schedule = Schedule::new(Pace::default(), listening, seed, at(0));
        let (mut now, mut running) = (at(0), None);
        for input in &inputs {
            match *input {
                Input::Done(ok) => if let Some((action, _)) = running.take() {
                    schedule.handle_done(action, ok, now);
                },
                Input::Alone(alone) => schedule.handle_alone(alone, now),
                Input::Listening(listening) => schedule.handle_listening(listening, now),
                Input::Pace(least) => {
                    let announce = (secs(least), secs(least * 2));
                    schedule.handle_pace(Pace { announce, ..Pace::default() }, now);
                }
                Input::Wait(micros) => now += Duration::from_micros(micros),
                Input::ToTimeout => now = schedule.poll_timeout().unwrap_or(now).max(now),
            }
            schedule.handle_timeout(now);
            drain_steps(&mut schedule, &mut running);
            let due = schedule.poll_timeout();
            prop_assert!(due.is_none_or(|due| due > now), "a busy loop: {due:?} at {now:?}");
            prop_assert!(running.is_some() || due.is_some(), "it fell asleep");
        }
        schedule.handle_stop(now);
        for _ in 0..2 {
            drain_steps(&mut schedule, &mut running);
            if let Some((action, _)) = running.take() {
                schedule.handle_done(action, true, now);
            }
        }
        drain_steps(&mut schedule, &mut running);
        prop_assert!(schedule.finished() && running.is_none());
    }
}
