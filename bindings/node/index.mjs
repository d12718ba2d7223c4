// The same objects as `require('p2pchan')` gives, by name.
import p2pchan from './index.js'

export const { Discovery, Node, P2PChanError, P2PChannels, Remote, setLog } = p2pchan
