//! A [`Status`] as text: what fits into 80 columns, for whoever wants to see at a glance.

use std::{
    fmt::{self, Write},
    time::Duration,
};

use super::{
    AddressBookStatus, AddressStatus, LimitsStatus, NodeStatus, SearchStatus, Status, Totals,
    UsageStatus,
    words::{Plain, Size, Span},
};

/// Columns of a line; what cannot be broken may be longer.
const WIDTH: usize = 80;
/// Rows of a table that are shown; the document has all.
const MOST_ROWS: usize = 20;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_node(f, &self.node)?;
        self.warnings.iter().try_for_each(|it| wrapped(f, "warning: ", it.split_whitespace()))?;
        self.show_settings(f)?;
        self.show_sockets(f)?;
        show_limits(f, &self.limits)?;
        self.show_discovery(f)?;
        self.show_links(f)?;
        self.show_remotes(f)?;
        show_addresses(f, &self.address_book)?;
        show_totals(f, &self.totals)
    }
}

fn show_node(f: &mut fmt::Formatter<'_>, node: &NodeStatus) -> fmt::Result {
    let NodeStatus { id, version, uptime, paused, closing } = node;
    writeln!(f, "node {}", Plain(id))?;
    write!(f, "version {}, up for {}", Plain(version), Span(*uptime))?;
    f.write_str(if *paused { ", paused" } else { "" })?;
    writeln!(f, "{}", if *closing { ", closing" } else { "" })
}

impl Status {
    fn show_settings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new("settings", &[]);
        for (key, value) in &self.settings {
            let value = match value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Array(items) => {
                    let items =
                        items.iter().map(|it| it.as_str().map_or(it.to_string(), Into::into));
                    items.collect::<Vec<_>>().join(", ")
                }
                other => other.to_string(),
            };
            table.row([key.clone(), value]);
        }
        table.show(f)
    }

    fn show_sockets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new("sockets", &[]);
        for socket in &self.transport.sockets {
            let count = |name: &str| {
                let counters = socket.counters.as_ref()?;
                Some(counters.iter().filter(|(it, _)| it.starts_with(name)).map(|(_, n)| n).sum())
            };
            let counted = count("received").zip(count("sent"));
            let packets = counted.map_or(String::new(), |(received, sent): (u64, u64)| {
                format!("packets: {sent} sent, {received} received")
            });
            table.row([socket.used_by.clone(), socket.address.clone(), packets]);
        }
        table.show(f)
    }

    fn show_discovery(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["", "subject", "found", "announced", "looked up", "next"];
        let mut table = Table::new("discovery", &heads);
        let mut errors = Vec::new();
        for service in &self.discovery {
            if service.searches.is_empty() {
                table.row([service.source.clone()]);
            }
            for search in &service.searches {
                let SearchStatus { subject, announced, looked_up, found, .. } = search;
                for done in [announced, looked_up].into_iter().flatten() {
                    errors.extend(done.error.as_ref().map(|error| (&service.source, error)));
                }
                let done = |done: &Option<super::DoneStatus>| match done {
                    None => "-".into(),
                    Some(done) if done.error.is_some() => format!("failed {} ago", Span(done.ago)),
                    Some(done) => format!("{} ago", Span(done.ago)),
                };
                let (source, announced, looked_up) =
                    (service.source.clone(), done(announced), done(looked_up));
                let (subject, found) = (subject.to_string(), found.to_string());
                table.row([source, subject, found, announced, looked_up, next(search)]);
            }
        }
        table.show(f)?;
        errors.dedup();
        errors.iter().take(MOST_ROWS).try_for_each(|(source, error)| {
            wrapped(f, &format!("  {}: ", Plain(source)), error.split_whitespace())
        })
    }

    fn show_links(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["peer", "address", "", "age", "rtt", "sent", "received"];
        let mut table = Table::new("connections", &heads);
        for link in &self.links {
            let side = if link.state == "open" { &link.side } else { &link.state };
            let rtt = link.rtt.map_or("-".into(), |rtt| Span(rtt).to_string());
            let (sent, received) = (Size(link.bytes_sent), Size(link.bytes_received));
            table.row([
                short(&link.peer).into(),
                link.address.clone(),
                side.clone(),
                Span(link.age).to_string(),
                rtt,
                sent.to_string(),
                received.to_string(),
            ]);
        }
        table.show(f)
    }

    fn show_remotes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["peer", "subject", "age", "messages sent", "received", "queued", "unread"];
        let mut table = Table::new("remotes", &heads);
        for remote in &self.remotes {
            table.row([
                short(&remote.peer).into(),
                remote.subject.to_string(),
                Span(remote.age).to_string(),
                remote.messages_sent.to_string(),
                remote.messages_received.to_string(),
                Size(remote.queued).to_string(),
                Size(remote.unread).to_string(),
            ]);
        }
        table.show(f)
    }
}

fn next(search: &SearchStatus) -> String {
    let planned = [("announce", search.next_announce), ("look up", search.next_look_up)];
    let next = planned.into_iter().filter_map(|(what, time)| Some((time?, what))).min();
    match (&search.running, next) {
        (Some(running), _) => format!("now: {}", running.replace('_', " ")),
        (None, Some((Duration::ZERO, what))) => format!("{what} now"),
        (None, Some((time, what))) => format!("{what} in {}", Span(time)),
        (None, None) => "-".into(),
    }
}

fn show_limits(f: &mut fmt::Formatter<'_>, limits: &LimitsStatus) -> fmt::Result {
    let LimitsStatus { links, unproven, dials, subjects, waiting, reassembly } = limits;
    let count = |name, UsageStatus { used, cap }: &UsageStatus| format!("{name} {used} of {cap}");
    let parts = [
        count("connections", links),
        count("unproven", unproven),
        count("dials", dials),
        count("subjects", subjects),
        count("waiting remotes", waiting),
        format!("reassembly {} of {}", Size(reassembly.used), Size(reassembly.cap)),
    ];
    writeln!(f, "\nin use")?;
    wrapped(f, "  ", listed(&parts).iter().map(String::as_str))
}

/// Addresses about which there is something to say come first.
fn show_addresses(f: &mut fmt::Formatter<'_>, book: &AddressBookStatus) -> fmt::Result {
    let heads = ["", "state", "next try", "tries", "found by", "last verdict"];
    let mut table = Table::new("addresses", &heads);
    let order = ["connected", "dialling", "waiting", "backing_off", "own", "idle"];
    let rank = |it: &&AddressStatus| order.iter().position(|state| **state == it.state);
    let mut entries: Vec<_> = book.entries.iter().collect();
    entries.sort_by_key(rank);
    for entry in entries {
        let mut sources: Vec<_> = entry.found.iter().map(|found| &*found.source).collect();
        sources.sort_unstable();
        sources.dedup();
        table.row([
            entry.address.clone(),
            entry.state.replace('_', " "),
            entry.next_try.map_or("-".into(), |next| format!("in {}", Span(next))),
            entry.tries.to_string(),
            sources.join(", "),
            entry.verdict.clone().unwrap_or_default(),
        ]);
    }
    table.show(f)
}

fn show_totals(f: &mut fmt::Formatter<'_>, totals: &Totals) -> fmt::Result {
    let count = |name, count: u64| (count > 0).then(|| format!("{name} {count}"));
    let bytes = |name, count: u64| (count > 0).then(|| format!("{name} {}", Size(count)));
    let parts: Vec<_> = [
        count("found", totals.found),
        count("announced", totals.announced),
        count("discovery failed", totals.discovery_failed),
        count("dials", totals.dials),
        count("failed", totals.dials_failed),
        count("unreachable", totals.unreachable),
        count("remotes opened", totals.remotes_opened),
        count("ended", totals.remotes_ended),
        count("refused", totals.refused),
        count("messages sent", totals.messages_sent),
        count("received", totals.messages_received),
        bytes("bytes sent", totals.bytes_sent),
        bytes("received", totals.bytes_received),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nsince the start")?;
    wrapped(f, "  ", listed(&parts).iter().map(String::as_str))
}

/// The parts, all but the last with a comma.
fn listed(parts: &[String]) -> Vec<String> {
    let last = parts.len().saturating_sub(1);
    let comma = |number| if number < last { "," } else { "" };
    parts.iter().enumerate().map(|(number, part)| format!("{part}{}", comma(number))).collect()
}

/// The first eight digits of an id.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// Words on lines of [`WIDTH`], the first behind `head` and the others as far in.
fn wrapped<'a>(
    f: &mut fmt::Formatter<'_>,
    head: &str,
    words: impl Iterator<Item = &'a str>,
) -> fmt::Result {
    let mut line = head.to_owned();
    let mut empty = true;
    for word in words {
        let word = Plain(word).to_string();
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(f, "{line}")?;
            line = " ".repeat(head.len());
            empty = true;
        }
        line += if empty { "" } else { " " };
        line += &word;
        empty = false;
    }
    writeln!(f, "{line}")
}

/// Rows in columns, with a title. Nothing is shown without rows. The last column is cut at
/// [`WIDTH`], unless that leaves nothing of it.
struct Table {
    title: &'static str,
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
    more: usize,
}

impl Table {
    fn new(title: &'static str, heads: &[&str]) -> Self {
        let heads = heads.iter().map(|head| (*head).to_owned()).collect();
        Self { title, heads, rows: Vec::new(), more: 0 }
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        if self.rows.len() == MOST_ROWS {
            self.more += 1;
            return;
        }
        let plain = |cell: String| Plain(&cell).to_string();
        self.rows.push(cells.into_iter().map(plain).collect());
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{}", self.title)?;
        let rows = || Some(&self.heads).filter(|it| !it.is_empty()).into_iter().chain(&self.rows);
        let columns = rows().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            rows().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        rows().try_for_each(|row| show_row(f, row, &widths))?;
        match self.more {
            0 => Ok(()),
            more => writeln!(f, "  and {more} more"),
        }
    }
}

fn show_row(f: &mut fmt::Formatter<'_>, cells: &[String], widths: &[usize]) -> fmt::Result {
    let mut line = String::new();
    for (number, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if number + 1 == widths.len() {
            let room = WIDTH.saturating_sub(line.chars().count() + 2);
            write!(line, "  {}", cut(cell, room))?;
        } else {
            write!(line, "  {cell:width$}")?;
        }
    }
    writeln!(f, "{}", line.trim_end())
}

/// As much of a text as there is room for, with a mark if some is left out.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room || room < 8 {
        return text.into();
    }
    text.chars().take(room - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{DoneStatus, FoundStatus, LinkStatus, RemoteStatus, ServiceStatus, SocketStatus},
        *,
    };

    const ID: &str = "5f392c8c6d0f5e7e18b08af6bde4be9fb0e6024f254e3c115b3086e836a8d01b";

    fn status() -> Status {
        let mut status = Status::default();
        status.node.id = ID.into();
        status.node.uptime = Duration::from_secs(200);
        status.settings.insert("limits.dials".into(), 9.into());
        let listen = ["quic://127.0.0.1:42849"; 9];
        status.settings.insert("listen".into(), listen.as_slice().into());
        let socket = SocketStatus {
            address: "quic://127.0.0.1:42849".into(),
            used_by: "listen".into(),
            counters: Some([("sent".into(), 5), ("received_quic".into(), 7)].into()),
            ..SocketStatus::default()
        };
        status.transport.sockets.push(socket);
        let error = "no node of the DHT has answered for a quarter of an hour, and 127.0.0.1:9 is \
                     the only one that is named";
        let done = DoneStatus { ago: Duration::from_secs(2), error: Some(error.into()) };
        let search = SearchStatus {
            subject: 1,
            looked_up: Some(done),
            next_look_up: Some(Duration::from_secs(30)),
            ..SearchStatus::default()
        };
        status.discovery =
            vec![ServiceStatus { source: "bittorrent".into(), searches: vec![search] }];
        let link = LinkStatus {
            peer: ID.into(),
            address: "quic://127.0.0.1:43453".into(),
            side: "dialled".into(),
            state: "open".into(),
            age: Duration::from_secs(99),
            rtt: Some(Duration::from_micros(400)),
            bytes_sent: 12_345_678,
            ..LinkStatus::default()
        };
        status.links.push(link);
        let remote = RemoteStatus { peer: ID.into(), subject: 1, ..RemoteStatus::default() };
        status.remotes.push(remote);
        for (number, state) in ["backing_off", "connected"].into_iter().cycle().take(30).enumerate()
        {
            status.address_book.entries.push(AddressStatus {
                address: format!("192.0.2.{number}:43453"),
                state: state.into(),
                next_try: Some(Duration::from_secs(40)),
                found: vec![FoundStatus { source: "bittorrent".into(), subject: 1 }],
                verdict: Some("tcp: Connection refused; quic: no answer to probes".into()),
                ..AddressStatus::default()
            });
        }
        status.totals.found = 30;
        status.totals.bytes_sent = 4096;
        status.warnings.push("something is not as it was meant, ".repeat(6));
        status
    }

    #[test]
    fn a_status_fits_into_80_columns() {
        let text = status().to_string();
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line:?}\n{text}");
            assert_eq!(line.trim_end(), line);
        }
    }

    #[test]
    fn what_is_open_stands_in_tables_and_what_matters_comes_first() {
        let text = status().to_string();
        for part in [
            "node 5f392c8c",
            "up for 3 min\n",
            "\nsettings\n  limits.dials  9\n",
            "packets: 5 sent, 7 received",
            "failed 2 s ago",
            "look up in 30 s",
            "no node of the DHT has answered",
            "5f392c8c  quic://127.0.0.1:43453  dialled  99 s  0.4 ms  11.7 MiB  0 B\n",
            "  and 10 more\n",
            "found 30, bytes sent 4.0 KiB\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        let connected = text.find("192.0.2.29:43453").unwrap();
        assert!(connected < text.find("192.0.2.0:43453").unwrap(), "{text}");
    }

    #[test]
    fn an_idle_node_says_little() {
        let text = Status::default().to_string();
        assert_eq!(text.lines().filter(|line| !line.is_empty()).count(), 5, "{text}");
    }

    #[test]
    fn what_others_wrote_does_not_command_the_terminal() {
        let mut status = status();
        status.address_book.entries[0].verdict = Some("\u{1b}[2J".into());
        status.discovery[0].source = "\u{1b}c".into();
        assert!(!status.to_string().contains('\u{1b}'));
    }
}
