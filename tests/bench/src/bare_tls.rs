//! Mutually authenticated TLS 1.3 with raw public keys and nothing above it: what any encrypted
//! channel that knows its peer pays for a connection.

use std::{io, sync::Arc};

use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error as TlsError, ServerConfig,
    SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls13_signature_with_raw_key},
    pki_types::{
        CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
    },
    server::{
        AlwaysResolvesServerRawPublicKeys,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

use crate::{
    Outcome,
    connect::{Connector, OPEN},
    raw_tokio::listen,
    suite::provider,
};

/// DER of an Ed25519 SubjectPublicKeyInfo (RFC 8410) up to the key.
const SPKI_PREFIX: &[u8] =
    &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The accepting end of many connections: holds each until the other end leaves.
pub(crate) async fn hold() -> Outcome<()> {
    let acceptor = TlsAcceptor::from(Arc::new(server()?));
    let listener = listen().await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // The dialling end reports what fails.
            let _ = hold_one(acceptor, stream).await;
        });
    }
}

async fn hold_one(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    stream.write_all(&[OPEN]).await?;
    stream.flush().await?;
    stream.get_ref().0.readable().await
}

/// Connections of TLS.
pub(crate) struct Tls {
    address: Arc<str>,
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    pub(crate) fn to(address: &str) -> Outcome<Self> {
        let connector = TlsConnector::from(Arc::new(client()?));
        Ok(Self { address: address.into(), connector, name: "localhost".try_into()? })
    }
}

impl Connector for Tls {
    type Ready = ();
    type Open = TlsStream<TcpStream>;

    async fn ready(&self) -> Outcome<()> {
        Ok(())
    }

    async fn connect(&self, (): ()) -> Outcome<Self::Open> {
        let stream = TcpStream::connect(&*self.address).await?;
        stream.set_nodelay(true)?;
        stream.set_zero_linger()?;
        let mut stream = self.connector.connect(self.name.clone(), stream).await?;
        match stream.read_u8().await? {
            OPEN => Ok(stream),
            other => Err(format!("byte {other} instead of the sign of an open connection").into()),
        }
    }

    async fn close(&self, _: Self::Open) -> Outcome<()> {
        Ok(())
    }
}

/// What the accepting end is set to, with a key of its own.
pub(crate) fn server() -> Outcome<ServerConfig> {
    let (provider, key) = fresh_key()?;
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(AnyKey(provider)))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// What the dialling end is set to, with a key of its own.
pub(crate) fn client() -> Outcome<ClientConfig> {
    let (provider, key) = fresh_key()?;
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey(provider)))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(key)));
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn fresh_key() -> Outcome<(Arc<CryptoProvider>, Arc<CertifiedKey>)> {
    let provider = Arc::new(provider());
    let unspecified = |_| "no key could be made";
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(unspecified)?;
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| "the key is not one")?;
    let spki = [SPKI_PREFIX, pair.public_key().as_ref()].concat();
    let secret = PrivatePkcs8KeyDer::from(pkcs8.as_ref().to_vec());
    let key = provider.key_provider.load_private_key(secret.into())?;
    Ok((provider, Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], key))))
}

/// Takes every key whose owner signs the handshake with it.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl AnyKey {
    fn signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signature, known)
    }
}

fn only_tls13() -> TlsError {
    TlsError::General("TLS 1.2 is not spoken here".into())
}

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signature(message, key, signature)
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
    ) -> Result<ClientCertVerified, TlsError> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
