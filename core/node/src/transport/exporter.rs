//! TLS exporters (RFC 8446, section 7.5) for rustls's unbuffered connections, which have no
//! `export_keying_material`.
//!
//! A connection gets a configuration of its own whose key log keeps the exporter secret and nothing
//! else. The exporter is derived from it once, and the secret is wiped.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use p2pchan_proto::channel::EXPORTER_LABEL;
use ring::{digest, hkdf};
use rustls::{CipherSuite, KeyLog};
use zeroize::Zeroizing;

/// A hash's output at most: SHA-384's.
type Secret = Zeroizing<Vec<u8>>;

/// Keeps the exporter secret of one connection.
#[derive(Default)]
pub(super) struct ExporterLog(Mutex<Option<Secret>>);

impl ExporterLog {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The 32 bytes of the exporter with the label of the protocol and an empty context. `None`
    /// before the handshake is done, and when asked again.
    pub(super) fn exporter(&self, suite: CipherSuite) -> Option<[u8; 32]> {
        let secret = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        match suite {
            CipherSuite::TLS13_AES_256_GCM_SHA384 => {
                derive(hkdf::HKDF_SHA384, &digest::SHA384, &secret)
            }
            _ => derive(hkdf::HKDF_SHA256, &digest::SHA256, &secret),
        }
    }
}

impl KeyLog for ExporterLog {
    fn log(&self, _: &str, _: &[u8], secret: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(Zeroizing::new(secret.to_vec()));
    }

    fn will_log(&self, label: &str) -> bool {
        label == "EXPORTER_SECRET"
    }
}

impl fmt::Debug for ExporterLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExporterLog(..)")
    }
}

/// TLS-Exporter(label, "", 32) =
/// Expand-Label(Derive-Secret(secret, label, ""), "exporter", Hash(""), 32).
fn derive(
    algorithm: hkdf::Algorithm,
    hash: &'static digest::Algorithm,
    secret: &[u8],
) -> Option<[u8; 32]> {
    let empty = digest::digest(hash, b"");
    let mut derived = Zeroizing::new(vec![0; hash.output_len()]);
    expand_label(algorithm, secret, EXPORTER_LABEL.as_bytes(), empty.as_ref(), &mut derived)?;
    let mut exporter = [0; 32];
    expand_label(algorithm, &derived, b"exporter", empty.as_ref(), &mut exporter)?;
    Some(exporter)
}

/// HKDF-Expand-Label (RFC 8446, section 7.1).
fn expand_label(
    algorithm: hkdf::Algorithm,
    secret: &[u8],
    label: &[u8],
    context: &[u8],
    out: &mut [u8],
) -> Option<()> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let length = u16::try_from(out.len()).ok()?.to_be_bytes();
    let label_length = [u8::try_from(6 + label.len()).ok()?];
    let context_length = [u8::try_from(context.len()).ok()?];
    let info = [&length[..], &label_length, b"tls13 ", label, &context_length, context];
    hkdf::Prk::new_less_safe(algorithm, secret)
        .expand(&info, Length(out.len()))
        .and_then(|okm| okm.fill(out))
        .ok()
}

#[cfg(test)]
mod tests {
    use p2pchan_proto::id::to_hex;

    use super::*;

    #[test]
    fn exporters_are_those_of_the_vectors() {
        let vectors = include_str!("../../../../tests/vectors/vectors.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        let exporters = vectors["exporters"].as_array().unwrap();
        assert_eq!(exporters.len(), 2);
        for given in exporters {
            let suite = match given["hash"].as_str().unwrap() {
                "sha384" => CipherSuite::TLS13_AES_256_GCM_SHA384,
                _ => CipherSuite::TLS13_AES_128_GCM_SHA256,
            };
            let digits = given["exporter_secret"].as_str().unwrap().as_bytes().chunks_exact(2);
            let secret: Vec<u8> = digits
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect();
            let log = ExporterLog::new();
            log.log("EXPORTER_SECRET", &[], &secret);
            assert_eq!(to_hex(&log.exporter(suite).unwrap()), given["exporter"]);
        }
    }
}
