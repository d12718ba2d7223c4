//! TLS 1.3 with raw public keys (RFC 7250): no certificates, no authorities, no names.
//!
//! Each side shows its Ed25519 key as a SubjectPublicKeyInfo of 44 bytes and proves that it has the
//! private half. Which key is welcome is decided later, by the subjects that its owner can prove
//! and by `allow`; here it only has to be a key. Session tickets, resumption, 0-RTT and server
//! names are off: they would let connections be linked or replayed.

use std::sync::Arc;

use p2pchan_proto::{
    error::{Error, ErrorKind},
    id::PeerId,
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error as TlsError,
    ServerConfig, SignatureScheme,
    client::{
        ResolvesClientCert, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms,
        ring::{cipher_suite, default_provider},
        verify_tls13_signature_with_raw_key,
    },
    pki_types::{
        CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
    },
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};

use crate::identity::Identity;

/// What both sides name in the handshake; anything else is another protocol.
pub(crate) const ALPN: &[u8] = b"libp2pchan/1";

/// DER of an Ed25519 SubjectPublicKeyInfo (RFC 8410) up to the key.
const SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// DER of a PKCS #8 Ed25519 private key (RFC 8410) up to the seed.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The TLS configurations of one node.
#[derive(Clone)]
pub(crate) struct TlsConfigs {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
}

impl TlsConfigs {
    pub(crate) fn new(identity: &Identity) -> Result<Self, Error> {
        Self::with_provider(identity, provider())
    }

    pub(crate) fn with_provider(
        identity: &Identity,
        provider: CryptoProvider,
    ) -> Result<Self, Error> {
        let internal = |error| Error::new(ErrorKind::Internal, format!("TLS set-up: {error}"));
        let provider = Arc::new(provider);
        let key = certified(identity, &provider).map_err(internal)?;
        let verify = Arc::new(Verify(provider.signature_verification_algorithms));
        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(internal)?
            .dangerous()
            .with_custom_certificate_verifier(verify.clone())
            .with_client_cert_resolver(key.clone());
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.enable_sni = false;
        client.resumption = Resumption::disabled();
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(internal)?
            .with_client_cert_verifier(verify)
            .with_cert_resolver(key);
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.send_tls13_tickets = 0;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }
}

/// Passed explicitly, never installed for the whole process. AES-128 first: as strong as the curve
/// and the fastest; *ring*'s own order begins with AES-256.
pub(crate) fn provider() -> CryptoProvider {
    let cipher_suites = vec![
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
    ];
    CryptoProvider { cipher_suites, ..default_provider() }
}

fn certified(identity: &Identity, provider: &CryptoProvider) -> Result<Arc<OwnKey>, TlsError> {
    let pkcs8 = [&PKCS8_PREFIX[..], identity.seed()].concat();
    let key = provider.key_provider.load_private_key(PrivatePkcs8KeyDer::from(pkcs8).into())?;
    let spki = [&SPKI_PREFIX[..], identity.id().as_bytes()].concat();
    Ok(Arc::new(OwnKey(Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], key)))))
}

/// The identity in what a peer showed as its certificate.
pub(crate) fn peer_id(certificates: Option<&[CertificateDer<'_>]>) -> Option<PeerId> {
    let [spki] = certificates? else { return None };
    let key = spki.as_ref().strip_prefix(&SPKI_PREFIX)?;
    Some(PeerId::from_bytes(key.try_into().ok()?))
}

#[derive(Debug)]
struct OwnKey(Arc<CertifiedKey>);

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

/// Takes every Ed25519 key whose owner signs the handshake with it.
#[derive(Debug)]
struct Verify(WebPkiSupportedAlgorithms);

impl Verify {
    fn key(
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
    ) -> Result<(), TlsError> {
        let known = others.is_empty() && peer_id(Some(std::slice::from_ref(certificate))).is_some();
        known.then_some(()).ok_or(TlsError::InvalidCertificate(CertificateError::BadEncoding))
    }

    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let spki = SubjectPublicKeyInfoDer::from(certificate.as_ref());
        verify_tls13_signature_with_raw_key(message, &spki, signature, &self.0)
    }
}

fn only_tls13() -> TlsError {
    TlsError::General("TLS 1.2 is not spoken here".into())
}

impl ServerCertVerifier for Verify {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Self::key(certificate, others).map(|()| ServerCertVerified::assertion())
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
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Verify {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        Self::key(certificate, others).map(|()| ClientCertVerified::assertion())
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
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
