//! Connections that others open.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use p2pchan_proto::{
    address::Address,
    book::DialId,
    channel::{Binding, CloseCode, Reason, Session, Side},
    node::{LinkId, Output},
    time::Time,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time,
};

use super::{
    inner::{Core, Inner},
    link_events::LinkDriver,
    pause::PAUSED,
};
use crate::{
    event::Event,
    link::{Link, drive},
    transport::{
        Pipe, Secured,
        quic::{Engine, Incoming},
        tcp,
        tls::TlsPipe,
    },
};

/// How long accepting rests when the operating system has no descriptors or memory left.
const REST: Duration = Duration::from_millis(100);
/// Unproven connections beyond which QUIC asks newcomers to prove that they receive at the address they
/// write from. It costs the honest a round trip; whoever forges addresses never gets further.
const PROOF_OF_ADDRESS: usize = 32;

impl Core {
    pub(super) fn name_link(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(self.next_link)
    }
}

impl Inner {
    /// Accepts TCP connections for ever.
    pub(super) async fn accept_tcp(self: &Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => self.admit_tcp(stream, from),
                Err(error) => {
                    tracing::warn!(target: "p2pchan", %error, "accepting failed");
                    time::sleep(REST).await;
                }
            }
        }
    }

    /// Accepts QUIC connections until the engine or the node closes.
    pub(super) fn accept_quic(self: &Arc<Self>, engine: Arc<Engine>) {
        let inner = self.clone();
        self.spawn_until_closing(async move {
            while let Some(incoming) = engine.accept().await {
                inner.admit_quic(incoming);
            }
        });
    }

    fn admit_tcp(self: &Arc<Self>, stream: TcpStream, from: SocketAddr) {
        let tls = self.tls.clone();
        let handshake = async move {
            tcp::prepare(&stream)?;
            let mut pipe = Box::new(TlsPipe::server(stream, &tls)?);
            let secured = pipe.handshake().await?;
            Ok((pipe as Box<dyn Pipe>, secured))
        };
        self.admit(Address::tcp(from), handshake);
    }

    fn admit_quic(self: &Arc<Self>, incoming: Incoming) {
        if !incoming.is_proven() && self.core().unproven.len() >= PROOF_OF_ADDRESS {
            return incoming.ask_to_retry();
        }
        self.admit(Address::quic(incoming.from()), incoming.handshake());
    }

    fn admit(
        self: &Arc<Self>,
        address: Address,
        handshake: impl Future<Output = io::Result<(Box<dyn Pipe>, Secured)>> + Send + 'static,
    ) {
        // Boxed here, so that the task of an open connection does not carry it along.
        let handshake = Box::pin(handshake);
        let from = address.socket.ip();
        let crowded_out = Arc::new(Notify::new());
        let alive = self.connections.subscribe();
        let id = {
            let mut core = self.core();
            if self.is_paused() {
                return;
            }
            let id = core.name_link();
            core.unproven.insert(id, crowded_out.clone());
            if let Some(dropped) = core.admission.admit(id, from)
                && let Some(dropped) = core.unproven.remove(&dropped)
            {
                dropped.notify_one();
            }
            id
        };
        let inner = self.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = inner.clone().receive(id, address, handshake) => {}
                () = crowded_out.notified() => {}
            }
            inner.link_gone(id, from);
            drop(alive);
        });
    }

    async fn receive(
        self: Arc<Self>,
        id: LinkId,
        address: Address,
        handshake: Pin<Box<impl Future<Output = io::Result<(Box<dyn Pipe>, Secured)>> + Send>>,
    ) {
        let began = self.clock.now();
        let handshake = time::timeout(self.settings().timeouts.handshake, handshake);
        match self.while_running(handshake).await {
            None => {}
            Some(Err(_)) => tracing::debug!(target: "p2pchan", %address, "TLS took too long"),
            Some(Ok(Err(error))) => tracing::debug!(target: "p2pchan", %address, %error, "no TLS"),
            Some(Ok(Ok((pipe, secured)))) => {
                self.greet_newcomer(id, address, pipe, &secured, began).await;
            }
        }
    }

    async fn greet_newcomer(
        self: Arc<Self>,
        id: LinkId,
        address: Address,
        pipe: Box<dyn Pipe>,
        secured: &Secured,
        began: Time,
    ) {
        let link = self.begin_session(id, address, secured, began);
        self.run_link(link, pipe, None).await;
    }

    /// Begins the session of an accepted connection. Not in the task's own function, in whose memory it would stay.
    fn begin_session(
        self: &Arc<Self>,
        id: LinkId,
        address: Address,
        Secured { peer, exporter }: &Secured,
        began: Time,
    ) -> Arc<Link> {
        let binding = Binding::new(exporter, peer, &self.id);
        // TLS and HELLO share one `timeouts.handshake`.
        let mut session = Session::acceptor(self.session_config(), binding, began);
        let decided = {
            let mut core = self.core();
            core.links.handle_secured(id, *peer, Side::Acceptor, Vec::new());
            self.apply(&mut core)
        };
        if let Some(Output::Close(_, code)) = decided.front() {
            session.close(*code, "");
        } else if !self.allows(peer) {
            let reason = "it is not on the list of the setting allow".into();
            self.emit(Event::Refused { peer: *peer, address, reason });
            session.close(CloseCode::Refused, "");
        }
        Link::new(id, *peer, address, session)
    }

    pub(super) fn allows(&self, peer: &p2pchan_proto::id::PeerId) -> bool {
        self.settings().allow.as_ref().is_none_or(|allowed| allowed.contains(peer))
    }

    /// Drives a connection to its end. Whether it was open, and why it ended.
    pub(super) async fn run_link(
        self: &Arc<Self>,
        link: Arc<Link>,
        pipe: Box<dyn Pipe>,
        dial: Option<DialId>,
    ) -> (bool, Reason) {
        self.core().table.insert(link.id, link.clone());
        // Closing and pausing look at the table after they have said so: one of the two sees the other.
        if self.is_closing() {
            let now = self.clock.now();
            link.command(|shared| shared.session.shut_down(now));
        } else if self.is_paused() {
            self.close_link(&mut self.core(), &link, CloseCode::Normal, PAUSED);
        }
        let opened = Arc::new(AtomicBool::new(false));
        let driver = LinkDriver { inner: self.clone(), dial, opened: opened.clone() };
        let reason = drive(link.clone(), pipe, self.clock.clone(), driver).await;
        self.core().forget_link(link.id);
        (opened.load(Ordering::Relaxed), reason)
    }

    /// An accepted connection has ended, however.
    fn link_gone(&self, id: LinkId, from: IpAddr) {
        let mut core = self.core();
        core.admission.leave(id, from);
        core.unproven.remove(&id);
        // It may have been crowded out in the middle of anything.
        core.forget_link(id);
        core.links.handle_closed(id);
        self.apply(&mut core);
    }
}
