/**
 * Live, encrypted channels between all programs that share a phrase.
 *
 * A program names a subject, a phrase that it shares with others. Its node announces the subject, finds the
 * others and connects to them; what comes of that is a `Remote`, a channel of messages to one peer:
 *
 * ```js
 * const node = new Node({ listen: '0.0.0.0:0', discovery: { bittorrent: { bootstrap: 'public' } } })
 * node.on('remote', (remote) => {
 *   remote.on('data', (message) => console.log(message))
 *   remote.send('Hello, dude!')
 * })
 * node.discover('My Cool Service 1.0')
 * await node.start()
 * ```
 *
 * Nothing is opened, asked or written that the settings do not name; docs/settings.md lists them all.
 *
 * Of every function: an argument of the wrong type throws a `TypeError` that names it, at once; one that returns
 * a promise rejects with it. All else that goes wrong is a `P2PChanError`. What takes an `AbortSignal` rejects with
 * its reason when it is aborted.
 */

import { EventEmitter } from 'node:events'
import { Duplex } from 'node:stream'

/** What travels as JSON, as a part of a message. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

/**
 * What arrives: bytes, text, or what JSON has; `null` only inside arrays and objects.
 *
 * Bytes of a short message are a view on memory that it shares with others, which makes receiving fast. They are
 * yours, and may be kept for ever; a buffer of them cannot be transferred to a worker (copy it, or post it without
 * a transfer list).
 */
export type Message = Buffer | string | number | boolean | Json[] | { [key: string]: Json }

/** What can be sent: anything that has bytes, text, or what JSON has. */
export type Sendable = ArrayBufferLike | ArrayBufferView | string | number | boolean | readonly unknown[] | object

/** Settings of docs/settings.md; an object in an object stands for a dot in a key. `null` is the default. */
export interface Settings {
  [key: string]: unknown
  /** Where to accept connections, such as "0.0.0.0:8099"; nowhere by default. */
  listen?: string | readonly string[] | null
  /** No network activity at all. */
  paused?: boolean | null
}

/** What is no setting. */
export interface NodeOptions {
  /** A TOML file with settings, above which the others stand. `reload` reads it again. */
  settingsFile?: string
  /**
   * Whether somebody who has proved a subject gets no remote. While a promise is pending the newcomer waits, at most
   * `timeouts.handshake`. A function that throws refuses, and the event "error" tells of it.
   */
  refuse?: (newcomer: Newcomer) => boolean | Promise<boolean>
}

/** Somebody who has proved a subject and would get a remote. */
export interface Newcomer {
  /** Who: 64 hexadecimal digits. */
  readonly peer: string
  /** For which subject. */
  readonly subject: string
  /** The address that was dialled, or the one that the peer dialled from. */
  readonly address: string
}

/** For promises that can be given up. */
export interface Abortable {
  signal?: AbortSignal
}

/** What is being discovered, as discovery services see it. */
export interface Topic {
  /** The phrase; null for 32 bytes of `discoverTopic`. */
  readonly subject: string | null
  /** 32 bytes under which this service is to find it; they do not tell the subject. */
  readonly findKey: Buffer
  /** Where this node accepts connections; empty if nowhere. */
  readonly addresses: readonly string[]
}

/**
 * Something of your own that finds others: `Node.addDiscoveryService`. Every method may be missing, and may return a
 * promise; what it throws or rejects with is told by the events "discovery_failed" and "error". The signal is aborted
 * when the answer is not needed any more.
 */
export interface DiscoveryService {
  /** A short name: the source of what it finds. */
  readonly name: string
  /** Tells others where this node is. */
  announce?(topic: Topic, options: { signal: AbortSignal }): unknown
  /** Looks for others: addresses such as "tcp://192.0.2.7:8099", all at once or one after the other. */
  lookUp?(topic: Topic, options: { signal: AbortSignal }):
    | Iterable<string> | AsyncIterable<string> | void | Promise<Iterable<string> | void>
  /** Takes the announcement back. */
  withdraw?(topic: Topic, options: { signal: AbortSignal }): unknown
}

/** Particulars of an event; docs/status.md lists them. */
export interface Particulars {
  readonly [name: string]: Json
}

/** The events of a node. Those with particulars are made only while somebody listens. */
export interface NodeEvents {
  /** A remote has opened. Without a listener it waits for one, or for `for await`; `limits.waiting` may wait. */
  remote: [remote: Remote]
  /** The node has closed; nothing else comes. */
  close: []
  /** What a function of yours has thrown: `refuse`, or a discovery service. Only if somebody listens. */
  error: [error: Error]
  /** Counters that have changed, at most once in `stats.interval`. */
  stats: [stats: { readonly [name: string]: number }]
  listening: [event: Particulars]
  not_listening: [event: Particulars]
  opened: [event: Particulars]
  closed: [event: Particulars]
  announced: [event: Particulars]
  found: [event: Particulars]
  discovery_failed: [event: Particulars]
  dialling: [event: Particulars]
  dial_failed: [event: Particulars]
  unreachable: [event: Particulars]
  remote_opened: [event: Particulars]
  remote_ended: [event: Particulars]
  refused: [event: Particulars]
  paused: [event: Particulars]
  resumed: [event: Particulars]
  warning: [event: Particulars]
  missed: [event: Particulars]
  /** One that has no name here yet. */
  event: [event: Particulars]
}

/**
 * One identity, with its listeners, discovery services and remotes.
 *
 * From `start` to `close` it keeps the process alive, as a server does, unless `unref` says otherwise.
 */
export class Node extends EventEmitter<NodeEvents> implements AsyncIterable<Remote>, AsyncDisposable {
  /** Checks the settings; opens nothing. Throws ERR_P2PCHAN_SETTINGS naming the key and the value. */
  constructor(settings?: Settings, options?: NodeOptions)

  /** This node's identity, once it has started: 64 hexadecimal digits. */
  readonly id: string
  /** Where it accepts connections. 0.0.0.0 and [::] stand for all addresses of the machine. */
  readonly addresses: string[]

  /** Opens what the settings name, and nothing else; rejects if that fails, and then nothing is left open. */
  start(options?: Abortable): Promise<this>

  /**
   * Announces a subject, and looks for others who have it; their remotes come by the event "remote". Before `start` it
   * begins with that.
   *
   * With a secret only those who have the same one get a remote: whoever guessed the subject can find this node,
   * and not connect. Discovering a subject again is the same discovery.
   */
  discover(subject: string, secret?: string): Discovery
  /** As `discover`, for 32 bytes that are as strong as a key. */
  discoverTopic(topic: ArrayBufferLike | ArrayBufferView): Discovery
  /** Withdraws a subject, and looks no more. Open remotes live on. */
  stopDiscover(subject: string): void
  /** As `stopDiscover`, for `discoverTopic`. */
  stopDiscoverTopic(topic: ArrayBufferLike | ArrayBufferView): void

  /**
   * Dials an address such as "tcp://192.0.2.7:8099" now, and offers all subjects of this node. The remote does not come by
   * the event "remote", unless the signal was aborted meanwhile; those for further common subjects do.
   */
  connect(address: string, options?: Abortable): Promise<Remote>
  /** The remotes that are open. */
  remotes(): Remote[]

  /** Adds something of your own that finds others. Only before `start`. */
  addDiscoveryService(service: DiscoveryService): this

  /** Changes settings while the node runs. Everything is checked first: if it rejects, all is as it was. */
  update(settings: Settings, options?: Abortable): Promise<void>
  /** Reads the settings file again. What the program has set stays above it. */
  reload(options?: Abortable): Promise<void>

  /** All that the node has open and under way, at this moment; docs/status.md lists it. */
  status(): { [name: string]: any }
  /** All that is known of a peer (its id, or 8 digits of it) or an address. */
  explain(target: string): { [name: string]: any }

  /** Keeps the process alive while it runs, which is so from the beginning. */
  ref(): this
  /** Lets the process end while it runs. */
  unref(): this

  /**
   * Ends everything: announcements are withdrawn, what was sent goes out, remotes end. Resolves when sockets and tasks
   * are gone, which takes at most `timeouts.close` and 6 s.
   */
  close(options?: Abortable): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
  /** The remotes that no listener of "remote" takes, until the node has closed. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Remote>
}

/** A subject that is being discovered; forgetting it changes nothing. */
export class Discovery {
  private constructor()
  /** The phrase, or a raw topic as 64 hexadecimal digits. */
  readonly subject: string
  /** Resolves when the announcement stands, so that others can find this node. */
  flushed(options?: Abortable): Promise<void>
  /** Withdraws the announcement, and looks no more. Open remotes live on. */
  stop(): void
}

/**
 * An encrypted channel to one peer, for one subject that both have: an object-mode Duplex.
 *
 * Messages arrive in order, whole and once. A remote that nobody reads stops its peer, as does one that is read
 * slowly; nothing is lost meanwhile. However it ends, what came before can be read, then comes "end", and `reason`
 * tells why. "error" is emitted only if somebody listens; `for await` throws it.
 */
export class Remote extends Duplex {
  private constructor()
  /** The peer's identity, which it has proved: 64 hexadecimal digits. */
  readonly peer: string
  /** The subject that both have proved: the phrase, or a raw topic as 64 hexadecimal digits. */
  readonly subject: string
  /** The address that was dialled, or the one that the peer dialled from. */
  readonly address: string
  /** How the peer is connected, such as "tcp" or "quic". */
  readonly transport: string
  /** Whether a third peer relays the connection. */
  readonly relayed: boolean
  /** The smoothed round trip time in milliseconds; null until it was measured. */
  readonly rtt: number | null
  /** Why it has ended; null while it is open, and after a clean end. */
  readonly reason: Error | null

  /**
   * Sends a message: `write` under another name. False asks you to wait for "drain", which nobody has to.
   *
   * Throws TypeError naming the place of what cannot travel, such as `message.a[3] is a function`;
   * ERR_P2PCHAN_TOO_BIG beyond `limits.message`. Bytes are not copied at once: do not change them before they were sent.
   */
  send(message: Sendable): boolean
  write(message: Sendable, callback?: (error: Error | null | undefined) => void): boolean
  write(message: Sendable, encoding: BufferEncoding | undefined, callback?: (error: Error | null | undefined) => void): boolean
  /**
   * Says that no more messages follow. The peer can answer until it has read them all; then it has ended too, and the
   * remote closes.
   */
  end(callback?: () => void): this
  end(message: Sendable, callback?: () => void): this
  end(message: Sendable, encoding: BufferEncoding | undefined, callback?: () => void): this
  /** The next message; null if there is none now. */
  read(): Message | null

  /** Ends it at once, and tells the peer that this program does not want it. */
  refuse(): void

  /** Ends it: what was sent goes out, what comes is thrown away, until the peer has ended too. */
  [Symbol.asyncDispose](): Promise<void>
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<Message>

  on(event: 'data', listener: (message: Message) => void): this
  on(event: 'end' | 'close' | 'drain' | 'finish' | 'pause' | 'readable' | 'resume', listener: () => void): this
  on(event: 'error', listener: (error: Error) => void): this
  on(event: string | symbol, listener: (...values: any[]) => void): this
  once(event: 'data', listener: (message: Message) => void): this
  once(event: 'end' | 'close' | 'drain' | 'finish' | 'pause' | 'readable' | 'resume', listener: () => void): this
  once(event: 'error', listener: (error: Error) => void): this
  once(event: string | symbol, listener: (...values: any[]) => void): this
}

/** The events of `P2PChannels`. */
export interface P2PChannelsEvents {
  /** A remote has opened. Without a listener it waits for one; `limits.waiting` may wait. */
  remote: [remote: P2PChannels.Remote]
  /** It accepts connections, also after a further `listen`. */
  listening: []
  /** What `listen` or a service of settings could not do; without a listener it ends the process, as with a server. */
  error: [error: Error]
  /** It has closed. */
  close: []
  addDiscoverSubject: [subject: string]
  removeDiscoverySubject: [subject: string]
}

/**
 * What programs for the package p2pchannels are written for, over a `Node` of its own:
 *
 * ```js
 * const p2pChannels = new P2PChannels()
 * p2pChannels.listen(8099)
 * p2pChannels.addDiscoveryService(new P2PChannels.BitTorrentDHT(55055))
 * p2pChannels.discover('My Cool Service 1.0')
 * p2pChannels.on('remote', (remote) => {
 *   remote.on('data', (message) => console.log(message))
 *   remote.send('Hello, dude!')
 * })
 * ```
 *
 * It begins by itself after the tick in which it was first told to listen, to discover or to use a service. What is
 * wrong with a setting throws at once.
 */
export class P2PChannels extends EventEmitter<P2PChannelsEvents> implements AsyncDisposable {
  /** With settings of docs/settings.md, if any are wanted beside `listen` and the services. */
  constructor(settings?: Settings)

  /** Its identity, once it has begun: 64 hexadecimal digits. */
  readonly id: string
  /** Where it accepts connections, once it does. */
  readonly addresses: string[]
  /** What is being discovered. */
  readonly subjects: string[]

  /** Accepts connections at a port, 0 for any free one, of one address of this machine or of all IPv4 addresses. */
  listen(port: number | `${number}`, callback?: () => void): this
  listen(port: number | `${number}`, host: string | undefined, callback?: () => void): this
  /** Uses a service from now on: calls its `start` at once. */
  addDiscoveryService(service: P2PChannels.DiscoveryService): this
  /** Begins to look for others who have that subject; false if that is so already. */
  discover(subject: string): boolean
  /** Looks no more; false if it did not. Open remotes live on. */
  stopDiscover(subject: string): boolean

  /** Keeps the process alive while it runs, which is so from the beginning. */
  ref(): this
  /** Lets the process end while it runs. */
  unref(): this
  /** As `Node.close`. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export namespace P2PChannels {
  /**
   * Something that finds others. `start` is called once; it begins with `p2pChannels.subjects`, and hears of others by the
   * events "addDiscoverSubject" and "removeDiscoverySubject".
   */
  interface DiscoveryService {
    start(p2pChannels: P2PChannels): unknown
    /** What it emits: an IP address and a port, and the subject for which they were found, all subjects without one. */
    on(event: 'discovery', listener: (ip: string, port: number | `${number}`, subject?: string) => void): unknown
  }

  /** Discovery through the BitTorrent DHT. */
  class BitTorrentDHT extends EventEmitter {
    /** @param port The UDP port, 0 for any free one. */
    constructor(port?: number | `${number}`, options?: {
      /** Where the DHT is entered; "public" by default. */
      bootstrap?: string | readonly string[]
      /** The IPv4 address of this machine that is used; all by default. */
      address?: string
    })
    start(p2pChannels: P2PChannels): void
  }

  /** A remote that always flows: its messages come by "data", whether or not anybody listens. */
  class Remote extends EventEmitter<{ data: [message: Message], drain: [], end: [] }> {
    private constructor()
    /** The peer's identity, which it has proved: 64 hexadecimal digits. */
    readonly id: string
    readonly subject: string
    readonly address: string
    /** Why it has ended; null while it is open, and after a clean end. */
    readonly reason: Error | null
    /** As `Remote.send` of a node; false too when it has ended. */
    send(message: Sendable): boolean
    /** Says that no more messages follow. */
    end(message?: Sendable): void
  }
}

/** How much of the log is wanted: lines of this level and of those before it. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace'

/**
 * Sends the library's log to a function from now on: all lines of this process, up to that level. They never hold
 * messages or subjects; when more than 1024 wait, the others are counted in a line of their own. `null` sends them
 * nowhere.
 *
 * Without it errors and warnings are warnings of the process (`process.on('warning')`, named "P2PChanWarning"), and
 * with `NODE_DEBUG=p2pchan` in the environment every line goes to stderr.
 */
export function setLog(level: LogLevel, listener: (level: LogLevel, line: string) => void): void
export function setLog(level: null): void

/** What the `code` of an error may be: the kind, which is the same in all languages. */
export type Code =
  | 'ERR_P2PCHAN_INVALID' | 'ERR_P2PCHAN_SETTINGS' | 'ERR_P2PCHAN_CLOSED' | 'ERR_P2PCHAN_TIMEOUT'
  | 'ERR_P2PCHAN_WOULD_BLOCK' | 'ERR_P2PCHAN_REFUSED' | 'ERR_P2PCHAN_AUTH' | 'ERR_P2PCHAN_PROTOCOL'
  | 'ERR_P2PCHAN_TOO_BIG' | 'ERR_P2PCHAN_IO' | 'ERR_P2PCHAN_IN_CALLBACK' | 'ERR_P2PCHAN_INTERNAL'
  | 'ERR_P2PCHAN_FORKED'

/** What goes wrong in p2pchan. Branch on `code`; the message is for people. */
export class P2PChanError extends Error {
  private constructor()
  readonly code: Code
}
