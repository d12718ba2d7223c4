//! TCP sockets: listening on the first free port of a set, and dialling.

use std::{io, net::SocketAddr, time::Duration};

use p2pchan_proto::{
    error::{Error, ErrorKind},
    settings::ListenAddress,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// Connections that the kernel holds for us between two rounds of accepting.
const BACKLOG: i32 = 1024;
/// Sent bytes that stay unacknowledged for this long end the connection (RFC 5482).
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Binds the first free port of the set, in ascending order.
pub(crate) fn listen(wanted: &ListenAddress) -> Result<TcpListener, Error> {
    let mut last = None;
    for port in wanted.ports.iter() {
        match bind(SocketAddr::new(wanted.ip, port)) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(error),
            Err(error) => {
                last = Some(error);
                break;
            }
        }
    }
    let why = last.map_or_else(|| "no port is named".into(), |error| error.to_string());
    let message = format!("cannot listen on {wanted}: {why}; name another address or port");
    Err(Error::new(ErrorKind::Io, message))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Each listener means one family; whether a dual one is allowed differs between systems.
        socket.set_only_v6(true)?;
    }
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Connects; the caller bounds the time.
pub(crate) async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    prepare(&stream)?;
    Ok(stream)
}

/// Sets the options that both sides want.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Messages are gathered before they are written; the kernel must not wait for more.
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}
