//! How a command finds others and is found: the options that all commands on a subject share, the
//! settings that they mean, and the start of the node.

use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    path::PathBuf,
    str::FromStr,
};

use clap::{Args, ValueEnum};
use p2pchan::{Builder, Node};
use serde_json::json;

use crate::{
    exit::Failure,
    status::{Level, Status},
};

/// Where a command listens unless it is told: any free port of all addresses.
const ANYWHERE: [&str; 2] = ["0.0.0.0:0", "[::]:0"];

/// Who is asked, dialled and let in.
#[derive(Args, Debug)]
pub(crate) struct NetworkArguments {
    /// Ask the BitTorrent DHT through these nodes (HOST:PORT), or through the `public` ones.
    #[arg(long, num_args = 1.., value_name = "ADDRESS")]
    bootstrap: Vec<Bootstrap>,

    /// Dial these peers (HOST:PORT).
    #[arg(long, num_args = 1.., value_name = "ADDRESS")]
    seed: Vec<Place>,

    /// Accept connections here (IP:PORT, IP:FIRST~LAST); port 0 is any free one
    /// [default: port 0 of all addresses, or what --settings says].
    #[arg(long, num_args = 1.., value_name = "ADDRESS")]
    listen: Vec<Place>,

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

    /// Take settings from this TOML file too; the options win over it, and only what the two name is
    /// opened. `p2pchan reload` reads it again.
    #[arg(long = "settings", value_name = "FILE")]
    file: Option<PathBuf>,

    /// Answer questions about this node at this socket, which is made and belongs to this user alone:
    /// `p2pchan status`, `explain` and `reload` ask them.
    #[arg(long, value_name = "PATH")]
    control: Option<String>,

    /// Change any setting of docs/settings.md, such as limits.message=1MiB; wins over the options.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lan {
    Off,
}

impl NetworkArguments {
    /// What stands in for the phrase as the thing to be kept secret, if there is anything.
    pub(crate) fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// The nodes of the BitTorrent DHT that are asked first, as they were written.
    pub(crate) fn bootstrap(&self) -> impl Iterator<Item = &str> {
        self.bootstrap.iter().map(|address| &*address.0)
    }

    /// Starts a node that tells of its work, with `usual` as the level of what goes as expected, and
    /// looks for others with the phrase. `more` are settings of the command, which `--set` overrides.
    pub(crate) async fn start(
        &self,
        phrase: &str,
        more: &[(&str, &str)],
        status: &Status,
        usual: Level,
    ) -> Result<Node, Failure> {
        let node = self.node(more).start().await?;
        tell_events(&node, status.clone(), usual);
        let fields = json!({ "peer": node.id().to_string() });
        status.tell(usual, "started", fields, &format!("this node is {}", node.id()));
        let discovery = match self.secret() {
            None => node.discover(phrase),
            Some(secret) => node.discover_with_secret(phrase, secret),
        };
        match discovery {
            Ok(_) => Ok(node),
            Err(error) => {
                node.close().await;
                Err(error.into())
            }
        }
    }

    fn node(&self, more: &[(&str, &str)]) -> Builder {
        let node = Node::builder();
        let node = self.file.iter().fold(node, Builder::settings_file);
        let settings = self.settings(more).into_iter();
        settings.fold(node, |node, (key, value)| node.set(&key, value))
    }

    fn settings(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let Lan::Off = self.lan;
        let mut settings = Vec::new();
        let mut set = |key: &str, value: String| settings.push((key.to_owned(), value));
        let listen = self.listen();
        if !listen.is_empty() {
            set("listen", listen.join(","));
        }
        if !self.seed.is_empty() {
            let seeds: Vec<_> = self.seed.iter().map(|place| &*place.0).collect();
            set("discovery.seeds", seeds.join(","));
        }
        if !self.bootstrap.is_empty() {
            let bootstrap: Vec<_> = self.bootstrap().collect();
            set("discovery.bittorrent.bootstrap", bootstrap.join(","));
            set("discovery.bittorrent.port", "0".into());
            set("discovery.bittorrent.address", beside(&listen).to_string());
        }
        if let Some(identity) = &self.identity {
            set("identity", identity.clone());
        }
        if let Some(control) = &self.control {
            set("control", control.clone());
        }
        for (key, value) in more {
            set(key, (*value).to_owned());
        }
        settings.extend(self.set.iter().cloned());
        settings
    }

    fn listen(&self) -> Vec<String> {
        if self.listen.is_empty() && self.file.is_some() {
            Vec::new()
        } else if self.listen.is_empty() {
            ANYWHERE.into_iter().filter(|at| exists(at)).map(String::from).collect()
        } else {
            self.listen.iter().map(|place| place.0.clone()).collect()
        }
    }
}

/// An address and a port, or several with commas; the node looks closer. What has no port is most
/// likely a phrase behind an option that takes several values, and is not to be asked of a resolver.
#[derive(Clone, Debug)]
struct Place(String);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.split(',').all(|one| one.contains(':')) {
            return Ok(Self(text.to_owned()));
        }
        Err("write it as HOST:PORT; other arguments go before this option, or behind `--`".into())
    }
}

/// As [`Place`], or `public`, or `[]` for none.
#[derive(Clone, Debug)]
struct Bootstrap(String);

impl FromStr for Bootstrap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "public" | "[]" => Ok(Self(text.to_owned())),
            _ => Ok(Self(Place::from_str(text)?.0)),
        }
    }
}

fn tell_events(node: &Node, status: Status, usual: Level) {
    let mut events = node.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            status.event(&event, usual);
        }
    });
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

    use super::*;

    #[derive(Parser)]
    struct Command {
        phrase: Option<String>,
        #[command(flatten)]
        network: NetworkArguments,
    }

    fn settings(arguments: &[&str]) -> Vec<(String, String)> {
        let line = ["p2pchan"].iter().chain(arguments);
        Command::try_parse_from(line).unwrap().network.settings(&[])
    }

    fn setting<'a>(settings: &'a [(String, String)], key: &str) -> Option<&'a str> {
        settings.iter().rev().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    #[test]
    fn without_options_only_ports_to_listen_on_are_opened() {
        let settings = settings(&["phrase"]);
        assert!(setting(&settings, "listen").unwrap().starts_with("0.0.0.0:0"));
        assert_eq!(settings.len(), 1, "{settings:?}");
    }

    #[test]
    fn with_a_settings_file_it_says_where_to_listen() {
        assert_eq!(settings(&["phrase", "--settings", "a.toml"]), []);
        let options = ["phrase", "--settings", "a.toml", "--listen", "127.0.0.1:1"];
        assert_eq!(setting(&settings(&options), "listen"), Some("127.0.0.1:1"));
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

    #[test]
    fn a_phrase_behind_an_option_of_several_addresses_is_not_taken_for_one() {
        for option in ["--bootstrap", "--seed", "--listen"] {
            let line = ["p2pchan", option, "127.0.0.1:1", "crane dust"];
            let error = Command::try_parse_from(line).err().unwrap().to_string();
            assert!(error.contains("before this option"), "{error}");
        }
        let line = ["p2pchan", "--bootstrap", "public", "--", "crane dust"];
        assert_eq!(Command::try_parse_from(line).unwrap().phrase.as_deref(), Some("crane dust"));
    }
}
