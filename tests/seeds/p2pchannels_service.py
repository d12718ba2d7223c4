"""A discovery service as the README of p2pchannels, a module for Node.js of years ago, describes them.

    python p2pchannels_service.py BOOK

It looks others up in a file with lines of an IP address, a port and a subject. It is run by
bindings/python/tests/test_p2pchannels.py.
"""

import sys

from p2pchan import P2PChannels


class Book(P2PChannels.EventEmitter):
    """A discovery service object must have a .start() method that takes one argument."""

    def start(self, p2pChannels):
        # It should add all subject strings, checking the .subjects property.
        for subject in p2pChannels.subjects:
            self.look_up(subject)
        # Further, it should listen for the addDiscoverSubject event, which is emitted on new subjects.
        p2pChannels.on("addDiscoverSubject", self.look_up)
        # There is also a removeDiscoverySubject event.
        p2pChannels.on("removeDiscoverySubject", lambda subject: print("removed", subject, flush=True))

    def look_up(self, subject):
        with open(sys.argv[1], encoding="utf-8") as book:
            for line in book:
                ip, port, of = line.rstrip("\n").split(" ", 2)
                if of == subject:
                    # When it finds another host to connect to, it should emit the event "discovery": the IP
                    # address, the port, and the subject that was used for this discovery.
                    self.emit("discovery", ip, port, subject)


p2pChannels = P2PChannels()
p2pChannels.discover("before the service")
p2pChannels.addDiscoveryService(Book())
p2pChannels.discover("after the service")


def on_remote(remote):
    def on_data(message):
        print(f"{remote.subject}: {message}", flush=True)
        if message == "goodbye":
            p2pChannels.stopDiscover(remote.subject)
            p2pChannels.close()

    remote.on("data", on_data)
    remote.send("Hello, dude!")


p2pChannels.on("remote", on_remote)
