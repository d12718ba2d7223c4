//! The settings as their users meet them: keys and values in, typed settings or an error out.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::error::{Error, ErrorKind};

fn changes<V: Into<Value>>(pairs: impl IntoIterator<Item = (&'static str, V)>) -> Changes {
    pairs.into_iter().collect()
}

fn with<V: Into<Value>>(
    pairs: impl IntoIterator<Item = (&'static str, V)>,
) -> Result<Settings, Error> {
    Settings::default().with(&changes(pairs))
}

#[test]
fn without_changes_nothing_is_opened_and_everyone_is_welcome() {
    let settings = Settings::default().with(&Changes::new()).unwrap();
    assert!(settings.listen.is_empty());
    assert_eq!(settings.identity, IdentitySource::Fresh);
    assert_eq!(settings.allow, None);
    assert!(settings.discovery.seeds.is_empty());
    assert_eq!(settings.discovery.bittorrent.settings(), None);
}

#[test]
fn the_defaults_keep_their_own_rules() {
    let defaults = Settings::default();
    assert_eq!(defaults.with(&defaults.to_changes()).unwrap(), defaults);
}

#[test]
fn what_differs_from_the_defaults_is_listed_without_secrets() {
    assert_eq!(Settings::default().differences(), Changes::new());
    let seed = "5eed".repeat(16);
    let settings = with([("identity", &*seed), ("limits.dials", "9")]).unwrap();
    let shown = changes([("identity", Value::from("(not shown)")), ("limits.dials", 9.into())]);
    assert_eq!(settings.differences(), shown);
}

#[test]
fn text_serves_for_every_type() {
    let settings = with([
        ("listen", "127.0.0.1:3401~3499, [::1]:0"),
        ("limits.message", "1MiB"),
        ("limits.dials", "4"),
        ("timeouts.dial", "1500ms"),
        ("discovery.announce_interval", "1m~2m"),
        ("discovery.seeds", "a.example:1,192.0.2.1:2"),
        ("discovery.bittorrent.port", "6881"),
    ])
    .unwrap();
    assert_eq!(settings.listen.len(), 2);
    assert_eq!(settings.limits.message, 1 << 20);
    assert_eq!(settings.limits.dials, 4);
    assert_eq!(settings.timeouts.dial, Duration::from_millis(1500));
    assert_eq!(settings.discovery.announce_interval.longest, Duration::from_secs(120));
    assert_eq!(settings.discovery.seeds.len(), 2);
    assert_eq!(settings.discovery.bittorrent.port, Some(6881));
}

#[test]
fn changes_merge_and_null_restores_a_default() {
    let first = with([("limits.dials", 4), ("limits.waiting", 5)]).unwrap();
    let second = first.with(&changes([("limits.dials", None::<u8>)])).unwrap();
    assert_eq!(second.limits.dials, Settings::default().limits.dials);
    assert_eq!(second.limits.waiting, 5);
}

#[test]
fn an_error_leaves_the_old_settings_as_they_were() {
    let before = with([("limits.dials", 4)]).unwrap();
    let after = before.clone();
    assert!(after.with(&changes([("limits.dials", 5), ("limits.waiting", -1)])).is_err());
    assert_eq!(after, before);
}

#[test]
fn a_bittorrent_port_alone_means_the_public_network() {
    let port = with([("discovery.bittorrent.port", 6881)]).unwrap();
    let client = port.discovery.bittorrent.settings().unwrap();
    assert_eq!((client.bootstrap, client.port), (Bootstrap::Public, 6881));

    let own = changes([("discovery.bittorrent.bootstrap", Value::List(vec![]))]);
    let own = port.with(&own).unwrap().discovery.bittorrent.settings().unwrap();
    assert_eq!((own.bootstrap, own.port), (Bootstrap::Hosts(vec![]), 6881));

    let off = port.with(&changes([("discovery.bittorrent.port", Value::Null)])).unwrap();
    assert_eq!(off.discovery.bittorrent.settings(), None);
}

#[test]
fn a_bittorrent_bootstrap_alone_takes_any_port_on_all_interfaces() {
    let settings = with([("discovery.bittorrent.bootstrap", "127.0.0.1:6881")]).unwrap();
    let client = settings.discovery.bittorrent.settings().unwrap();
    assert_eq!((client.port, client.address), (0, Ipv4Addr::UNSPECIFIED));
}

#[test]
fn an_empty_allow_list_is_nobody_and_none_is_everyone() {
    let nobody = with([("allow", Value::List(vec![]))]).unwrap();
    assert_eq!(nobody.allow, Some(BTreeSet::new()));
    assert_eq!(nobody.with(&changes([("allow", Value::Null)])).unwrap().allow, None);
}

/// Each mistake, and what its message must contain beside the key.
#[test]
fn every_mistake_is_told_with_key_value_and_fix() {
    let text = |text: &str| Value::Text(text.into());
    let mistakes: [(&str, Value, &[&str]); 17] = [
        ("limits.mesage", 1.into(), &["does not exist", "limits.message?"]),
        ("timeouts.dail", text("5s"), &["timeouts.dial?"]),
        ("bootstrap", text("public"), &["discovery.bittorrent.bootstrap?"]),
        ("colour", text("red"), &["the keys are listen, transports, identity"]),
        ("limits.message", true.into(), &["= true", "a boolean", "16MiB"]),
        ("discovery.bittorrent.port", 65536.into(), &["= 65536", "0 to 65535"]),
        ("listen", text("0.0.0.0:65536"), &["\"65536\"", "0 to 65535"]),
        ("listen", text("0.0.0.0:8099-9000"), &["0.0.0.0:8099-9000", "8099~9000"]),
        ("listen", Value::List(vec![]), &["= []", "empty list", "null"]),
        ("listen", text("0.0.0.0:0~9"), &["port 0"]),
        ("limits.waiting", (-3).into(), &["= -3", "negative"]),
        ("limits.message", text("2GiB"), &["\"2GiB\"", "too large", "1KiB to 1GiB"]),
        ("limits.message", u64::MAX.into(), &["18446744073709551615", "too large"]),
        ("allow", text("1234"), &["\"1234\"", "64 lower-case"]),
        ("timeouts.dial", 5.into(), &["= 5", "no unit", "5s"]),
        ("discovery.lookup_interval", text("2m~1m"), &["reversed", "1m~2m"]),
        ("discovery.bittorrent.address", text("127.0.0.1"), &["off", "bootstrap"]),
    ];
    for (key, value, contained) in mistakes {
        let error = with([(key, value)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Settings);
        for part in [&[key], contained].concat() {
            assert!(error.message().contains(part), "{part:?} is missing in: {error}");
        }
    }
}

#[test]
fn a_key_that_is_fixed_while_the_node_runs_may_be_named_but_not_changed() {
    let before = with([("identity", SEED), ("runtime.threads", "2")]).unwrap();
    let after = before.with(&changes([("runtime.threads", "2"), ("limits.dials", "3")])).unwrap();
    assert_eq!(before.check_hot(&after), Ok(()));
    let other = before.with(&changes([("runtime.threads", 3)])).unwrap();
    let error = before.check_hot(&other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Settings);
    assert!(error.message().contains("runtime.threads = 3"), "{error}");
    assert!(error.message().contains("start the node anew"), "{error}");
    // Also when the file or the seed is a secret.
    let error = before.check_hot(&Settings::default()).unwrap_err();
    assert!(error.message().contains("identity") && !error.message().contains("0707"), "{error}");
}

#[test]
fn values_that_contradict_each_other_are_refused_by_both_names() {
    for ((left, left_value), (right, right_value)) in [
        (("limits.low_water", "2MiB"), ("limits.high_water", "1MiB")),
        (("limits.low_water", "1MiB"), ("limits.high_water", "1MiB")),
        (("limits.message", "32MiB"), ("limits.reassembly", "16MiB")),
    ] {
        let error = with([(left, left_value), (right, right_value)]).unwrap_err();
        for part in [left, left_value, right, right_value] {
            assert!(error.message().contains(part), "{part:?} is missing in: {error}");
        }
    }
    let phrases = Value::from(["first", "second"]);
    let error = with([("subjects", phrases), ("limits.subjects", 1.into())]).unwrap_err();
    for part in ["subjects = 2 phrases", "at most limits.subjects = 1"] {
        assert!(error.message().contains(part), "{part:?} is missing in: {error}");
    }
    // The order in which keys are read must not matter: together they are right.
    assert!(with([("limits.high_water", "8MiB"), ("limits.low_water", "2MiB")]).is_ok());
    assert!(with([("limits.message", "128MiB"), ("limits.reassembly", "1GiB")]).is_ok());
}

#[test]
fn a_message_never_shows_a_seed_or_a_page_of_text() {
    let seed = "5EED".repeat(16);
    let error = with([("identity", &*seed)]).unwrap_err();
    assert!(error.message().contains("identity") && !error.message().contains("5EED"), "{error}");
    let phrase = Value::List(vec!["5EED".into(), 5.into()]);
    let error = with([("subjects", phrase)]).unwrap_err();
    assert!(error.message().contains("subjects") && !error.message().contains("5EED"), "{error}");
    for name in KEYS.iter().map(|key| key.name).filter(|name| *name != "identity") {
        let error = with([(name, "\u{1F642}".repeat(10_000))]).unwrap_err();
        assert!(error.message().len() < 3000, "{name}: {} bytes", error.message().len());
    }
}

#[test]
fn every_key_is_explained_in_whole_sentences() {
    let mut seen = BTreeSet::new();
    for key in KEYS {
        assert!(seen.insert(key.name), "{} stands twice in the table", key.name);
        for text in [key.meaning, key.trade_off] {
            assert!(text.ends_with('.') && !text.contains(['|', '\n']), "{}: {text}", key.name);
            assert!(!text.contains("  "), "{}: {text}", key.name);
        }
        assert!(!key.range().is_empty() && !key.default_text().is_empty(), "{}", key.name);
    }
}

const SEED: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// Texts that one key or another takes, and some that none does.
const TEXTS: &[&str] = &[
    "public",
    "tcp",
    "[]",
    "127.0.0.1:6881",
    "0.0.0.0:8099",
    "[::]:1~5,9",
    "example.org:1,[::1]:2",
    "0",
    "1",
    "7",
    "255",
    "300KiB",
    "700KiB",
    "1MiB",
    "80MiB",
    "200MiB",
    "1s",
    "150ms",
    "45s",
    "20m",
    "5s~7s",
    "1m~1h",
    "127.0.0.1",
    "keys/node",
    "true",
    SEED,
    "~",
    "",
    "-1",
];

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_i64..70_000).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9a-z:~,.\\[\\]-]{0,24}".prop_map(Value::from),
        prop::sample::select(TEXTS).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 16, 6, |inner| prop::collection::vec(inner, 0..6).prop_map(Value::from))
}

fn any_change() -> impl Strategy<Value = (&'static str, Value)> {
    (prop::sample::select(KEYS.iter().map(|key| key.name).collect::<Vec<_>>()), any_value())
}

proptest! {
    #[test]
    fn any_value_for_any_name_is_taken_or_refused_without_panic(name: String, value in any_value()) {
        let error = Settings::default().with(&[(name, value)].into_iter().collect()).unwrap_err();
        prop_assert_eq!(error.kind(), ErrorKind::Settings);
    }

    #[test]
    fn what_is_accepted_reads_back_the_same(tried in prop::collection::vec(any_change(), 1..80)) {
        let mut settings = Settings::default();
        for (name, value) in tried {
            if let Ok(next) = settings.with(&[(name, value)].into_iter().collect()) {
                settings = next;
            }
        }
        let written = settings.to_changes();
        prop_assert_eq!(&Settings::default().with(&written).unwrap(), &settings);
        // Complete: whatever was set before, these changes lead to the same settings.
        let other = with([("allow", "[]"), ("discovery.bittorrent.port", "1"), ("limits.dials", "3")]);
        prop_assert_eq!(&other.unwrap().with(&written).unwrap(), &settings);
    }
}

#[test]
fn a_key_changes_its_own_value_and_no_other() {
    let defaults = Settings::default().to_changes();
    // The address of BitTorrent alone is refused, as its own test says.
    for key in KEYS.iter().filter(|key| key.name != "discovery.bittorrent.address") {
        let changed = TEXTS.iter().find_map(|text| {
            let next = with([(key.name, *text)]).ok()?;
            (next != Settings::default()).then_some(next)
        });
        let changed = changed.unwrap_or_else(|| panic!("no text changes {}", key.name));
        let written = changed.to_changes();
        let differ = written.iter().filter(|(name, value)| defaults.value(name) != Some(value));
        assert_eq!(differ.map(|(name, _)| name).collect::<Vec<_>>(), [key.name]);
        let restored = changed.with(&changes([(key.name, Value::Null)])).unwrap();
        assert_eq!(restored, Settings::default(), "{}", key.name);
    }
}
