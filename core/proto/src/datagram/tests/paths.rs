use std::{
    collections::BTreeMap,
    net::{SocketAddr, SocketAddrV6},
};

use proptest::{collection::vec, prelude::*};

use crate::{address::is_virtual, datagram::paths::PathTable};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn what_is_dialled_has_a_virtual_address_that_leads_there_and_back() {
    let mut table = PathTable::new(8);
    for (real, name) in [
        ("192.0.2.7:8099", "240.0.0.1:1"),
        ("[2001:db8::7]:8099", "[fd15:7032:7063:6861::2]:1"),
        ("192.0.2.7:8100", "240.0.0.3:1"),
    ] {
        assert_eq!(table.open(at(real)), Some(at(name)));
        assert_eq!(table.to_real(at(name)), Some(at(real)));
        assert_eq!(table.to_virtual(at(real)), at(name));
        assert!(is_virtual(at(name).ip()));
    }
    assert_eq!(table.len(), 3);
}

#[test]
fn addresses_without_a_path_are_left_as_they_are() {
    let table = PathTable::new(8);
    assert_eq!(table.to_real(at("192.0.2.7:1")), Some(at("192.0.2.7:1")));
    assert_eq!(table.to_virtual(at("192.0.2.7:1")), at("192.0.2.7:1"));
}

#[test]
fn nothing_is_sent_to_a_virtual_address_that_is_not_in_use() {
    let mut table = PathTable::new(8);
    let name = table.open(at("192.0.2.7:1")).unwrap();
    table.close(name);
    assert_eq!(table.to_real(name), None);
    assert_eq!(table.to_real(at("255.255.255.255:1")), None);
    assert_eq!(table.to_virtual(at("192.0.2.7:1")), at("192.0.2.7:1"));
    assert!(table.is_empty());
}

#[test]
fn a_second_use_of_a_real_address_shares_its_name_until_both_are_closed() {
    let mut table = PathTable::new(8);
    let name = table.open(at("192.0.2.7:1")).unwrap();
    assert_eq!(table.open(at("192.0.2.7:1")), Some(name));
    // A connection that comes from where this node dials.
    assert_eq!(table.hold(name), Some(name));
    assert_eq!(table.hold(at("192.0.2.7:1")), Some(name));
    for _ in 0..3 {
        table.close(name);
        assert_eq!(table.to_real(name), Some(at("192.0.2.7:1")));
    }
    table.close(name);
    assert_eq!((table.to_real(name), table.len()), (None, 0));
    table.close(name);
    assert!(table.is_empty());
}

#[test]
fn an_address_that_an_accepted_connection_holds_keeps_its_name_when_it_is_dialled() {
    let mut table = PathTable::new(8);
    let real = at("192.0.2.7:1");
    assert_eq!(table.hold(real), Some(real));
    assert_eq!(table.open(real), Some(real));
    assert_eq!((table.to_virtual(real), table.to_real(real)), (real, Some(real)));
    assert!(!table.reroute(real, at("192.0.2.8:1")));
    table.close(real);
    table.close(real);
    assert_ne!(table.open(real), Some(real));
}

#[test]
fn a_rerouted_path_sends_to_the_new_address_and_hears_only_that() {
    let mut table = PathTable::new(8);
    let (old, new) = (at("192.0.2.7:1"), at("198.51.100.9:5000"));
    let name = table.open(old).unwrap();
    assert!(table.reroute(name, new));
    assert_eq!(table.to_real(name), Some(new));
    assert_eq!(table.to_virtual(new), name);
    assert_eq!(table.to_virtual(old), old);
    assert!(table.reroute(name, new));
    let other = table.open(old).unwrap();
    assert_ne!(other, name);
    // Two paths to one address could not be told apart.
    assert!(!table.reroute(other, new));
    assert_eq!(table.to_real(other), Some(old));
    table.close(name);
    assert_eq!(table.to_virtual(new), new);
}

#[test]
fn a_path_is_never_routed_to_where_it_cannot_go() {
    let mut table = PathTable::new(8);
    let name = table.open(at("192.0.2.7:1")).unwrap();
    for nowhere in ["[2001:db8::1]:1", "240.0.0.9:1", "[fd15:7032:7063:6861::9]:1"] {
        assert!(!table.reroute(name, at(nowhere)), "{nowhere}");
    }
    assert!(!table.reroute(at("240.0.0.99:1"), at("192.0.2.8:1")));
    assert_eq!(table.to_real(name), Some(at("192.0.2.7:1")));
    assert_eq!(table.open(at("240.0.0.1:1")), None);
    assert_eq!(table.open(at("[fd15:7032:7063:6861::1]:7")), None);
    assert_eq!(table.hold(at("240.0.0.77:1")), None);
}

#[test]
fn a_full_table_takes_no_more_and_goes_on_with_what_it_has() {
    let mut table = PathTable::new(2);
    let name = table.open(at("192.0.2.1:1")).unwrap();
    table.hold(at("192.0.2.2:1")).unwrap();
    assert_eq!(table.open(at("192.0.2.3:1")), None);
    assert_eq!(table.hold(at("192.0.2.3:1")), None);
    assert_eq!(table.open(at("192.0.2.1:1")), Some(name));
    table.close(at("192.0.2.2:1"));
    assert!(table.open(at("192.0.2.3:1")).is_some());
    assert_eq!(PathTable::new(0).open(at("192.0.2.1:1")), None);
}

#[test]
fn no_virtual_address_comes_twice() {
    let mut table = PathTable::new(3);
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..10_000_u32 {
        let real = SocketAddr::from((std::net::Ipv4Addr::from(0x0a00_0000 | number), 1));
        let name = table.open(real).unwrap();
        assert!(seen.insert(name), "{name}");
        table.close(name);
    }
}

#[test]
fn a_flow_label_does_not_make_another_address_but_a_scope_does() {
    let link_local = |flow, scope| {
        SocketAddr::from(SocketAddrV6::new("fe80::1".parse().unwrap(), 7, flow, scope))
    };
    let mut table = PathTable::new(8);
    let name = table.open(link_local(0, 2)).unwrap();
    assert_eq!(table.to_virtual(link_local(99, 2)), name);
    assert_eq!(table.open(link_local(5, 2)), Some(name));
    assert_ne!(table.open(link_local(0, 3)), Some(name));
}

proptest! {
    /// What is sent to a name arrives where it was opened or rerouted to, and what comes from there
    /// has that name, whatever happens to other paths.
    #[test]
    fn the_two_directions_always_agree(steps in vec((0..4_u8, 0..6_u8, 0..6_u8), 0..60)) {
        let mut table = PathTable::new(4);
        let mut uses: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        let real = |number: u8| SocketAddr::from(([192, 0, 2, number], 7));
        for (verb, one, other) in steps {
            let name = table.to_virtual(real(one));
            match verb {
                0 => if let Some(opened) = table.open(real(one)) {
                    *uses.entry(opened).or_default() += 1;
                },
                1 => if let Some(held) = table.hold(real(one)) {
                    *uses.entry(held).or_default() += 1;
                },
                2 => { table.reroute(name, real(other)); }
                _ => {
                    table.close(name);
                    if let Some(count) = uses.get_mut(&name) {
                        *count -= 1;
                    }
                }
            }
            uses.retain(|_, count| *count > 0);
            prop_assert_eq!(table.len(), uses.len());
            prop_assert!(table.len() <= 4);
            let mut reals = std::collections::BTreeSet::new();
            for name in uses.keys() {
                let real = table.to_real(*name).unwrap();
                prop_assert_eq!(table.to_virtual(real), *name);
                prop_assert!(reals.insert(real));
            }
        }
    }
}
