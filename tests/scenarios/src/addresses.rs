//! Addresses at which there is nobody to connect to.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
};

/// A port that was free a moment ago, one where a web server answers, and one that never says a word: the
/// names are those in scenarios.toml. The last two are there as long as the process.
pub(crate) fn addresses() -> io::Result<BTreeMap<String, String>> {
    let (nobody, _) = bound()?;
    let (stranger, web) = bound()?;
    thread::spawn(move || web.incoming().flatten().for_each(|caller| drop(answer(caller))));
    let (silent, waits) = bound()?;
    // The system completes connections that nobody accepts.
    Box::leak(Box::new(waits));
    let named = [("$nobody", nobody), ("$stranger", stranger), ("$silent", silent)];
    Ok(named.into_iter().map(|(name, at)| (name.to_owned(), format!("tcp://{at}"))).collect())
}

/// As web servers do when they do not understand.
fn answer(mut caller: TcpStream) -> io::Result<()> {
    let asked = caller.read(&mut [0; 1024])?;
    if asked > 0 {
        caller.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")?;
    }
    caller.shutdown(Shutdown::Write)?;
    // What closes with something unread takes back what it has said.
    io::copy(&mut caller, &mut io::sink()).map(drop)
}

fn bound() -> io::Result<(SocketAddr, TcpListener)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok((listener.local_addr()?, listener))
}
