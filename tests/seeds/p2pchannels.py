"""The example in the README of p2pchannels, a module for Node.js of years ago, word for word in Python.

It is run by bindings/python/tests/test_p2pchannels.py, beside somebody to talk with. Whoever has a
program for that module should find all of it again here.
"""

from threading import Timer

from p2pchan import P2PChannels


def setTimeout(call, milliseconds):
    timer = Timer(milliseconds / 1000, call)
    timer.daemon = True
    timer.start()


# First create the server for listening on incoming connections:

p2pChannels = P2PChannels()

p2pChannels.listen(8099)  # What port to listen for incoming connections.

# Add BitTorrent DHT for discovery:

p2pChannels.addDiscoveryService(P2PChannels.BitTorrentDHT(55055))  # 55055 is the port we use for DHT.

# Start searching for other servers, using a custom subject string used for discovery. Other servers using
# the same subject string will try to find each other:

p2pChannels.discover("My Cool Service protocol version 1.0")

# You can use multiple strings for discovery:

p2pChannels.discover("My Cool Service protocol version 0.9")  # We are backwards compatible.
p2pChannels.discover("Anther Cool Service")  # Compatible with another service too.

# When another server is found, they will do some handshaking, and when the connection is established, an
# event will emit with an object representing the remote:


def on_remote(remote):
    def on_data(msg):
        print(msg, flush=True)  # Output incoming data.

    remote.on("data", on_data)

    remote.send("Hello, dude!")
    remote.send({"yo": "ppl"})  # Send anything that is JSON.stringify-able.

    def on_end():
        print("Connection closed.", flush=True)

    remote.on("end", on_end)


p2pChannels.on("remote", on_remote)

# More discover strings can be added later:


def later():
    p2pChannels.discover("My Cool Service Chatroom #blarf")


setTimeout(later, 60000)

# And discover string can also be removed:

p2pChannels.stopDiscover("My Cool Service protocol version 0.9")
