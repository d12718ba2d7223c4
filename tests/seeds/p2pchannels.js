var
	P2PChannels = require('p2pchan').P2PChannels,
	p2pChannels = new P2PChannels();

p2pChannels.listen(8099); // What port to listen for incoming socket.io connections.

p2pChannels.addDiscoveryService(new P2PChannels.BitTorrentDHT(55055)); // 55055 is the port we use for DHT.

p2pChannels.discover('My Cool Service protocol version 1.0');

p2pChannels.discover('My Cool Service protocol version 0.9'); // We are backwards compatible.
p2pChannels.discover('Anther Cool Service'); // Compatible with another service too.

p2pChannels.on('remote', function (remote) {

	remote.on('data', function (msg) {
		console.log(msg); // Output incoming data.
	});

	remote.send('Hello, dude!');
	remote.send({ yo: 'ppl' }); // Send anything that is JSON.stringify-able.
	
	remote.on('end', function () {
		console.log('Connection closed.');
	});
});

setTimeout(function () {
	p2pChannels.discover('My Cool Service Chatroom #blarf');
}, 60000);

p2pChannels.stopDiscover('My Cool Service Chatroom #blarf');
