#!/usr/bin/env python3
"""Recomputes every value of vectors.json from docs/protocol.md, without any of our Rust.

Needs argon2-cffi for Argon2id; everything else is in the standard library. `tests/vectors/run`
installs it and calls this.
"""

import hashlib
import hmac
import ipaddress
import json
import pathlib
import sys

from argon2.low_level import Type, hash_secret_raw

FRAMES = {"hello": 1, "welcome": 2, "subjects": 3, "subjects_ack": 4, "data": 7, "fin": 8,
          "reset": 9, "credit": 10, "ping": 11, "pong": 12, "close": 14, "done": 15}
TRANSPORTS = {"tcp": 1, "quic": 2, "": 3}
KINDS = {"bytes": 0, "text": 1, "json": 2}
MORE = 4


# Keys

def stretch(text, salt):
    return hash_secret_raw(text.encode(), salt, time_cost=2, memory_cost=19 * 1024, parallelism=1,
                           hash_len=32, type=Type.ID, version=0x13)


def hmac_of(key, *parts, hash="sha256"):
    return hmac.new(key, b"".join(parts), hash).digest()


def expand(prk, info, length, hash="sha256"):
    """HKDF-Expand of RFC 5869."""
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac_of(prk, block, info, bytes([counter]), hash=hash)
        output, counter = output + block, counter + 1
    return output[:length]


def expand_label(secret, label, context, length, hash):
    """HKDF-Expand-Label of RFC 8446."""
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + bytes([len(context)]) + context
    return expand(secret, info, length, hash)


def subject(given):
    if "phrase" in given:
        stretched = stretch(given["phrase"], b"libp2pchan/1 subject")
    else:
        stretched = bytes.fromhex(given["topic"])
    prk = proof_prk = hmac_of(b"libp2pchan/1 subject", stretched)
    if "secret" in given:
        proof_prk = hmac_of(prk, stretch(given["secret"], b"libp2pchan/1 secret"))
    find = {network: expand(prk, b"find:" + network.encode(), len(key) // 2).hex()
            for network, key in given["find"].items()}
    proof_key = expand(proof_prk, b"proof", 32)
    return {"stretched": stretched.hex(), "prk": prk.hex(), "find": find,
            "proof_prk": proof_prk.hex(), "proof_key": proof_key.hex(),
            "punch_key": expand(proof_prk, b"punch", 32).hex()}


def exporter(given):
    secret, hash = bytes.fromhex(given["exporter_secret"]), given["hash"]
    empty = hashlib.new(hash, b"").digest()
    derived = expand_label(secret, b"EXPORTER-libp2pchan-subject", empty, len(empty), hash)
    return {"exporter": expand_label(derived, b"exporter", empty, 32, hash).hex()}


def binding(given):
    parts = [bytes.fromhex(given[key]) for key in ("exporter", "dialler", "acceptor")]
    bind = hashlib.sha256(b"libp2pchan/1 bind" + b"".join(parts)).digest()
    if "offer" in given:
        side, number = given["offer"]["side"].encode(), given["offer"]["number"].to_bytes(4, "big")
        bind = hashlib.sha256(b"libp2pchan/1 more" + bind + side + number).digest()
    return {"bind": bind.hex()}


def tags(given, proof_keys):
    key, bind = proof_keys[given["subject"]], bytes.fromhex(given["bind"])
    return {role: hmac_of(key, role.encode(), bind)[:16].hex() for role in ("dial", "acpt")}


# Bytes

def varint(value):
    for exponent, bits in enumerate((6, 14, 30, 62)):
        if value < 1 << bits:
            return (value | exponent << bits).to_bytes(1 << exponent, "big")
    raise ValueError(value)


def socket(text):
    if text is None:
        return b"\0"
    host, port = text.rsplit(":", 1)
    ip = ipaddress.ip_address(host.strip("[]"))
    return bytes([ip.version]) + ip.packed + int(port).to_bytes(2, "big")


def address(text):
    scheme, _, rest = text.rpartition("://")
    return bytes([TRANSPORTS[scheme]]) + socket(rest)


def about(frame):
    numbers = (frame["features"], frame["max_message"], frame["window"])
    return b"\x01" + b"".join(map(varint, numbers)) + socket(frame["observed"])


def tag_list(frame):
    return varint(len(frame["tags"])) + bytes.fromhex("".join(frame["tags"]))


def matches(frame):
    listed = frame["matches"]
    body = b"".join(varint(it["position"]) + bytes.fromhex(it["tag"]) for it in listed)
    return (varint(len(listed)) + body).ljust(2 + 18 * frame["offered"], b"\0")


def body_of(frame):
    match frame["type"]:
        case "hello":
            listen = b"".join(map(address, frame["listen"]))
            return about(frame) + varint(len(frame["listen"])) + listen + tag_list(frame)
        case "welcome":
            return about(frame) + matches(frame)
        case "subjects":
            return varint(frame["number"]) + tag_list(frame)
        case "subjects_ack":
            return varint(frame["number"]) + matches(frame)
        case "data":
            flags = KINDS[frame["kind"]] | (MORE if frame["more"] else 0)
            total = varint(frame["total"]) if "total" in frame else b""
            return varint(frame["channel"]) + bytes([flags]) + total + payload(frame)
        case "fin" | "done":
            return varint(frame["channel"])
        case "reset":
            return varint(frame["channel"]) + varint(frame["code"])
        case "credit":
            return varint(frame["channel"]) + varint(frame["bytes"])
        case "ping" | "pong":
            return frame["number"].to_bytes(8, "big")
        case "close":
            return varint(frame["code"]) + frame["message"].encode()
    raise ValueError(frame["type"])


def payload(frame):
    return bytes.fromhex(frame["payload"]["byte"]) * frame["payload"]["times"] \
        if isinstance(frame["payload"], dict) else bytes.fromhex(frame["payload"])


def encode(frame):
    """The frame; of a long one the beginning, as `head` gives it."""
    body = body_of(frame)
    whole = varint(1 + len(body)) + bytes([FRAMES[frame["type"]]]) + body
    if "head" in frame:
        return {"head": whole[:len(frame["head"]) // 2].hex(), "length": len(whole)}
    return {"hex": whole.hex()}


# Packets of the UDP port

def probe(given, punch_keys):
    nonce, padding = bytes.fromhex(given["nonce"]), bytes.fromhex(given["padding"])
    macs = [hmac_of(punch_keys[name], b"probe", nonce)[:8] for name in given["subjects"][:6]]
    macs = b"".join(macs)
    computed = {"hex": (b"\x97\x01" + nonce + macs + padding[len(macs):]).hex()}
    if "answer" in given:
        host, port = given["observed"].rsplit(":", 1)
        ip = ipaddress.ip_address(host.strip("[]"))
        observed = bytes([ip.version]) + ip.packed.ljust(16, b"\0") + int(port).to_bytes(2, "big")
        mac = hmac_of(punch_keys[given["answered_for"]], b"answer", nonce, observed)[:8]
        computed["answer"] = (b"\x97\x02" + nonce + observed + mac).hex()
    return computed


def main():
    vectors = json.loads(pathlib.Path(__file__).with_name("vectors.json").read_text())
    proof_keys, punch_keys, wrong, checked = {}, {}, [], 0

    def check(what, given, computed):
        nonlocal checked
        for key, value in computed.items():
            checked += 1
            if given[key] != value:
                wrong.append(f"{what}: {key} is {given[key]}, computed {value}")

    for given in vectors["subjects"]:
        computed = subject(given)
        proof_keys[given["name"]] = bytes.fromhex(computed["proof_key"])
        punch_keys[given["name"]] = bytes.fromhex(computed["punch_key"])
        check(f"subject {given['name']!r}", given, computed)
    for given in vectors["exporters"]:
        check(f"exporter {given['hash']}", given, exporter(given))
    for given in vectors["bindings"]:
        check(f"binding {given['name']!r}", given, binding(given))
    for given in vectors["tags"]:
        check(f"tags of {given['subject']!r}", given, tags(given, proof_keys))
    for given in vectors["varints"]:
        check(f"varint {given['value']}", given, {"hex": varint(int(given["value"])).hex()})
    for number, given in enumerate(vectors["frames"] + vectors["conversation"]):
        check(f"frame {number} ({given['type']})", given, encode(given))

    for number, given in enumerate(vectors["probes"]):
        check(f"probe {number}", given, probe(given, punch_keys))

    print("\n".join(wrong) or f"all {checked} values of the protocol vectors agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
