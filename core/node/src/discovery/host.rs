//! Host names and IP addresses that settings name, turned into socket addresses.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use p2pchan_proto::error::{Error, ErrorKind};
use tokio::{
    net::lookup_host,
    time::{error::Elapsed, timeout},
};

/// Answers taken for one name: a name with more is a list of machines, of which these are enough.
const MAX_ANSWERS: usize = 16;
/// How long the system's resolver may take for one name; most give up by themselves after 10 s.
const DEADLINE: Duration = Duration::from_secs(10);

/// The address that is written in `host`, if it is one; such a host needs no resolver.
pub(super) fn literal(host: &str, port: u16) -> Option<SocketAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port))
}

/// The addresses of a host: itself if it is an IP address, else what the system's resolver says,
/// at most [`MAX_ANSWERS`]. No thread of the runtime waits for it.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    if let Some(address) = literal(host, port) {
        return Ok(vec![address]);
    }
    let failed = |why: &str| {
        Error::new(
            ErrorKind::Io,
            format!("host name {host:?} (port {port}) does not resolve: {why}"),
        )
    };
    let answers: Vec<_> = timeout(DEADLINE, lookup_host((host, port)))
        .await
        .map_err(|_: Elapsed| failed("no answer within 10 s; check the name and the resolver"))?
        .map_err(|error| failed(&format!("{error}; check the name and the resolver")))?
        .take(MAX_ANSWERS)
        .collect();
    if answers.is_empty() { Err(failed("it has no address")) } else { Ok(answers) }
}
