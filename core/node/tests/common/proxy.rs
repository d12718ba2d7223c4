//! A TCP proxy that counts connections, and can fall silent, cut or go away.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use p2pchan::Address;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// What the proxy does with its connections.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    /// Passes everything on.
    Open,
    /// Keeps connections and passes nothing on.
    Silent,
    /// Passes everything on to the target until it has passed this many bytes, then resets both
    /// sides.
    ResetAfter(usize),
}

/// It ends, with all its connections, when it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: Address,
    accepted: Arc<AtomicUsize>,
    mode: watch::Sender<Mode>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(target: Address) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::tcp(listener.local_addr().unwrap());
        let accepted = Arc::new(AtomicUsize::new(0));
        let mode = watch::channel(Mode::Open).0;
        let (counter, modes) = (accepted.clone(), mode.subscribe());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                connections.spawn(forward(stream, target.socket, modes.clone()));
            }
        });
        Self { address, accepted, mode, task }
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut near: TcpStream, target: SocketAddr, mode: watch::Receiver<Mode>) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let ((near_in, near_out), (far_in, far_out)) = (near.split(), far.split());
    let cut = tokio::select! {
        cut = pass(near_in, far_out, mode.clone(), true) => cut,
        cut = pass(far_in, near_out, mode, false) => cut,
    };
    if cut {
        for stream in [&near, &far] {
            // Closing now sends RST instead of FIN.
            SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    }
}

/// Passes bytes on in one direction. Returns whether to reset.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
    counts: bool,
) -> bool {
    let mut buffer = vec![0; 16 * 1024];
    let mut passed = 0;
    loop {
        if mode.wait_for(|mode| *mode != Mode::Silent).await.is_err() {
            return false;
        }
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return false };
        if *mode.borrow() == Mode::Silent {
            // What came while falling silent is lost, as on a dead line.
            continue;
        }
        if let (Mode::ResetAfter(most), true) = (*mode.borrow(), counts) {
            passed += length;
            if passed > most {
                return true;
            }
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return false;
        }
    }
}
