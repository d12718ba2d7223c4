//! TLS 1.3 as rustls alone does it, through its interface without buffers of its own, over blocking sockets:
//! what is left to gain for a channel of messages over TLS.
//!
//! The keys and the suite are ours, the framing that of the raw reference. Short messages are gathered into
//! 64 KiB before they are encrypted, long ones are encrypted from where they lie, 64 KiB before each write.

use std::{
    io::{Read, Write},
    net::TcpStream,
    ops::Range,
    sync::Arc,
};

use rustls::{
    client::{ClientConnectionData, UnbufferedClientConnection},
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{ConnectionState, UnbufferedStatus},
};

use crate::{
    Outcome, bare_tls,
    framed::{Framed, Pipe},
    frames::{COALESCED, Frames},
    link::GONE,
    raw,
};

/// One read takes several writes of the peer.
const READ: usize = 4 * COALESCED;
/// More than a record with what belongs to it.
const RECORD: usize = 17 << 10;

/// One of the two types by which rustls tells client and server apart.
pub(crate) trait Side: Send {
    type Data;

    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Side for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

impl Side for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

pub(crate) fn dial(address: &str) -> Outcome<Framed<RustlsPipe<UnbufferedClientConnection>>> {
    let config = Arc::new(bare_tls::client()?);
    let side = UnbufferedClientConnection::new(config, "localhost".try_into()?)?;
    RustlsPipe::over(raw::dialled(address)?, side)
}

pub(crate) fn accept() -> Outcome<Framed<RustlsPipe<UnbufferedServerConnection>>> {
    let side = UnbufferedServerConnection::new(Arc::new(bare_tls::server()?))?;
    RustlsPipe::over(raw::accepted()?, side)
}

pub(crate) struct RustlsPipe<S> {
    stream: TcpStream,
    side: S,
    /// What was read, of which these bytes are not yet decrypted.
    incoming: Vec<u8>,
    undecrypted: Range<usize>,
    /// Room for what is encrypted, of which so much has to be written.
    outgoing: Vec<u8>,
    unwritten: usize,
}

/// What stopped the engine.
enum Stop {
    /// There is new plaintext.
    Plaintext,
    /// The handshake waits for the other end.
    Handshake,
    /// It can encrypt, and decrypt more once there is more.
    Traffic,
    Closed,
}

impl<S: Side> RustlsPipe<S> {
    /// Until the handshake is over, with what the other end has sent behind it.
    fn over(stream: TcpStream, side: S) -> Outcome<Framed<Self>> {
        let mut pipe = Self {
            stream,
            side,
            incoming: vec![0; READ + RECORD],
            undecrypted: 0..0,
            outgoing: vec![0; 2 * COALESCED + RECORD],
            unwritten: 0,
        };
        let mut frames = Frames::new();
        while let Stop::Handshake = pipe.advance(&mut frames)? {
            if !pipe.read()? {
                return Err(GONE.into());
            }
        }
        Ok(Framed::with(pipe, COALESCED, frames))
    }

    /// Lets the engine work on what was read until it needs something, or has something for `frames`.
    fn advance(&mut self, frames: &mut Frames) -> Outcome<Stop> {
        loop {
            let incoming = &mut self.incoming[self.undecrypted.clone()];
            let UnbufferedStatus { mut discard, state } = self.side.process(incoming);
            let stop = match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        frames.put(record.payload);
                    }
                    Some(Stop::Plaintext)
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    self.unwritten += data.encode(&mut self.outgoing[self.unwritten..])?;
                    None
                }
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    self.send()?;
                    None
                }
                ConnectionState::BlockedHandshake => Some(Stop::Handshake),
                ConnectionState::WriteTraffic(_) => Some(Stop::Traffic),
                ConnectionState::PeerClosed | ConnectionState::Closed => Some(Stop::Closed),
                _ => {
                    return Err("rustls is in a state that TLS 1.3 without early data lacks".into());
                }
            };
            self.undecrypted.start += discard;
            if let Some(stop) = stop {
                return Ok(stop);
            }
        }
    }

    /// Waits for bytes; false when there will be none.
    fn read(&mut self) -> Outcome<bool> {
        if self.undecrypted.is_empty() {
            self.undecrypted = 0..0;
        } else if self.undecrypted.end > READ {
            self.incoming.copy_within(self.undecrypted.clone(), 0);
            self.undecrypted = 0..self.undecrypted.len();
        }
        let read = self.stream.read(&mut self.incoming[self.undecrypted.end..])?;
        self.undecrypted.end += read;
        Ok(read > 0)
    }

    /// Encrypts, behind what waits to be written. The ends take turns, so nothing has come meanwhile.
    fn encrypt(&mut self, plaintext: &[u8]) -> Outcome<()> {
        let incoming = &mut self.incoming[self.undecrypted.clone()];
        let UnbufferedStatus { discard, state } = self.side.process(incoming);
        let ConnectionState::WriteTraffic(mut traffic) = state? else {
            return Err("rustls has something else to do than to encrypt".into());
        };
        self.unwritten += traffic.encrypt(plaintext, &mut self.outgoing[self.unwritten..])?;
        self.undecrypted.start += discard;
        Ok(())
    }

    fn send(&mut self) -> Outcome<()> {
        self.stream.write_all(&self.outgoing[..self.unwritten])?;
        self.unwritten = 0;
        Ok(())
    }
}

impl<S: Side> Pipe for RustlsPipe<S> {
    #[inline]
    async fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.encrypt(bytes)?;
        self.send()
    }

    /// It is not copied before it is encrypted.
    #[inline]
    async fn write_long(&mut self, header: [u8; 4], message: &[u8]) -> Outcome<()> {
        self.encrypt(&header)?;
        for part in message.chunks(COALESCED) {
            self.encrypt(part)?;
            self.send()?;
        }
        Ok(())
    }

    #[inline]
    async fn fill(&mut self, frames: &mut Frames) -> Outcome<bool> {
        loop {
            match self.advance(frames)? {
                Stop::Plaintext => return Ok(true),
                Stop::Closed => return Ok(false),
                Stop::Handshake | Stop::Traffic if self.read()? => (),
                Stop::Handshake | Stop::Traffic => return Ok(false),
            }
        }
    }
}
