//! The page of the settings, made from the table so that it cannot fall behind.

use std::fmt::Write;

use super::{key::Key, table::KEYS};

const INTRODUCTION: &str = "\
<!-- Generated: cargo run -p p2pchan-proto --example settings > docs/settings.md -->

# Settings

The same keys serve every language, the command line and files. Without any, a node opens no port,
asks no network and writes no file.

All values are checked before anything happens. An error names the key, the value and what is
allowed, in a file the line too, and for an unknown key the nearest one. Where a language has `null`
(Python `None`), it restores the default.

## How to write values

Every value can be written as text, and a list of one as its item.

| type | written |
|---|---|
| number | `64` |
| size | a whole number and a unit: `16MiB` (`KiB`, `MiB`, `GiB` are powers of 1024); without a unit, or with `B`, bytes |
| duration | a whole number and a unit: `500ms`, `5s`, `10m`, `1h`; never without a unit |
| interval | two durations with `~` between: `10m~15m`; one alone is both ends |
| port | `8099`; `0` is any free port, and means so only where it is written |
| ports | a port, a range `3401~3499`, or several with commas: `3401~3499,4000`; not `0` among others |
| listen address | IP address and ports: `0.0.0.0:8099`, `[::]:3401~3499`; IPv6 in brackets; no host names. `tcp://` or `quic://` before it means this transport only, neither means both |
| host | host name or IP address and a port: `example.org:8099`, `[2001:db8::1]:8099`. Before a seed `tcp://` or `quic://` may stand, as above |
| phrase | any text of 1 to 256 bytes, taken as it is |
| boolean | `true`, `false` |
| peer id | 64 lower-case hexadecimal digits |
| list | a list of the language, or text with commas: `a, b`; the empty list as text is `[]`. Of phrases, one text is one |

## In a file

TOML: nested tables are dotted keys, so these two say the same.

```toml
listen = [\"0.0.0.0:8099\", \"[::]:8099\"]
discovery.bittorrent.bootstrap = \"public\"

[limits]
dials = 4
```

```json
{\"listen\": [\"0.0.0.0:8099\", \"[::]:8099\"],
 \"discovery\": {\"bittorrent\": {\"bootstrap\": \"public\"}}, \"limits\": {\"dials\": 4}}
```

What the program sets stands above the file.

## While a node runs

`update` changes the keys that it names and leaves the others; `null` takes back what the program has
set. `reload` reads the file again: what it says now replaces what it said, and a key that has gone from
it returns to what it is without it.

The whole is checked first; then what the settings name no more is closed, and what is new is opened. What
stays is not touched. An error leaves everything as it was.

A running node takes over the keys that are marked *hot*, and refuses changes to the others. New
limits and timeouts count at once, also on open connections, but for what a connection agreed on when
it began: `limits.message`, `limits.window` and `limits.channels`. Nothing that is open ends because a
limit has become smaller or `allow` shorter.
";

/// Markdown for people: how to write values, then a table for each group of keys. It is what
/// `docs/settings.md` holds.
pub fn documentation() -> String {
    let mut page = String::from(INTRODUCTION);
    let mut group = None;
    for key in KEYS {
        let this = group_of(key);
        if group != Some(this) {
            begin_group(&mut page, this);
            group = Some(this);
        }
        add_row(&mut page, key);
    }
    page
}

/// The part of a key before its first dot; empty for a key without one.
fn group_of(key: &Key) -> &'static str {
    key.name.split_once('.').map_or("", |(group, _)| group)
}

fn begin_group(page: &mut String, group: &str) {
    let title = if group.is_empty() { "The node".into() } else { format!("`{group}`") };
    page.push_str("\n## ");
    page.push_str(&title);
    page.push_str("\n\n| key | type | default | allowed | hot | what it does | what it trades |");
    page.push_str("\n|---|---|---|---|---|---|---|\n");
}

fn add_row(page: &mut String, key: &Key) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "| `{}` | {} | {} | {} | {} | {} | {} |",
        key.name,
        key.kind(),
        key.default_text(),
        key.range(),
        if key.hot { "yes" } else { "no" },
        key.meaning,
        key.trade_off,
    );
}
