use super::*;

/// How bogus addresses answer: refused at once, or silent until patience ends.
#[derive(Clone, Copy)]
enum Bogus {
    Refuses,
    Silent,
}

/// A service whose every lookup, one in 8 or 15 seconds, returns 20 random addresses of 1,000 bogus ones and one
/// honest. The lookup after which the honest one was dialled.
fn lookups_until_honest(seed: u64, bogus: Bogus) -> Option<u32> {
    let honest = address("192.0.2.1:7000");
    let mut chance = Random::new(seed ^ 0xf100d);
    let mut book = Book::new(Config::default(), seed);
    let mut ends: BTreeMap<(Time, DialId), ()> = BTreeMap::new();
    let mut now = at(0);
    for lookup in 1..=400 {
        for _ in 0..20 {
            let number = u16::try_from(chance.below(1001)).unwrap();
            let [high, low] = number.to_be_bytes();
            let bogus = address(&format!("198.51.{}.{low}:7000", 100 + high));
            let found = if number == 1000 { honest } else { bogus };
            book.handle_candidate(found, "bittorrent", ONE, now);
        }
        // Silence holds slots for seconds, so fewer can be dialled between two lookups.
        let next_lookup = now + secs(if matches!(bogus, Bogus::Silent) { 15 } else { 8 });
        while now <= next_lookup {
            for asked in dials(&mut book) {
                if asked.address == honest {
                    return Some(lookup);
                }
                let wait = match bogus {
                    Bogus::Refuses => Duration::from_millis(50),
                    Bogus::Silent => asked.patience,
                };
                ends.insert((now + wait, asked.dial), ());
            }
            assert!(ends.len() <= 8);
            let end = ends.keys().next().map(|(time, _)| *time);
            let due = [book.poll_timeout(), end].into_iter().flatten().min();
            let Some(due) = due.filter(|&due| due <= next_lookup) else { break };
            now = due;
            book.handle_timeout(now);
            while let Some(entry) = ends.first_entry().filter(|entry| entry.key().0 <= now) {
                let ((_, dial), ()) = entry.remove_entry();
                book.handle_dial_ended(dial, failed(Failure::Unreachable), now);
            }
        }
        now = next_lookup;
    }
    None
}

/// The honest address is among 20 of 1,001 with probability 0.02: 400 lookups miss it once in 3,000
/// seeds. Once reported, it must be dialled before the next lookup.
fn found_among(bogus: Bogus) {
    let rounds: Vec<_> = (0..50).map(|seed| lookups_until_honest(seed, bogus)).collect();
    for (seed, rounds) in rounds.iter().enumerate() {
        let reported = first_report(seed as u64);
        let rounds = rounds.unwrap_or_else(|| panic!("seed {seed}: never dialled"));
        assert!(rounds <= reported + 1, "seed {seed}: reported in {reported}, dialled in {rounds}");
    }
}

/// The lookup in which the honest address is first reported.
fn first_report(seed: u64) -> u32 {
    let mut chance = Random::new(seed ^ 0xf100d);
    (1..=400).find(|_| (0..20).filter(|_| chance.below(1001) == 1000).count() > 0).unwrap()
}

#[test]
fn an_honest_address_is_dialled_among_a_thousand_that_refuse() {
    found_among(Bogus::Refuses);
}

#[test]
fn an_honest_address_is_dialled_among_a_thousand_that_stay_silent() {
    found_among(Bogus::Silent);
}

#[test]
fn a_source_that_floods_does_not_hold_up_another() {
    for seed in 0..50 {
        let mut book = Book::new(Config::default(), seed);
        for number in 0..5000 {
            book.handle_candidate(local(number), "bittorrent", ONE, at(0));
        }
        let honest = address("127.0.0.1:1");
        assert_eq!(book.handle_candidate(honest, "lan", ONE, at(0)), Noted::New);
        assert_eq!(book.attempts().count(), 65);
        let first = dials(&mut book);
        assert!(first.iter().any(|asked| asked.address == honest), "seed {seed}");
    }
}

#[test]
fn what_another_source_found_too_is_not_displaced_by_a_flood() {
    let mut book = Book::new(Config { dials: 0, ..Config::default() }, 7);
    let honest = address("127.0.0.1:1");
    for source in ["bittorrent", "lan"] {
        book.handle_candidate(honest, source, ONE, at(0));
    }
    for number in 0..5000 {
        book.handle_candidate(local(number), "bittorrent", ONE, at(0));
    }
    assert!(book.known(honest).unwrap().sources.contains(&"lan"));
    assert!(book.attempts().count() <= 65);
}

#[test]
fn of_a_burst_every_address_has_the_same_chance_whenever_it_was_reported() {
    let (mut first, mut last) = (0, 0);
    for seed in 0..400 {
        let mut book = Book::new(Config { dials: 0, pending: 8, ..Config::default() }, seed);
        for number in 0..64 {
            book.handle_candidate(local(number), "bittorrent", ONE, at(0));
        }
        assert_eq!(book.attempts().count(), 8);
        first += (0..8).filter(|&number| book.known(local(number)).is_some()).count();
        last += (56..64).filter(|&number| book.known(local(number)).is_some()).count();
    }
    // 400 x 8 x 8/64 = 400 expected of each, with a deviation of about 19.
    assert!((300..500).contains(&first), "{first}");
    assert!((300..500).contains(&last), "{last}");
}

#[test]
fn a_dialled_or_retried_address_is_not_displaced() {
    let mut book = Book::new(Config { pending: 4, ..Config::default() }, 7);
    for number in 0..4 {
        book.handle_candidate(local(number), "bittorrent", ONE, at(0));
    }
    let asked = dials(&mut book);
    book.handle_dial_ended(asked[0].dial, failed(Failure::Unreachable), at(0));
    book.handle_dial_ended(asked[1].dial, Outcome::Opened(peer(1)), at(0));
    for number in 4..500 {
        book.handle_candidate(local(number), "bittorrent", ONE, at(0));
    }
    assert!((0..4).all(|number| book.known(local(number)).is_some()));
    assert_eq!(book.attempts().count(), 8);
}
