//! Sorting what the kernel merged.

use std::net::SocketAddr;

use proptest::prelude::*;
use quinn::udp::RecvMeta;

use super::sort::{Queues, Sorted, queue};

const FROM: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7);

fn meta(len: usize, stride: usize) -> RecvMeta {
    RecvMeta { addr: FROM, len, stride, ecn: None, dst_ip: None }
}

/// Datagrams of one length with a shorter last one, as the kernel merges them.
fn merged() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let first = prop_oneof![Just(0x97), Just(b'd'), Just(0x40), Just(0xc0), Just(0), any::<u8>()];
    let datagram = move |length: usize| {
        (first.clone(), proptest::collection::vec(any::<u8>(), length)).prop_map(
            |(first, mut it)| {
                it[0] = first;
                if first == b'd' && it.len() > 2 {
                    let last = it.len() - 1;
                    (it[1], it[last]) = (b'1', b'e');
                }
                it
            },
        )
    };
    (1usize..64, 1usize..40).prop_flat_map(move |(length, count)| {
        (proptest::collection::vec(datagram(length), count), datagram(1.max(length / 2))).prop_map(
            |(mut all, last)| {
                all.push(last);
                all
            },
        )
    })
}

proptest! {
    #[test]
    fn every_datagram_of_a_merged_buffer_goes_where_it_belongs(datagrams in merged()) {
        use p2pchan_proto::datagram::{Class, classify};
        let of = |class| datagrams.iter().filter(move |it| classify(it) == class).cloned();
        let stride = datagrams[0].len();
        let mut buffer = datagrams.concat();
        let ((own, mut own_queue), (krpc, mut krpc_queue)) = (queue(), queue());
        let queues = Queues { own: Some(own), krpc: Some(krpc) };
        let mut meta = meta(buffer.len(), stride);
        Sorted::default().sort(&mut buffer, &mut meta, &queues);

        let quic: Vec<_> = of(Class::Quic).collect();
        prop_assert_eq!(&buffer[..meta.len], quic.concat());
        for (class, queue) in [(Class::Own, &mut own_queue), (Class::Krpc, &mut krpc_queue)] {
            for expected in of(class) {
                let packet = queue.try_recv().unwrap();
                prop_assert_eq!((packet.from, &packet.bytes[..]), (FROM, &expected[..]));
            }
            prop_assert!(queue.try_recv().is_err());
        }
    }
}

#[test]
fn a_full_queue_drops_the_newest_and_counts_it() {
    let (own, mut packets) = queue();
    let (sorted, queues) = (Sorted::default(), Queues { own: Some(own), krpc: None });
    for number in 0..2000u32 {
        let mut packet = [&[0x97][..], &number.to_be_bytes()].concat();
        let length = packet.len();
        sorted.sort(&mut packet, &mut meta(length, length), &queues);
    }
    let dropped = sorted.dropped.into_inner();
    let mut kept = 0u32;
    while let Ok(packet) = packets.try_recv() {
        assert_eq!(packet.bytes[1..], kept.to_be_bytes());
        kept += 1;
    }
    assert_eq!(u64::from(kept) + dropped, 2000);
    assert!(dropped > 0);
}

#[test]
fn empty_and_strange_datagrams_are_counted_and_leave_nothing_for_quic() {
    let sorted = Sorted::default();
    for mut datagram in [vec![], vec![0], vec![0x97], b"d1:ae".to_vec(), vec![0x03; 20]] {
        let length = datagram.len();
        let mut meta = meta(length, length);
        sorted.sort(&mut datagram, &mut meta, &Queues::default());
        assert_eq!(meta.len, 0);
    }
    assert_eq!(sorted.dropped.into_inner(), 5);
}
