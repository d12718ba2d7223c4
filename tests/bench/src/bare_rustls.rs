//! TLS 1.3 as rustls alone does it, through its interface without buffers of its own, over blocking sockets:
//! what is left to gain for a channel of messages over TLS.
//!
//! The keys and the suite are ours, the framing that of the raw reference. Short messages are gathered into
//! 64 KiB before they are encrypted, long ones are encrypted from where they lie, 64 KiB before each write.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
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
    frames::{COALESCED, Frames, append, header},
    link::{GONE, Link},
    play::announce,
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

pub(crate) struct RustlsLink<S> {
    stream: TcpStream,
    side: S,
    /// What was read, of which these bytes are not yet decrypted.
    incoming: Vec<u8>,
    undecrypted: Range<usize>,
    /// Room for what is encrypted, of which so much has to be written.
    outgoing: Vec<u8>,
    unwritten: usize,
    gathered: Vec<u8>,
    frames: Frames,
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

impl RustlsLink<UnbufferedClientConnection> {
    pub(crate) fn dial(address: &str) -> Outcome<Self> {
        let config = Arc::new(bare_tls::client()?);
        let side = UnbufferedClientConnection::new(config, "localhost".try_into()?)?;
        Self::over(TcpStream::connect(address)?, side)
    }
}

impl RustlsLink<UnbufferedServerConnection> {
    pub(crate) fn accept() -> Outcome<Self> {
        let side = UnbufferedServerConnection::new(Arc::new(bare_tls::server()?))?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        announce(&listener.local_addr()?)?;
        Self::over(listener.accept()?.0, side)
    }
}

impl<S: Side> RustlsLink<S> {
    fn over(stream: TcpStream, side: S) -> Outcome<Self> {
        stream.set_nodelay(true)?;
        let mut link = Self {
            stream,
            side,
            incoming: vec![0; READ + RECORD],
            undecrypted: 0..0,
            outgoing: vec![0; 2 * COALESCED],
            unwritten: 0,
            gathered: Vec::with_capacity(2 * COALESCED),
            frames: Frames::new(),
        };
        while let Stop::Handshake = link.advance()? {
            if !link.read()? {
                return Err(GONE.into());
            }
        }
        Ok(link)
    }

    /// Lets the engine work on what was read until it needs something, or has something.
    fn advance(&mut self) -> Outcome<Stop> {
        loop {
            let incoming = &mut self.incoming[self.undecrypted.clone()];
            let UnbufferedStatus { mut discard, state } = self.side.process(incoming);
            let stop = match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        self.frames.put(record.payload);
                    }
                    Some(Stop::Plaintext)
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    self.unwritten += data.encode(&mut self.outgoing[self.unwritten..])?;
                    None
                }
                ConnectionState::TransmitTlsData(data) => {
                    self.stream.write_all(&self.outgoing[..self.unwritten])?;
                    self.unwritten = 0;
                    data.done();
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

    /// Encrypts, behind what waits to be written.
    fn encrypt(&mut self, plaintext: &[u8]) -> Outcome<()> {
        // What came meanwhile has its turn, and is kept.
        loop {
            match self.advance()? {
                Stop::Traffic => break,
                Stop::Plaintext => (),
                Stop::Handshake | Stop::Closed => return Err(GONE.into()),
            }
        }
        let incoming = &mut self.incoming[self.undecrypted.clone()];
        let ConnectionState::WriteTraffic(mut traffic) = self.side.process(incoming).state? else {
            return Err("rustls could encrypt, and then could not".into());
        };
        self.unwritten += traffic.encrypt(plaintext, &mut self.outgoing[self.unwritten..])?;
        Ok(())
    }

    fn write(&mut self) -> Outcome<()> {
        self.stream.write_all(&self.outgoing[..self.unwritten])?;
        self.unwritten = 0;
        Ok(())
    }

    fn write_gathered(&mut self) -> Outcome<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let gathered = std::mem::take(&mut self.gathered);
        self.encrypt(&gathered)?;
        self.gathered = gathered;
        self.gathered.clear();
        self.write()
    }

    /// A long message is not copied before it is encrypted.
    fn write_long(&mut self, message: &[u8]) -> Outcome<()> {
        self.write_gathered()?;
        self.encrypt(&header(message)?)?;
        for part in message.chunks(COALESCED) {
            self.encrypt(part)?;
            self.write()?;
        }
        Ok(())
    }
}

impl<S: Side> Link for RustlsLink<S> {
    #[inline]
    async fn send(&mut self, message: &[u8]) -> Outcome<()> {
        if message.len() >= COALESCED {
            return self.write_long(message);
        }
        append(&mut self.gathered, message)?;
        if self.gathered.len() >= COALESCED { self.write_gathered() } else { Ok(()) }
    }

    #[inline]
    async fn flush(&mut self) -> Outcome<()> {
        self.write_gathered()
    }

    #[inline]
    async fn receive<T>(&mut self, take: impl FnOnce(&[u8]) -> T + Send) -> Outcome<Option<T>> {
        loop {
            if let Some(message) = self.frames.next()? {
                return Ok(Some(take(self.frames.at(message))));
            }
            match self.advance()? {
                Stop::Plaintext => (),
                Stop::Closed => return Ok(None),
                Stop::Handshake | Stop::Traffic if self.read()? => (),
                Stop::Handshake | Stop::Traffic => return Ok(None),
            }
        }
    }

    async fn close(self) -> Outcome<()> {
        Ok(())
    }
}
