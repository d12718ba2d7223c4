"""A network of libtorrent's DHT on 127.0.0.1, driven like bittorrent_dht.mjs.

When all nodes know the network it prints one line: the address of an entrance, IP:PORT.
Then each line of standard input is a command, answered with one line:
  announce KEY PORT    the last node announces that port under the key (40 hex digits): "done"
  look_up KEY          the last node looks the key up: the addresses it found, with spaces between
It ends with standard input.
"""

import sys
import time

import libtorrent

NODES = 10
HOST = "127.0.0.1"
# Nothing here takes a second on an idle machine.
DEADLINE = 60


def start(bootstrap):
    return libtorrent.session({
        "listen_interfaces": f"{HOST}:0",
        "dht_bootstrap_nodes": bootstrap,
        "enable_dht": True,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        # All nodes share one address, which libtorrent takes for an attack unless told otherwise.
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "dht_ignore_dark_internet": False,
        "dht_enforce_node_id": False,
        "dht_prefer_verified_node_ids": False,
        "allow_multiple_connections_per_ip": True,
        "alert_mask": libtorrent.alert.category_t.dht_notification
        | libtorrent.alert.category_t.dht_operation_notification
        | libtorrent.alert.category_t.status_notification,
    })


def wait_for(session, kind):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        session.wait_for_alert(1000)
        for alert in session.pop_alerts():
            if isinstance(alert, kind):
                return alert
    raise TimeoutError(kind.__name__)


def look_up(session, key):
    session.dht_get_peers(libtorrent.sha1_hash(bytes.fromhex(key)))
    found = set()
    # libtorrent says what each node answers, and at last what all did; silence is the end.
    end = time.monotonic() + 3
    while time.monotonic() < end:
        session.wait_for_alert(200)
        for alert in session.pop_alerts():
            if isinstance(alert, libtorrent.dht_get_peers_reply_alert):
                found.update(f"{host}:{port}" for host, port in alert.peers())
    return " ".join(sorted(found))


def announce(session, key, port):
    session.dht_announce(libtorrent.sha1_hash(bytes.fromhex(key)), port, 0)
    # There is no alert for the end of it: it stands when another lookup shows it.
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if any(address.endswith(f":{port}") for address in look_up(session, key).split()):
            return "done"
    return "failed: the announcement does not stand"


def main():
    sessions = [start("")]
    entrance = f"{HOST}:{sessions[0].listen_port()}"
    for _ in range(NODES - 1):
        sessions.append(start(entrance))
    for session in sessions[1:]:
        wait_for(session, libtorrent.dht_bootstrap_alert)
    print(entrance, flush=True)
    for line in sys.stdin:
        command, key, *port = line.split()
        if command == "announce":
            print(announce(sessions[-1], key, int(port[0])), flush=True)
        else:
            print(look_up(sessions[-1], key), flush=True)


main()
