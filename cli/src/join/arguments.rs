//! What `join` is told, and the settings that this means.

use clap::{Args, ValueEnum};
use p2pchan::{Builder, Node};
use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    time::Duration,
};

use crate::command_line::Volume;

/// Where `join` listens unless it is told: any free port of all addresses.
const ANYWHERE: [&str; 2] = ["0.0.0.0:0", "[::]:0"];
/// With `--until` a peer may stop reading for this long, say while somebody looks at the first
/// page, before what it has not taken counts as lost.
const PATIENCE: &str = "1m";

/// Connect standard input and output to everybody with the same phrase.
///
/// Each line of standard input goes to all remotes that are open then, as text, or as bytes if it is
/// not UTF-8; the slowest sets the pace. A last line without a newline counts too. Nothing is read
/// before a remote is open, and while none is. A line may have 16 MiB, or less if a remote takes
/// less; a longer one is an error.
///
/// What the remotes say is printed to standard output, each message followed by a newline. Status
/// goes to standard error.
///
/// Opened are only the TCP ports of --listen and, with --bootstrap, a UDP port; both are printed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  p2pchan join \"my phrase\" --bootstrap 127.0.0.1:6881
  seq 1 100000 | p2pchan join X --bootstrap 127.0.0.1:6881 --until 1
  p2pchan join X --bootstrap 127.0.0.1:6881 < /dev/null > out
  p2pchan join X --seed 192.0.2.7:8099 --json | jq -r .text

At the end of standard input the command goes on printing what comes. With --until it flushes, ends
and exits instead: with 0 if every remote took all that was sent to it, else with 1.

Exit codes: 0 done, 1 failed, 2 wrong command line, setting or phrase, 3 nobody found within
--timeout, 129, 130, 143 stopped by a signal. A second signal stops at once, without flushing.")]
pub(crate) struct Join {
    /// What is shared: 1 to 256 bytes of UTF-8, compared byte for byte.
    phrase: String,

    /// Ask the BitTorrent DHT through these nodes (HOST:PORT), or through the `public` ones.
    #[arg(long, num_args = 1.., value_name = "ADDRESS")]
    bootstrap: Vec<String>,

    /// Dial these peers (HOST:PORT).
    #[arg(long, num_args = 1.., value_name = "ADDRESS")]
    seed: Vec<String>,

    /// Accept connections here (IP:PORT, IP:FIRST~LAST); port 0 is any free one
    /// [default: port 0 of all addresses].
    #[arg(long, num_args = 1.., value_name = "ADDRESS")]
    listen: Vec<String>,

    /// Look on the local network. Only `off` for now: that discovery does not exist yet.
    #[arg(long, value_enum, default_value_t = Lan::Off, value_name = "WHETHER")]
    lan: Lan,

    /// Only those who have the same secret get a remote. Others can read the command line of this
    /// process, so better set it in the environment.
    #[arg(long, env = "P2PCHAN_SECRET", hide_env_values = true, value_name = "TEXT")]
    secret: Option<String>,

    /// Keep this node's key in a file, which is made if it does not exist [default: a fresh key].
    #[arg(long, value_name = "FILE")]
    identity: Option<String>,

    /// Wait for this many remotes before reading standard input, and exit at its end.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    until: Option<u16>,

    /// Exit with code 3 if that many remotes (1 without --until) are not open after these seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,

    /// Change any setting of docs/settings.md, such as limits.message=1MiB; wins over the options.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,

    /// Print each message, and each line of status, as a JSON object on a line of its own.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) volume: Volume,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lan {
    Off,
}

impl Join {
    pub(super) fn phrase(&self) -> &str {
        &self.phrase
    }

    pub(super) fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// Whether the end of the input is the end of the command.
    pub(super) const fn ends_with_input(&self) -> bool {
        self.until.is_some()
    }

    /// How many remotes must be open before the input is read.
    pub(super) fn remotes_wanted(&self) -> usize {
        self.until.map_or(1, usize::from)
    }

    /// How long to wait for them.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.timeout.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// The node that all this describes, not yet started.
    pub(super) fn node(&self) -> Builder {
        self.settings()
            .into_iter()
            .fold(Node::builder(), |node, (key, value)| node.set(&key, value))
    }

    fn settings(&self) -> Vec<(String, String)> {
        let Lan::Off = self.lan;
        let mut settings = Vec::new();
        let mut set = |key: &str, value: String| settings.push((key.to_owned(), value));
        let listen = self.listen();
        set("listen", listen.join(","));
        if !self.seed.is_empty() {
            set("discovery.seeds", self.seed.join(","));
        }
        if !self.bootstrap.is_empty() {
            set("discovery.bittorrent.bootstrap", self.bootstrap.join(","));
            set("discovery.bittorrent.port", "0".into());
            set("discovery.bittorrent.address", beside(&listen).to_string());
        }
        if let Some(identity) = &self.identity {
            set("identity", identity.clone());
        }
        if self.ends_with_input() {
            set("timeouts.close", PATIENCE.into());
        }
        settings.extend(self.set.iter().cloned());
        settings
    }

    fn listen(&self) -> Vec<String> {
        if self.listen.is_empty() {
            ANYWHERE.into_iter().filter(|at| exists(at)).map(String::from).collect()
        } else {
            self.listen.clone()
        }
    }
}

/// Whether this machine has that kind of address: many have no IPv6.
fn exists(address: &str) -> bool {
    !address.starts_with('[') || TcpListener::bind(address).is_ok()
}

/// The address of the UDP socket: that of the TCP socket, so that nothing more is opened than named.
fn beside(listen: &[String]) -> IpAddr {
    let address = |text: &String| {
        let text = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
        text.rsplit_once(':').and_then(|(ip, _)| ip.parse::<IpAddr>().ok())
    };
    let unspecified = SocketAddr::from(([0, 0, 0, 0], 0)).ip();
    listen.iter().filter_map(address).find(IpAddr::is_ipv4).unwrap_or(unspecified)
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("write it as KEY=VALUE, such as limits.message=1MiB".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::command_line::{CommandLine, Task};

    fn settings(arguments: &[&str]) -> Vec<(String, String)> {
        let line = ["p2pchan", "join"].iter().chain(arguments);
        match CommandLine::try_parse_from(line).unwrap().task {
            Task::Join(join) => join.settings(),
            other => panic!("{other:?}"),
        }
    }

    fn setting<'a>(settings: &'a [(String, String)], key: &str) -> Option<&'a str> {
        settings.iter().rev().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    #[test]
    fn without_options_only_tcp_ports_are_opened() {
        let settings = settings(&["phrase"]);
        assert!(setting(&settings, "listen").unwrap().starts_with("0.0.0.0:0"));
        assert_eq!(settings.len(), 1, "{settings:?}");
    }

    #[test]
    fn the_udp_port_is_opened_beside_the_tcp_port() {
        let options = ["X", "--bootstrap", "127.0.0.1:1", "127.0.0.1:2", "--listen", "127.0.0.1:0"];
        let settings = settings(&options);
        let bootstrap = setting(&settings, "discovery.bittorrent.bootstrap");
        assert_eq!(bootstrap, Some("127.0.0.1:1,127.0.0.1:2"));
        assert_eq!(setting(&settings, "discovery.bittorrent.address"), Some("127.0.0.1"));
    }

    #[test]
    fn a_setting_wins_over_the_options() {
        let settings = settings(&["X", "--listen", "127.0.0.1:1", "--set", "listen=127.0.0.1:2"]);
        assert_eq!(setting(&settings, "listen"), Some("127.0.0.1:2"));
    }
}
