"""A discovery service of one's own: programs that share a folder find each other there.

    python discovery.py /srv/share "My Cool Service 1.0" 192.0.2.7:8099

The last is where it listens, an address that the others can dial. The folder never sees the subject.
"""

import asyncio
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import p2pchan


class Folder(p2pchan.DiscoveryService):
    """Each leaves its addresses in a file; a database, a web page or a pin-board works the same way."""

    name = "folder"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mine = secrets.token_hex(8)

    def file(self, topic: p2pchan.Topic) -> Path:
        return self.folder / f"{topic.find_key.hex()}.{self.mine}"

    def announce(self, topic: p2pchan.Topic) -> None:
        self.file(topic).write_text("\n".join(topic.addresses))

    def look_up(self, topic: p2pchan.Topic) -> Iterator[str]:
        # One's own among them does no harm.
        for file in self.folder.glob(f"{topic.find_key.hex()}.*"):
            yield from file.read_text().split()

    def withdraw(self, topic: p2pchan.Topic) -> None:
        self.file(topic).unlink(missing_ok=True)


async def main(folder: str, subject: str, listen: str) -> None:
    node = p2pchan.Node(listen=listen)
    node.add_discovery_service(Folder(Path(folder)))
    async with node:
        node.discover(subject)
        remote = await anext(node)
        await remote.send("Hello, dude!")
        print(f"{remote.peer[:8]} says:", await remote.recv())


if len(sys.argv) != 4:
    sys.exit("usage: discovery.py FOLDER SUBJECT ADDRESS")
asyncio.run(main(*sys.argv[1:]))
