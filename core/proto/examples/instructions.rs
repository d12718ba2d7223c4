//! One hot path of the protocol, a given number of times, for `tests/bench/instructions`, which counts what
//! it costs: `instructions WORK SIZE COUNT`.
//!
//! - `send`: a message is framed into the buffer of its channel, and taken out to be written.
//! - `receive`: frames are read where they lie, and messages are handed out.
//! - `cut`: the same, but each frame comes in two parts, so its beginning has to be kept.
//! - `round-trip`: a message goes to the other session and back, alone.
//!
//! Nothing here depends on a clock, on chance, or on what else the machine does.

use std::{hint::black_box, time::Duration};

use p2pchan_proto::{
    channel::{
        Binding, BlockPool, Budget, ChannelId, Config, Event, Offer, Session, Taken, common,
    },
    id::PeerId,
    subject::{Subject, SubjectKey, SubjectName},
    time::Time,
    wire::{FrameType, Kind, push_frame, push_varint},
};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const CHANNEL: ChannelId = ChannelId(0);
const NOW: Time = Time::ZERO;
/// Messages lie together as in a busy connection, up to about this many bytes.
const TOGETHER: usize = 64 << 10;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, size, count] = &arguments[..] else {
        return Err("usage: instructions send|receive|cut|round-trip SIZE COUNT".into());
    };
    let (message, count) = (vec![7; size.parse()?], count.parse()?);
    let mut pair = Pair::open()?;
    match work.as_str() {
        "send" => pair.send(&message, count),
        "receive" => pair.receive(&message, count, usize::MAX),
        "cut" => pair.receive(&message, count, message.len() / 2),
        "round-trip" => pair.round_trips(&message, count),
        _ => Err(format!("there is no work {work}; send, receive, cut or round-trip").into()),
    }
}

/// Two sessions with one common subject.
struct Pair {
    dialler: Session,
    acceptor: Session,
}

impl Pair {
    fn open() -> Outcome<Self> {
        let subject = Subject::derive(SubjectName::Topic([1; 32]), None)?;
        let ids = [PeerId::from_bytes([2; 32]), PeerId::from_bytes([3; 32])];
        let binding = Binding::new(&[1; 32], &ids[0], &ids[1]);
        let offer = Offer::new([(SubjectKey(0), &subject)], &binding, &[4; 32]);
        let mut pair = Self {
            dialler: Session::dialler(config(), binding, offer, None, vec![], NOW),
            acceptor: Session::acceptor(config(), binding, NOW),
        };
        transfer(&mut pair.dialler, &mut pair.acceptor);
        let Some(Event::Hello(hello)) = pair.acceptor.poll_event() else {
            return Err("no HELLO came".into());
        };
        let binding = pair.acceptor.peer_binding(0);
        let common = common(&hello.tags, [(SubjectKey(0), &subject)], &binding);
        pair.acceptor.welcome(&common, hello.tags.len(), None, NOW);
        transfer(&mut pair.acceptor, &mut pair.dialler);
        while pair.dialler.poll_event().is_some() || pair.acceptor.poll_event().is_some() {}
        match pair.dialler.live_channels() {
            1 => Ok(pair),
            _ => Err("the subject did not become a channel".into()),
        }
    }

    fn send(&mut self, message: &[u8], count: usize) -> Outcome<()> {
        let together = (TOGETHER / message.len()).max(1);
        for sent in 1..=count {
            queue(&mut self.dialler, message)?;
            if sent % together == 0 {
                let mut bytes = 0;
                while let Some(transmit) = self.dialler.poll_transmit(NOW) {
                    bytes += black_box(&transmit).bytes.len();
                    self.dialler.recycle(transmit);
                }
                self.dialler.handle_bytes(&credit(bytes), NOW);
            }
        }
        Ok(())
    }

    /// The same bytes come again and again, in parts of which none is longer than `part`.
    fn receive(&mut self, message: &[u8], count: usize, part: usize) -> Outcome<()> {
        let together = (TOGETHER / message.len()).max(1);
        let mut bytes = Vec::new();
        for _ in 0..together {
            queue(&mut self.dialler, message)?;
        }
        while let Some(transmit) = self.dialler.poll_transmit(NOW) {
            bytes.extend_from_slice(&transmit.bytes);
        }
        for _ in 0..count / together {
            for part in bytes.chunks(part.min(TOGETHER)) {
                self.acceptor.handle_bytes(part, NOW);
                while let Some(credit) = self.acceptor.poll_transmit(NOW) {
                    self.acceptor.recycle(credit);
                }
            }
            if take(&mut self.acceptor) != together {
                return Err("messages are missing".into());
            }
        }
        Ok(())
    }

    fn round_trips(&mut self, message: &[u8], count: usize) -> Outcome<()> {
        for _ in 0..count {
            queue(&mut self.dialler, message)?;
            transfer(&mut self.dialler, &mut self.acceptor);
            let there = take(&mut self.acceptor);
            queue(&mut self.acceptor, message)?;
            transfer(&mut self.acceptor, &mut self.dialler);
            if (there, take(&mut self.dialler)) != (1, 1) {
                return Err("a message is missing".into());
            }
        }
        Ok(())
    }
}

fn config() -> Config {
    Config {
        max_message: 16 << 20,
        window: 4 << 20,
        high_water: 1 << 20,
        low_water: 256 << 10,
        channels: 64,
        handshake_timeout: Duration::from_secs(5),
        close_timeout: Duration::from_secs(5),
        ping_interval: Duration::from_secs(15),
        idle_timeout: Duration::from_secs(60),
        budget: Budget::new(64 << 20),
        pool: BlockPool::default(),
    }
}

fn queue(session: &mut Session, message: &[u8]) -> Outcome<()> {
    let sent = session.send(CHANNEL, Kind::Bytes, message);
    sent.map(drop).map_err(|error| format!("a message was not queued: {error:?}").into())
}

/// Hands over everything that one side has for the other.
fn transfer(from: &mut Session, to: &mut Session) {
    while let Some(transmit) = from.poll_transmit(NOW) {
        to.handle_bytes(&transmit.bytes, NOW);
        from.recycle(transmit);
    }
}

/// How many messages there were.
fn take(session: &mut Session) -> usize {
    let count = match session.take(CHANNEL).0 {
        Taken::Messages(batch) => batch.map(black_box).count(),
        _ => 0,
    };
    session.consumed(CHANNEL, || NOW);
    count
}

/// What a peer says that has read this many bytes.
fn credit(bytes: usize) -> Vec<u8> {
    let (mut body, mut frame) = (Vec::new(), Vec::new());
    push_varint(&mut body, CHANNEL.0);
    push_varint(&mut body, bytes as u64);
    push_frame(&mut frame, FrameType::Credit, &body);
    frame
}
