//! Known peers: addresses and host names that the settings name.

use p2pchan_proto::{
    address::{Address, TransportKind},
    error::{Error, ErrorKind},
};
use tokio::task::JoinSet;

use super::{
    host,
    service::{BoxFuture, DiscoveryService, Found, Topic},
};

/// Names asked for at once. The system's resolver takes a thread for each.
const MAX_RESOLVING: usize = 8;

/// Peers that the user named. Each lookup reports all of them, names freshly resolved, and IP
/// addresses first because they need no resolver. Seeds are told nothing: there is no announcement.
#[derive(Clone, Debug)]
pub struct Seeds {
    hosts: Vec<(TransportKind, String, u16)>,
}

impl Seeds {
    /// What it is called.
    pub(crate) const NAME: &'static str = "seeds";

    /// Seeds at these hosts: how to speak there, an IP address or a name, and a port.
    pub fn new(hosts: impl IntoIterator<Item = (TransportKind, String, u16)>) -> Self {
        Self { hosts: hosts.into_iter().collect() }
    }

    async fn report(&self, found: &Found) -> Result<(), Error> {
        let mut names = Vec::new();
        for (transport, host, port) in &self.hosts {
            match host::literal(host, *port) {
                Some(socket) => found.address(Address { transport: *transport, socket }),
                None => names.push((*transport, host.clone(), *port)),
            }
        }
        let failures = resolve_all(names, |address| found.address(address)).await;
        let Some(first) = failures.first() else { return Ok(()) };
        let messages: Vec<_> = failures.iter().map(Error::message).collect();
        Err(Error::new(first.kind(), messages.join("; ")))
    }
}

/// Resolves the names, [`MAX_RESOLVING`] at once, and returns what failed.
async fn resolve_all(
    names: Vec<(TransportKind, String, u16)>,
    report: impl Fn(Address),
) -> Vec<Error> {
    let mut failures = Vec::new();
    let mut names = names.into_iter();
    let mut resolving = JoinSet::new();
    loop {
        while resolving.len() < MAX_RESOLVING
            && let Some((transport, name, port)) = names.next()
        {
            resolving.spawn(async move { (transport, host::resolve(&name, port).await) });
        }
        match resolving.join_next().await {
            None => return failures,
            Some(Ok((transport, Ok(sockets)))) => {
                sockets.into_iter().for_each(|socket| report(Address { transport, socket }));
            }
            Some(Ok((_, Err(error)))) => failures.push(error),
            Some(Err(error)) => failures
                .push(Error::new(ErrorKind::Internal, format!("resolving a seed failed: {error}"))),
        }
    }
}

impl DiscoveryService for Seeds {
    fn name(&self) -> &str {
        Self::NAME
    }

    /// Reports every address of every seed.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], naming each name that does not resolve; the others have been reported.
    fn look_up<'a>(
        &'a self,
        _topic: &'a Topic,
        found: &'a Found,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.report(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::testing::{collector, topic};

    async fn look_up(hosts: &[(&str, u16)]) -> (Vec<String>, Result<(), Error>) {
        let host = |(host, port): &(&str, u16)| (TransportKind::Any, (*host).to_owned(), *port);
        let seeds = Seeds::new(hosts.iter().map(host));
        let (found, addresses) = collector();
        let outcome = seeds.look_up(&topic("seeds", &[]), &found).await;
        let addresses = addresses.lock().unwrap().iter().map(ToString::to_string).collect();
        (addresses, outcome)
    }

    #[tokio::test]
    async fn ip_addresses_are_reported_as_they_are_written() {
        let (addresses, outcome) =
            look_up(&[("192.0.2.7", 8099), ("2001:db8::1", 1), ("[2001:db8::2]", 2)]).await;
        outcome.unwrap();
        assert_eq!(addresses, ["192.0.2.7:8099", "[2001:db8::1]:1", "[2001:db8::2]:2"]);
    }

    #[tokio::test]
    async fn the_transport_of_a_seed_is_reported_with_it() {
        let seeds = Seeds::new([
            (TransportKind::Quic, "192.0.2.7".to_owned(), 8099),
            (TransportKind::Tcp, "localhost".to_owned(), 1),
        ]);
        let (found, addresses) = collector();
        seeds.look_up(&topic("seeds", &[]), &found).await.unwrap();
        let addresses: Vec<_> = addresses.lock().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(addresses[0], "quic://192.0.2.7:8099");
        assert!(addresses.len() > 1);
        assert!(
            addresses[1..].iter().all(|address| address.starts_with("tcp://")),
            "{addresses:?}"
        );
    }

    #[tokio::test]
    async fn a_name_is_resolved() {
        let (addresses, outcome) = look_up(&[("localhost", 8099)]).await;
        outcome.unwrap();
        let reported = |address: &str| addresses.iter().any(|found| found == address);
        assert!(reported("127.0.0.1:8099") || reported("[::1]:8099"), "{addresses:?}");
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_is_named_and_keeps_no_other_seed_back() {
        let (addresses, outcome) =
            look_up(&[("nobody.invalid", 1), ("127.0.0.1", 8099), ("nothing.invalid", 2)]).await;
        let error = outcome.unwrap_err();
        assert_eq!(addresses, ["127.0.0.1:8099"]);
        assert!(error.message().contains("\"nobody.invalid\""), "{error}");
        assert!(error.message().contains("\"nothing.invalid\""), "{error}");
        assert_eq!(error.kind(), ErrorKind::Io);
    }

    #[tokio::test]
    async fn more_names_than_are_resolved_at_once_are_all_resolved() {
        let hosts: Vec<_> = (1..=20).map(|port| ("localhost", port)).collect();
        let (addresses, outcome) = look_up(&hosts).await;
        outcome.unwrap();
        for port in 1..=20 {
            assert!(addresses.iter().any(|address| address.ends_with(&format!(":{port}"))));
        }
    }
}
