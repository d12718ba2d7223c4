//! One end of one run: a process of its own, on a core of its own where there is one.

use std::{io, os::unix::process::CommandExt, process::Command};

use crate::{
    Outcome,
    arguments::{End, Role, System, Work},
    bare_quinn, bare_rustls,
    bare_tls::{self, Tls},
    figures::Figures,
    frames::COALESCED,
    idle, in_c, in_node, in_python, in_rivals, latency, machine, many,
    ours::{self, OurLink, Remotes},
    play::{self, over, say, through},
    raw,
    raw_tokio::{self, Plain},
    script_rivals,
};

const ONE_ONLY: &str = "QUIC, C, Python and Node are measured with one connection only";

/// Becomes a program in another language, which stays on the core of this process and takes the rest of
/// the role as arguments. The search path for libraries that cargo sets leads to others first.
pub(crate) fn become_program(mut command: Command, role: &Role) -> Outcome<()> {
    command.arg(role.amount.size.to_string()).arg(role.amount.milliseconds.to_string());
    if role.end == End::Dial {
        command.arg(&role.address);
    }
    let error: io::Error = command.env_remove("LD_LIBRARY_PATH").exec();
    Err(error.into())
}

/// Plays the role until its end.
pub(crate) fn run(role: Role) -> Outcome<()> {
    if let Some(core) = role.core {
        machine::stay_on(core)?;
    }
    if matches!(role.system, System::CBatch | System::CData | System::CDispatch) {
        return in_c::play(&role);
    }
    if let Some(name) = in_python::name(role.system) {
        return in_python::play(&role, name);
    }
    if let Some(name) = in_node::name(role.system) {
        return in_node::play(&role, name);
    }
    if let Some(outcome) = script_rivals::play(&role) {
        return outcome;
    }
    if in_rivals::plays(role.system) {
        return in_rivals::play(&role);
    }
    play::run(play(role))
}

async fn play(role: Role) -> Outcome<()> {
    match role.work {
        Work::Connect | Work::Memory if role.end == End::Accept => hold(&role).await,
        Work::Connect | Work::Memory => many_connections(&role).await,
        Work::Many => tell(many::turns::play(&role).await?.as_ref()),
        Work::Greedy => tell(many::greedy::play(&role).await?.as_ref()),
        Work::Stalled => tell(many::stalled::play(&role).await?.as_ref()),
        Work::Latency => tell(latency::play(&role).await?.as_ref()),
        Work::Idle => idle::hold(&role).await,
        Work::Discover | Work::Rivals => Err("this is measured in one process".into()),
        _ => one_connection(&role).await,
    }
}

async fn one_connection(role: &Role) -> Outcome<()> {
    match (role.system, role.end) {
        (System::Raw, End::Accept) => over(role, raw::accept()?).await,
        (System::Raw, End::Dial) => over(role, raw::dial(&role.address)?).await,
        (System::RawTokio, End::Accept) => over(role, raw_tokio::accept().await?).await,
        (System::RawTokio, End::Dial) => over(role, raw_tokio::dial(&role.address).await?).await,
        (System::P2pchan, End::Accept) => over(role, OurLink::accept().await?).await,
        (System::P2pchan, End::Dial) => over(role, OurLink::dial(&role.address).await?).await,
        (System::P2pchanQuic, End::Accept) => over(role, OurLink::accept_quic().await?).await,
        (System::P2pchanQuic, End::Dial) => over(role, OurLink::dial(&role.address).await?).await,
        (System::Quinn | System::QuinnEach, End::Accept) => {
            over(role, bare_quinn::accept().await?).await
        }
        (System::Quinn, End::Dial) => {
            over(role, bare_quinn::dial(&role.address, COALESCED).await?).await
        }
        (System::QuinnEach, End::Dial) => {
            over(role, bare_quinn::dial(&role.address, 0).await?).await
        }
        (System::Rustls, End::Accept) => over(role, bare_rustls::accept()?).await,
        (System::Rustls, End::Dial) => over(role, bare_rustls::dial(&role.address)?).await,
        (System::Tls, _) => Err("TLS alone is not measured with one connection".into()),
        _ => Err("this is a program of its own".into()),
    }
}

async fn hold(role: &Role) -> Outcome<()> {
    match role.system {
        System::Raw | System::RawTokio => raw_tokio::hold().await,
        System::Tls => bare_tls::hold().await,
        System::P2pchan => ours::hold().await,
        _ => Err(ONE_ONLY.into()),
    }
}

async fn many_connections(role: &Role) -> Outcome<()> {
    match role.system {
        System::Raw | System::RawTokio => through(role, Plain::to(&role.address)).await,
        System::Tls => through(role, Tls::to(&role.address)?).await,
        System::P2pchan => through(role, Remotes::to(&role.address)?).await,
        _ => Err(ONE_ONLY.into()),
    }
}

/// Tells the parent the figures, of which the dialling end has some.
fn tell(figures: Option<&Figures>) -> Outcome<()> {
    figures.map_or(Ok(()), say)
}
