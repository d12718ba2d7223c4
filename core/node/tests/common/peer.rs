//! A peer that speaks TLS and frames by hand, as badly as a test wants. It takes every key.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    sync::Arc,
};

use p2pchan::{Address, CloseCode, Identity, PeerId};
use p2pchan_proto::{
    channel::{Binding, EXPORTER_LABEL, Offer},
    subject::{Subject, SubjectKey, SubjectName},
    wire::{About, Close, FrameType, Hello, Welcome, push_frame, read_varint},
};
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, DistinguishedName, Error,
    ServerConfig, ServerConnection, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) const ALPN: &[u8] = b"libp2pchan/1";
/// The DER of an Ed25519 public key (RFC 8410) up to the key.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The DER of an Ed25519 private key up to the seed.
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A connection of a peer by hand.
pub(crate) struct Peer {
    stream: TcpStream,
    tls: Connection,
    /// Decrypted and not yet read.
    unread: Vec<u8>,
    dialled: bool,
    own: PeerId,
}

impl Peer {
    /// Connects and gets through TLS.
    pub(crate) async fn dial(address: Address, seed: [u8; 32]) -> Self {
        Self::dial_with(address.socket, seed, ALPN).await.unwrap()
    }

    pub(crate) async fn dial_with(
        address: SocketAddr,
        seed: [u8; 32],
        alpn: &[u8],
    ) -> io::Result<Self> {
        Self::dial_for(address, seed, vec![alpn.to_vec()]).await
    }

    pub(crate) async fn dial_without_protocol(
        address: SocketAddr,
        seed: [u8; 32],
    ) -> io::Result<Self> {
        Self::dial_for(address, seed, vec![]).await
    }

    async fn dial_for(
        address: SocketAddr,
        seed: [u8; 32],
        protocols: Vec<Vec<u8>>,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let config = client_config(seed, protocols);
        let name = ServerName::try_from("anybody").unwrap();
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        Self::shake_hands(stream, tls.into(), seed, true).await
    }

    /// Gets an accepted connection through TLS.
    pub(crate) async fn accept(stream: TcpStream, seed: [u8; 32]) -> io::Result<Self> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_client_cert_verifier(Arc::new(AnyKey))
            .with_cert_resolver(OwnKey::new(seed));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.send_tls13_tickets = 0;
        let tls = ServerConnection::new(Arc::new(config)).unwrap();
        Self::shake_hands(stream, tls.into(), seed, false).await
    }

    async fn shake_hands(
        stream: TcpStream,
        mut tls: Connection,
        seed: [u8; 32],
        dialled: bool,
    ) -> io::Result<Self> {
        tls.set_buffer_limit(None);
        let own = Identity::from_seed(&seed).unwrap().id();
        let mut peer = Self { stream, tls, unread: Vec::new(), dialled, own };
        while peer.tls.is_handshaking() {
            peer.flush().await?;
            if peer.tls.is_handshaking() && !peer.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        peer.flush().await?;
        Ok(peer)
    }

    /// The identity that the other side has shown.
    pub(crate) fn other(&self) -> PeerId {
        let key = &self.tls.peer_certificates().unwrap()[0];
        PeerId::from_bytes(key.as_ref().strip_prefix(&SPKI).unwrap().try_into().unwrap())
    }

    /// What proofs on this connection are bound to.
    pub(crate) fn binding(&self) -> Binding {
        let label = EXPORTER_LABEL.as_bytes();
        let exporter = self.tls.export_keying_material([0; 32], label, Some(b"")).unwrap();
        let (own, other) = (self.own, self.other());
        let (dialler, acceptor) = if self.dialled { (own, other) } else { (other, own) };
        Binding::new(&exporter, &dialler, &acceptor)
    }

    /// An honest offer of a topic on this connection.
    pub(crate) fn offer(&self, topic: [u8; 32]) -> Offer {
        let subject = Subject::derive(SubjectName::Topic(topic), None).unwrap();
        Offer::new([(SubjectKey(0), &subject)], &self.binding(), &[3; 32])
    }

    /// Proves a topic honestly; the channel 0 is open then.
    pub(crate) async fn open(address: Address, seed: [u8; 32], topic: [u8; 32]) -> Self {
        let mut peer = Self::dial(address, seed).await;
        let tags = peer.offer(topic).tags().to_vec();
        peer.frame(FrameType::Hello, &hello(tags).encode()).await;
        let (kind, body) = peer.read_frame().await.expect("an answer");
        assert_eq!(kind, FrameType::Welcome as u8);
        assert_eq!(Welcome::decode(&body).unwrap().matches.len(), 1);
        peer
    }

    /// Sends bytes as they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tls.writer().write_all(bytes)?;
        self.flush().await
    }

    /// Sends a frame. That the other side may hang up meanwhile is its right.
    pub(crate) async fn frame(&mut self, kind: FrameType, body: &[u8]) {
        let mut bytes = Vec::new();
        push_frame(&mut bytes, kind, body);
        let _ = self.write(&bytes).await;
    }

    /// The next bytes; none at the end.
    pub(crate) async fn read(&mut self) -> io::Result<Vec<u8>> {
        while self.unread.is_empty() && self.fill().await? {}
        Ok(std::mem::take(&mut self.unread))
    }

    /// The next frame; `None` at the end.
    pub(crate) async fn read_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((length, head)) = read_varint(&self.unread)
                && let Some(frame) = self.unread.get(head..head + usize::try_from(length).unwrap())
            {
                let (kind, body) = (frame[0], frame[1..].to_vec());
                let used = head + 1 + body.len();
                self.unread.drain(..used);
                return Some((kind, body));
            }
            if !self.fill().await.unwrap_or(false) {
                return None;
            }
        }
    }

    /// All frames that still come, up to the end, and why the other side closed, if it said so.
    pub(crate) async fn last_frames(&mut self) -> (Vec<(u8, Vec<u8>)>, Option<CloseCode>) {
        let (mut frames, mut code) = (Vec::new(), None);
        while let Some((kind, body)) = self.read_frame().await {
            if kind == FrameType::Close as u8 {
                code = Some(CloseCode::from_wire(Close::decode(&body).unwrap().code));
                let _ = self.stream.shutdown().await;
            } else {
                frames.push((kind, body));
            }
        }
        (frames, code)
    }

    /// Why the other side closed.
    pub(crate) async fn closed(&mut self) -> Option<CloseCode> {
        self.last_frames().await.1
    }

    async fn flush(&mut self) -> io::Result<()> {
        let mut records = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records)?;
        }
        self.stream.write_all(&records).await
    }

    /// Reads once from the socket; false at the end.
    async fn fill(&mut self) -> io::Result<bool> {
        let mut buffer = vec![0; 16 * 1024];
        let length = self.stream.read(&mut buffer).await?;
        let mut left = &buffer[..length];
        while !left.is_empty() {
            self.tls.read_tls(&mut left)?;
            let state = self.tls.process_new_packets().map_err(io::Error::other)?;
            let before = self.unread.len();
            self.unread.resize(before + state.plaintext_bytes_to_read(), 0);
            self.tls.reader().read_exact(&mut self.unread[before..])?;
        }
        Ok(length > 0)
    }
}

/// A HELLO of a peer without peculiarities.
/// TLS of a dialler, as a node has it.
pub(crate) fn client_config(seed: [u8; 32], protocols: Vec<Vec<u8>>) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey))
        .with_client_cert_resolver(OwnKey::new(seed));
    config.alpn_protocols = protocols;
    config
}

pub(crate) fn hello(tags: Vec<[u8; 16]>) -> Hello {
    let about = About { features: 0, max_message: 1 << 24, window: 1 << 20, observed: None };
    Hello { about, listen: vec![], tags }
}

#[derive(Debug)]
struct OwnKey(Arc<CertifiedKey>);

impl OwnKey {
    fn new(seed: [u8; 32]) -> Arc<Self> {
        let pkcs8 = PrivatePkcs8KeyDer::from([&PKCS8[..], &seed].concat());
        let key = default_provider().key_provider.load_private_key(pkcs8.into()).unwrap();
        let id = Identity::from_seed(&seed).unwrap().id();
        let spki = CertificateDer::from([&SPKI[..], id.as_bytes()].concat());
        Arc::new(Self(Arc::new(CertifiedKey::new(vec![spki], key))))
    }
}

impl ResolvesClientCert for OwnKey {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for OwnKey {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }
}

/// Believes everybody: an attacker does not care.
#[derive(Debug)]
struct AnyKey;

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
