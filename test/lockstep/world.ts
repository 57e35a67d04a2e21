// world: a server and its clients, each of them once in every engine, their users, and the network
// between them; all of it from one seed.
//
// Owns the order of events. What the first engine sends is what arrives at all engines of the other
// side, so that one difference does not hide behind the next.
import { ENTROPY_BYTES } from "../../lib/engine/config.js";
import { BATCH_STRIDE } from "../../lib/engine/host.js";
import { CHALLENGE_BODY_BYTES, KEY_BYTES } from "../../lib/engine/limits.js";
import {
  CHANNEL_COPIES,
  CHANNEL_RESENT,
  CHANNEL_SENT,
  HOST_MESSAGES_REFUSED,
  HOST_PEERS,
  PEER_HANDLE,
  PEER_IN_FLIGHT,
  PEER_PACKETS_ACKED,
  PEER_PACKETS_LOST,
  PEER_PACKETS_SENT,
  statsChannelWord,
  statsHostWord,
  statsPeerWord,
} from "../../lib/engine/stats.js";
import { Random } from "../../lib/sim/random.js";
import { ADDRESS_WORDS } from "../hosts.js";
import { fillRandom, tokenMint } from "../sim/tokens.js";
import { insiderPacket } from "./insider.js";
import { type End, Ledger, type Session } from "./ledger.js";
import { type Datagram, Network } from "./network.js";
import { type EngineName, LockstepError, Pair } from "./pair.js";
import { nodeAddress, type Profile, profileConfig, profileDraw } from "./profile.js";
import { userActs, userReads } from "./user.js";

/** Bytes of a packet with a challenge: prefix, 8 bytes of sequence, body, tag. */
const CHALLENGE_BYTES = 9 + CHALLENGE_BODY_BYTES + 16;
/** Datagrams without a message that one turn may send to one peer: keep-alive, hello, acks, skips. */
const EMPTY_MAX = 6;
/** The server's number among the nodes, which are the server and the clients. */
const SERVER = 0;
/** Addresses from here on belong to nobody. */
const NOBODY = 90;

export class Node {
  pair: Pair;
  readonly inbox: Datagram[] = [];
  /** Connections that its user knows of, by handle. */
  ends = new Map<number, End>();
  /** A client's latest session. */
  session: Session | null = null;
  /** A client's NETCODE state, as its user knows it. */
  state = 0;
  /** It takes no turn until then (µs). */
  asleepUntilUs = 0;
  /** Messages whose fate never came because the connection was gone before they were submitted. */
  unfated = 0;
  broadcasts = 0;

  constructor(
    readonly index: number,
    readonly address: Uint32Array,
    readonly config: Uint32Array,
    pair: Pair,
  ) {
    this.pair = pair;
  }

  get isServer(): boolean {
    return this.index === SERVER;
  }
}

export class World {
  readonly random: Random;
  readonly profile: Profile;
  readonly ledger: Ledger;
  readonly network: Network;
  readonly nodes: Node[] = [];
  readonly #engines: readonly EngineName[];
  readonly #privateKey: Uint8Array;
  nowUs: number;
  /** Nobody begins anything new any more. */
  settling = false;
  /** There is a token without a time-out: its connection may stay for ever when its client is gone. */
  endless = false;

  constructor(seed: number, engines: readonly EngineName[]) {
    this.random = new Random(seed);
    this.#engines = engines;
    this.profile = profileDraw(this.random);
    this.nowUs = this.profile.startUs;
    this.network = new Network(this.random);
    this.#privateKey = fillRandom(this.random, new Uint8Array(KEY_BYTES));
    this.ledger = new Ledger(this.profile.channels.map(({ promise }) => promise));
    for (let index = 0; index <= this.profile.clients; index++) {
      const stranger = this.profile.stranger && index === 1;
      const config = profileConfig(this.profile, index === SERVER, stranger);
      const address = nodeAddress(this.profile, index);
      this.nodes.push(new Node(index, address, config, this.#open(config)));
    }
  }

  #open(config: Uint32Array): Pair {
    const { submissionCapacity, completionCapacity } = this.profile;
    return new Pair(this.#engines, {
      config,
      privateKey: this.#privateKey,
      entropy: fillRandom(this.random, new Uint8Array(ENTROPY_BYTES)),
      submissionCapacity,
      completionCapacity,
    });
  }

  get unixSeconds(): number {
    const { startSeconds, startUs } = this.profile;
    return startSeconds + Math.floor((this.nowUs - startUs) / 1_000_000);
  }

  close(): void {
    for (const node of this.nodes) node.pair.close();
  }

  // --- a client's beginning ---

  /** Starts a client with a new token, in a new host when the old one is of no more use. */
  connect(node: Node): void {
    const { random, profile } = this;
    if (node.state < 0 || random.chance(30)) {
      for (const end of node.ends.values()) end.abandoned = true;
      if (node.session !== null && !node.session.client.ended) node.session.client.abandoned = true;
      node.ends.clear();
      node.unfated = 0;
      node.pair.close();
      node.pair = this.#open(node.config);
    }
    const session = this.ledger.session(node.index);
    const servers = [nodeAddress(profile, SERVER)];
    if (random.chance(15)) servers.unshift(nodeAddress(profile, NOBODY + random.below(5)));
    const timeoutSeconds = random.chance(3) ? -1 : [1, 2, 5][random.below(3)];
    this.endless ||= timeoutSeconds < 0;
    const token = tokenMint(random, {
      protocolIdLo: profile.protocolIdLo,
      protocolIdHi: profile.protocolIdHi,
      privateKey: this.#privateKey,
      clientIdLo: node.index,
      clientIdHi: random.chance(80) ? 7 : random.next32(),
      userWord: session.id,
      createSeconds: this.unixSeconds,
      expireSeconds: this.unixSeconds + 2 + random.below(30),
      timeoutSeconds,
      servers,
    });
    if (random.chance(1)) token.bytes.fill(0, 0, 4);
    session.keys = token;
    node.session = session;
    node.state = 1;
    node.pair.connect(token.bytes, this.nowUs);
  }

  // --- a step ---

  /** Lets time pass, then one node takes a turn. */
  step(): void {
    const { random } = this;
    this.#pass();
    for (let datagram = this.network.pop(this.nowUs); datagram; ) {
      this.nodes[datagram.to].inbox.push(datagram);
      datagram = this.network.pop(this.nowUs);
    }
    if (!this.settling) {
      if (random.below(400) === 0) this.network.change();
      if (random.below(40) === 0) {
        const from = nodeAddress(this.profile, NOBODY + random.below(3));
        this.network.attack(from, random.below(this.nodes.length), this.nowUs);
      }
      if (this.profile.insiders && random.below(60) === 0) this.#betray();
    }
    const node = this.#choose();
    if (!this.settling && random.below(600) === 0) {
      node.asleepUntilUs = this.nowUs + random.below(8_000_000);
    }
    if (node.asleepUntilUs <= this.nowUs) this.turn(node);
  }

  /** Somebody with a session's keys sends what no peer may; little can be promised to it after that. */
  #betray(): void {
    const { random, profile, ledger, network, nodes, nowUs } = this;
    const session = ledger.sessions[ledger.sessions.length - 1 - random.below(this.nodes.length)];
    if (session === undefined || session.keys === null) return;
    session.tampered = true;
    const client = nodes[session.node].address;
    const toServer = random.chance(70);
    const key = toServer ? session.keys.clientToServerKey : session.keys.serverToClientKey;
    const bytes = insiderPacket(random, profile.protocolIdLo, profile.protocolIdHi, key);
    const to = toServer ? SERVER : session.node;
    network.send(toServer ? client : nodes[SERVER].address, to, bytes, nowUs);
  }

  #pass(): void {
    const { random } = this;
    const dice = random.below(100);
    if (dice < 40 || this.settling) {
      // To what happens next by itself, however far, but no further than a second.
      let nextUs = this.network.nextUs;
      for (const node of this.nodes) {
        if (node.inbox.length > 0) return;
        nextUs = Math.min(nextUs, Math.max(node.pair.deadlineUs(), node.asleepUntilUs));
      }
      this.nowUs = Math.max(this.nowUs, Math.min(nextUs, this.nowUs + 1_000_000));
    } else if (dice < 80) {
      this.nowUs += random.below(4000);
    } else if (dice < 98) {
      this.nowUs += random.below(40_000);
    } else {
      this.nowUs += random.below(1_500_000);
    }
  }

  #choose(): Node {
    const { random, nodes } = this;
    if (random.chance(60) || this.settling) {
      const busy = nodes.filter(
        (node) =>
          node.asleepUntilUs <= this.nowUs &&
          (node.inbox.length > 0 || node.pair.deadlineUs() <= this.nowUs),
      );
      if (busy.length > 0) return busy[random.below(busy.length)];
    }
    return nodes[random.below(nodes.length)];
  }

  /** One turn of a host, in every engine; then everything is compared. */
  turn(node: Node): void {
    const { random, nowUs } = this;
    userActs(this, node);
    const { pair } = node;
    pair.submit(nowUs);
    while (node.inbox.length > 0 && pair.ready()) {
      const datagram = node.inbox.shift() as Datagram;
      pair.receive(nowUs, datagram.arrivedUs, this.unixSeconds, datagram.from, datagram.bytes);
    }
    pair.advance(nowUs);
    if (this.settling || random.chance(75)) pair.flush();
    const transmitted = this.settling || random.chance(95);
    if (transmitted) this.#transmit(node);
    pair.publish();
    pair.compare();
    const reads = this.settling || random.chance(this.profile.drainPercent);
    if (reads) userReads(this, node);
    if (reads && transmitted) this.#conserve(node);
  }

  #transmit(node: Node): void {
    const { page } = node.pair.first;
    const before = this.#carried(page);
    const live = [...node.ends.values()].filter((end) => end.live);
    const peers = new Set(live.map(({ session }) => session.node));
    let datagrams = 0;
    for (let count = node.pair.transmit(this.nowUs); count > 0; ) {
      const { batchBytes, lengths, addresses } = node.pair.first;
      for (let index = 0; index < count; index++) {
        const start = index * BATCH_STRIDE;
        const bytes = batchBytes.subarray(start, start + lengths[index]);
        const port = addresses[index * ADDRESS_WORDS + 1];
        const target = port - nodeAddress(this.profile, 0)[1];
        // Replies to requests are as many as the requests.
        const challenge = node.isServer && lengths[index] === CHALLENGE_BYTES;
        if (!challenge && (!node.isServer || peers.has(target))) datagrams += 1;
        if (target < this.nodes.length) this.network.send(node.address, target, bytes, this.nowUs);
      }
      count = node.pair.transmit(this.nowUs);
    }
    const empty = datagrams - (this.#carried(page) - before);
    if (empty > EMPTY_MAX * peers.size + EMPTY_MAX && !this.profile.raw) {
      throw new LockstepError(`${empty} of ${datagrams} datagrams of one turn carried no message`);
    }
  }

  /** Rides of messages so far. */
  #carried(page: Uint32Array): number {
    let rides = 0;
    for (let channel = 0; channel < this.profile.channels.length; channel++) {
      for (const counter of [CHANNEL_SENT, CHANNEL_RESENT, CHANNEL_COPIES]) {
        rides += page[statsChannelWord(channel, counter)];
      }
    }
    return rides;
  }

  /** Every packet has its verdict, one, or is in flight. */
  #conserve(node: Node): void {
    const { page } = node.pair.first;
    for (const [handle, end] of node.ends) {
      const row = statsPeerWord(handle & 0xffff);
      if (!end.live || page[row + PEER_HANDLE] !== handle || this.profile.raw) continue;
      const verdicts = page[row + PEER_PACKETS_ACKED] + page[row + PEER_PACKETS_LOST];
      const sent = page[row + PEER_PACKETS_SENT];
      if (sent !== verdicts + page[row + PEER_IN_FLIGHT]) {
        throw new LockstepError(
          `${sent} packets sent, ${verdicts} verdicts, ${page[row + PEER_IN_FLIGHT]} in flight`,
        );
      }
    }
  }

  // --- the end of the world ---

  /** Every message has a fate, or came too late for its connection. */
  static fated(node: Node): boolean {
    return node.unfated <= node.pair.first.page[statsHostWord(HOST_MESSAGES_REFUSED)];
  }

  /** Good weather, nobody asleep, no new messages: until nothing is left, at most this long. */
  settle(limitUs: number, done: () => boolean): boolean {
    this.settling = true;
    this.network.calm();
    for (const node of this.nodes) node.asleepUntilUs = 0;
    const endUs = this.nowUs + limitUs;
    // A host with nothing to do takes no turn, and its user has not read all that there is.
    this.#turnAll();
    while (this.nowUs < endUs && !done()) this.step();
    this.#turnAll();
    return done();
  }

  #turnAll(): void {
    for (const node of this.nodes) this.turn(node);
  }

  /** Whether a node's host has no connection left. */
  static empty(node: Node): boolean {
    return node.pair.first.page[statsHostWord(HOST_PEERS)] === 0;
  }
}
