//! Bodies of the frames in which two peers find out which subjects they share.

use std::net::SocketAddr;

use super::{
    reader::{Malformed, Reader, push_address, push_socket},
    varint::push_varint,
};
use crate::address::Address;

/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;
/// Bytes in a tag: 128 bits of HMAC-SHA-256.
pub const TAG: usize = 16;
/// The most tags in one HELLO or SUBJECTS.
pub const MAX_TAGS: usize = 256;
/// The most listen addresses in a HELLO; more would only be dialled for nothing.
pub const MAX_LISTEN: usize = 8;
/// The longest frame before the handshake is over: [`MAX_TAGS`] tags and what stands beside them.
pub const MAX_HELLO: usize = 8192;

/// The proof of one subject, for one connection and one direction.
pub type Tag = [u8; TAG];

/// What the dialler says first.
///
/// ```text
/// version      u8       1
/// features     varint   bit set; none is defined yet
/// max_message  varint   the longest message the sender takes, bytes
/// window       varint   how many bytes of DATA frames it takes per channel before it gives credit
/// observed     socket   where it sees the other side: 0 | 4 ip4 port | 6 ip16 port
/// listen       varint   count, then that many: u8 transport (1 TCP, 2 QUIC, 3 both), socket
/// tags         varint   count, then that many 16-byte tags
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// What both sides tell of themselves.
    pub about: About,
    /// Where the dialler accepts connections.
    pub listen: Vec<Address>,
    /// One tag for each subject offered, shuffled among random ones.
    pub tags: Vec<Tag>,
}

/// What both HELLO and WELCOME begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Bit set of optional abilities.
    pub features: u64,
    /// The longest message that the sender of this frame takes, in bytes.
    pub max_message: u64,
    /// The credit of each channel at its beginning, in bytes of DATA frames.
    pub window: u64,
    /// The address of the other side as the sender sees it.
    pub observed: Option<SocketAddr>,
}

/// A subject that both sides share: where its tag stood, and the proof in return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Index of the tag in the list that was offered.
    pub position: u16,
    /// The acceptor's tag.
    pub tag: Tag,
}

/// The answer to [`Hello`]: the same head, then the matches (varint count; each a varint position
/// and 16 bytes of tag), then padding up to the most that an answer to that many tags can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// What the acceptor tells of itself.
    pub about: About,
    /// The common subjects, in the order that numbers their channels.
    pub matches: Vec<Match>,
}

/// Further subjects: varint number of the offer, varint count, tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    /// Counts this side's offers on this connection: 1, 2, 3 and so on, in turn.
    pub number: u32,
    /// As in [`Hello`], bound to `number`.
    pub tags: Vec<Tag>,
}

/// The answer to [`Subjects`]: varint number, then matches as in [`Welcome`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectsAck {
    /// The offer that is answered.
    pub number: u32,
    /// The common subjects; may be empty.
    pub matches: Vec<Match>,
}

impl About {
    fn push(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        push_varint(out, self.features);
        push_varint(out, self.max_message);
        push_varint(out, self.window);
        push_socket(out, self.observed);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        if reader.u8()? != VERSION {
            return Err(Malformed("the peer speaks another version of the protocol"));
        }
        Ok(Self {
            features: reader.varint()?,
            max_message: reader.varint()?,
            window: reader.varint()?,
            observed: reader.socket()?,
        })
    }
}

impl Hello {
    /// The body of the frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(128 + TAG * self.tags.len());
        self.about.push(&mut body);
        let listen = &self.listen[..self.listen.len().min(MAX_LISTEN)];
        push_varint(&mut body, listen.len() as u64);
        for address in listen {
            push_address(&mut body, address);
        }
        push_tags(&mut body, &self.tags);
        body
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Malformed`] if it is cut off, of another version, or over a limit.
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let about = About::read(&mut reader)?;
        let mut listen = Vec::new();
        for _ in 0..reader.count(MAX_LISTEN)? {
            listen.extend(reader.address()?);
        }
        Ok(Self { about, listen, tags: read_tags(&mut reader)? })
    }
}

impl Welcome {
    /// The body of the frame, padded to what the longest answer to `offered` tags takes, so that its
    /// length does not tell how many matched.
    pub fn encode(&self, offered: usize) -> Vec<u8> {
        let mut body = Vec::new();
        self.about.push(&mut body);
        push_matches(&mut body, &self.matches, offered);
        body
    }

    /// Reads a body.
    ///
    /// # Errors
    /// As [`Hello::decode`].
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        Ok(Self { about: About::read(&mut reader)?, matches: read_matches(&mut reader)? })
    }
}

impl Subjects {
    /// The body of the frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(8 + TAG * self.tags.len());
        push_varint(&mut body, u64::from(self.number));
        push_tags(&mut body, &self.tags);
        body
    }

    /// Reads a body.
    ///
    /// # Errors
    /// As [`Hello::decode`].
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        Ok(Self { number: read_number(&mut reader)?, tags: read_tags(&mut reader)? })
    }
}

impl SubjectsAck {
    /// The body of the frame, padded as [`Welcome::encode`] does.
    pub fn encode(&self, offered: usize) -> Vec<u8> {
        let mut body = Vec::new();
        push_varint(&mut body, u64::from(self.number));
        push_matches(&mut body, &self.matches, offered);
        body
    }

    /// Reads a body.
    ///
    /// # Errors
    /// As [`Hello::decode`].
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        Ok(Self { number: read_number(&mut reader)?, matches: read_matches(&mut reader)? })
    }
}

fn push_tags(out: &mut Vec<u8>, tags: &[Tag]) {
    push_varint(out, tags.len() as u64);
    out.extend_from_slice(tags.as_flattened());
}

fn read_tags(reader: &mut Reader<'_>) -> Result<Vec<Tag>, Malformed> {
    let count = reader.count(MAX_TAGS)?;
    let (tags, _) = reader.bytes(count * TAG)?.as_chunks();
    Ok(tags.to_vec())
}

fn push_matches(out: &mut Vec<u8>, matches: &[Match], offered: usize) {
    // The count and each position take at most two bytes.
    let full = out.len() + 2 + offered * (2 + TAG);
    push_varint(out, matches.len() as u64);
    for entry in matches {
        push_varint(out, u64::from(entry.position));
        out.extend_from_slice(&entry.tag);
    }
    out.resize(out.len().max(full), 0);
}

fn read_matches(reader: &mut Reader<'_>) -> Result<Vec<Match>, Malformed> {
    (0..reader.count(MAX_TAGS)?)
        .map(|_| {
            let position = u16::try_from(reader.varint()?)
                .map_err(|_| Malformed("a position is over its limit"))?;
            Ok(Match { position, tag: reader.array()? })
        })
        .collect()
}

fn read_number(reader: &mut Reader<'_>) -> Result<u32, Malformed> {
    u32::try_from(reader.varint()?).map_err(|_| Malformed("an offer's number is over its limit"))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn about() -> impl Strategy<Value = About> {
        (0..1u64 << 62, 0..1u64 << 62, 0..1u64 << 62, any::<Option<(u32, u16)>>()).prop_map(
            |(features, max_message, window, observed)| About {
                features,
                max_message,
                window,
                observed: observed.map(|(ip, port)| (std::net::Ipv4Addr::from(ip), port).into()),
            },
        )
    }

    proptest! {
        #[test]
        fn a_hello_survives_the_wire(about in about(), tags in vec(any::<Tag>(), 0..MAX_TAGS)) {
            let at = |text: &str| text.parse().unwrap();
            let listen =
                vec![at("tcp://[2001:db8::1]:8099"), at("quic://192.0.2.7:1"), at("192.0.2.7:2")];
            let hello = Hello { about, listen, tags };
            let body = hello.encode();
            prop_assert!(body.len() < MAX_HELLO);
            prop_assert_eq!(Hello::decode(&body), Ok(hello));
        }

        #[test]
        fn a_welcome_survives_the_wire_whatever_its_padding(
            about in about(),
            matches in vec((any::<u16>(), any::<Tag>()), 0..16),
            offered in 0..MAX_TAGS,
        ) {
            let matches = matches.into_iter().map(|(position, tag)| Match { position, tag }).collect();
            let welcome = Welcome { about, matches };
            prop_assert_eq!(Welcome::decode(&welcome.encode(offered)), Ok(welcome));
        }

        #[test]
        fn reading_any_bytes_never_panics(body: Vec<u8>) {
            let _ = Hello::decode(&body);
            let _ = Welcome::decode(&body);
            let _ = Subjects::decode(&body);
            let _ = SubjectsAck::decode(&body);
        }
    }

    #[test]
    fn an_address_of_an_unknown_transport_is_skipped_and_the_rest_is_read() {
        let about = About { features: 0, max_message: 1, window: 1, observed: None };
        let known: Address = "quic://192.0.2.7:8099".parse().unwrap();
        let hello = Hello { about, listen: vec![Address::tcp(known.socket), known], tags: vec![] };
        let mut body = hello.encode();
        let unknown = body.windows(2).position(|pair| pair == [1, 4]).unwrap();
        body[unknown] = 4;
        assert_eq!(Hello::decode(&body).unwrap().listen, [known]);
    }

    #[test]
    fn a_count_over_its_limit_is_refused_before_anything_is_allocated() {
        let mut body = vec![0];
        push_varint(&mut body, super::super::varint::MAX);
        assert_eq!(Subjects::decode(&body), Err(Malformed("a count is over its limit")));
    }
}
