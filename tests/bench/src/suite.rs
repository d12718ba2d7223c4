//! The cryptography that all systems use that let one choose it.

use rustls::{
    CipherSuite,
    crypto::{CryptoProvider, ring::default_provider},
};

/// *ring* with the suite of p2pchan first, so that the same cipher is at work: its own order begins with
/// AES-256.
pub(crate) fn provider() -> CryptoProvider {
    let mut provider = default_provider();
    let first = CipherSuite::TLS13_AES_128_GCM_SHA256;
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != first);
    provider
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suite_of_p2pchan_comes_first_and_none_is_lost() {
        let suites = provider().cipher_suites;
        assert_eq!(suites[0].suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert_eq!(suites.len(), default_provider().cipher_suites.len());
    }
}
