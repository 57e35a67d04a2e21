// world: a server and its clients, each of them in one engine or once in every engine, their users, and the
// network between them; all of it from one seed, on one virtual clock.
//
// Owns the order of events. Where a node has several engines, what the first one sends is what arrives at all
// engines of the other side, so that one difference does not hide behind the next (test/lockstep).
// Invariant: the same seed and options give the same bytes at the same times, in whichever engines.
import { ENTROPY_BYTES } from "../../lib/engine/config.js";
import { BATCH_STRIDE } from "../../lib/engine/host.js";
import { CHALLENGE_BODY_BYTES, KEY_BYTES } from "../../lib/engine/limits.js";
import {
  CHANNEL_COPIES,
  CHANNEL_FRAGMENTS_SENT,
  CHANNEL_RESENT,
  CHANNEL_SENT,
  CIPHER_TOKEN,
  HOST_MESSAGES_REFUSED,
  HOST_PEERS,
  PEER_CIPHER,
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
import { KeyPairs, Tap } from "../tap.js";
import { type Canary, CanaryBird } from "./canary.js";
import { type Fault, FaultSet } from "./faults.js";
import { insiderPacket } from "./insider.js";
import { Ledger } from "./ledger.js";
import { Nat, REBOUND_EACH } from "./nat.js";
import { type Datagram, Network } from "./network.js";
import { Node, SERVER } from "./node.js";
import { type EngineName, Pair, SimError } from "./pair.js";
import { nodeAddress, type Profile, profileConfig, profileDraw } from "./profile.js";
import { fillRandom, packetOpens, tokenMint } from "./tokens.js";
import type { Trace } from "./trace.js";
import { userActs, userReads } from "./user.js";
import { ringHead } from "./watch.js";
import { type Owned, Whose } from "./whose.js";

/** Bytes of a packet with a challenge: prefix, 8 bytes of sequence, body, tag. */
const CHALLENGE_BYTES = 9 + CHALLENGE_BODY_BYTES + 16;
/** Datagrams without a message that one turn may send to one peer: keep-alive, hello, acks, skips. */
const EMPTY_MAX = 6;
/** Addresses from here on belong to nobody. */
const NOBODY = 90;
const LATE = 0x6c617465;
const COMPLETION_PROMPT = 1_048_576;

/** What a world is made from, beside its seed. */
const CARRYING = [CHANNEL_SENT, CHANNEL_FRAGMENTS_SENT, CHANNEL_RESENT, CHANNEL_COPIES];

export interface WorldOptions {
  readonly seed: number;
  /** The engines of a node: those of its pair. */
  readonly engines: (node: number, random: Random) => readonly EngineName[];
  /** Faults that are not there, whatever the seed says. */
  readonly without?: ReadonlySet<Fault>;
  /** How many clients, in place of what the seed says. */
  readonly clients?: number;
  readonly canary?: Canary | null;
  /** How much later than the seed says every clock starts (µs): nothing else may change by it. */
  readonly shiftUs?: number;
  /** Every datagram's events are published and read before the next is taken: nothing may change by it. */
  readonly singles?: boolean;
  /** Users read after every turn, whatever the seed says, and their ring is never full. */
  readonly prompt?: boolean;
  /** Gets everything that is sent and told. */
  readonly trace?: Trace | null;
}

export class World {
  readonly random: Random;
  /** Draws for what was added when there were kept seeds: without it they are the worlds that they were. */
  readonly late: Random;
  readonly faults: FaultSet;
  readonly profile: Profile;
  readonly ledger: Ledger;
  readonly network: Network;
  readonly nodes: Node[] = [];
  readonly bird: CanaryBird;
  readonly trace: Trace | null;
  readonly singles: boolean;
  readonly prompt: boolean;
  /** By node: its engines. */
  readonly engines: readonly (readonly EngineName[])[];
  readonly #privateKey: Uint8Array;
  /** The key pairs of all hosts. */
  readonly pairs = new KeyPairs();
  readonly nat: Nat;
  readonly #whose = new Whose();
  readonly startUs: number;
  nowUs: number;
  /** Nobody begins anything new any more. */
  settling = false;
  /** Turns taken by hosts, in steps and while it comes to rest. */
  turns = 0;
  /** Inputs of hosts that are gone. */
  #stepsGone = 0;
  /** Blocks that arrived. */
  blocks = 0;
  /** There is a token without a time-out: its connection may stay for ever when its client is gone. */
  endless = false;

  constructor(options: WorldOptions) {
    const { seed, clients, canary = null, shiftUs = 0, trace = null } = options;
    this.random = new Random(seed);
    this.bird = new CanaryBird(canary);
    this.trace = trace;
    this.singles = options.singles ?? false;
    this.prompt = options.prompt ?? false;
    this.late = new Random(seed ^ LATE);
    this.faults = new FaultSet(this.random, this.late, options.without ?? new Set());
    this.profile = profileDraw(this.random, this.late, this.faults, clients);
    this.nat = new Nat(this.profile);
    this.startUs = this.profile.startUs + shiftUs;
    this.nowUs = this.startUs;
    this.network = new Network(new Random(this.random.next32()), this.faults);
    this.#privateKey = fillRandom(this.random, new Uint8Array(KEY_BYTES));
    this.ledger = new Ledger(this.profile.channels.map(({ promise }) => promise));
    const draw = new Random(this.random.next32());
    const indices = Array.from({ length: this.profile.clients + 1 }, (_, index) => index);
    this.engines = indices.map((index) => options.engines(index, draw));
    for (const index of indices) {
      const stranger = this.profile.stranger && index === 1;
      const config = profileConfig(this.profile, index === SERVER, stranger);
      const address = nodeAddress(this.profile, index);
      const clockUs = this.profile.clocksUs[index];
      const pair = this.#open(config, index);
      this.nodes.push(new Node(index, address, config, pair, clockUs, this.bird));
    }
  }

  #open(config: Uint32Array, index: number): Pair {
    const { submissionCapacity } = this.profile;
    const completionCapacity = this.prompt ? COMPLETION_PROMPT : this.profile.completionCapacity;
    const entropy = fillRandom(this.random, new Uint8Array(ENTROPY_BYTES));
    this.pairs.host(entropy);
    return new Pair(this.engines[index], {
      config,
      privateKey: this.#privateKey,
      entropy,
      submissionCapacity,
      completionCapacity,
    });
  }

  /** A new host at the same address: what the old one knew is gone. */
  reopen(node: Node): void {
    for (const end of node.ends.values()) end.abandoned = true;
    if (node.session !== null && !node.session.client.ended) node.session.client.abandoned = true;
    node.ends.clear();
    node.unfated = 0;
    node.state = 0;
    this.#stepsGone += node.pair.steps;
    node.pair.close();
    node.live.length = 0;
    node.pair = this.#open(node.config, node.index);
    node.watch.reopened();
  }

  get protocolId(): bigint {
    const { protocolIdLo, protocolIdHi } = this.profile;
    return BigInt(protocolIdLo) + (BigInt(protocolIdHi) << 32n);
  }

  get unixSeconds(): number {
    return this.profile.startSeconds + Math.floor((this.nowUs - this.startUs) / 1_000_000);
  }

  /** Inputs that were given to the hosts: submissions, datagrams, time, flushes, asks for packets. */
  get inputs(): number {
    return this.nodes.reduce((sum, { pair }) => sum + pair.steps, this.#stepsGone);
  }

  close(): void {
    for (const node of this.nodes) node.pair.close();
  }

  // --- a client's beginning ---

  /** Starts a client with a new token, in a new host when the old one is of no more use. */
  connect(node: Node): void {
    const { random, profile } = this;
    if (node.state < 0 || random.chance(30)) this.reopen(node);
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
    session.timeoutSeconds = timeoutSeconds;
    const pairs = profile.raw ? null : this.pairs;
    session.tap = new Tap({ protocolId: this.protocolId, ...token }, pairs);
    node.session = session;
    node.state = 1;
    node.watch.started();
    node.pair.connect(token.bytes, node.clockOf(this.nowUs));
  }

  // --- a step ---

  /** Lets time pass, then one node takes a turn. */
  step(): void {
    const { nodes } = this;
    this.#pass();
    for (let datagram = this.network.pop(this.nowUs); datagram; ) {
      nodes[datagram.to].inbox.push(datagram);
      datagram = this.network.pop(this.nowUs);
    }
    if (!this.settling) this.#trouble();
    const node = this.#choose();
    if (!this.settling) this.#afflict(node);
    if (node.asleepUntilUs <= this.nowUs) this.turn(node);
  }

  /** What befalls the network. */
  #trouble(): void {
    const { random, network, nodes, nowUs } = this;
    if (random.below(400) === 0) network.change();
    if (random.below(500) === 0) {
      network.trouble(SERVER, 1 + random.below(nodes.length - 1), nowUs);
    }
    if (random.below(40) === 0) {
      const from = nodeAddress(this.profile, NOBODY + random.below(3));
      network.attack(from, random.below(nodes.length), nowUs);
    }
    if (this.profile.insiders && random.below(60) === 0) this.#betray();
  }

  /** What befalls a node. */
  #afflict(node: Node): void {
    const { random, faults } = this;
    if (random.below(600) === 0) {
      const asleepUs = random.below(8_000_000);
      if (faults.has("stall")) node.asleepUntilUs = this.nowUs + asleepUs;
    }
    if (random.below(2000) === 0) {
      const jumpUs = [1_000_000, 60_000_000, 86_400_000_000, 4_320_000_000_000][random.below(4)];
      if (faults.has("jump")) node.clockUs += jumpUs;
    }
    if (random.below(1500) === 0) {
      const back = random.chance(50);
      const which = random.below(REBOUND_EACH);
      const seenAs = back ? node.address : this.nat.address(node, which);
      const forgets = random.chance(50);
      if (faults.has("rebind") && !node.isServer) this.nat.rebind(node, seenAs, forgets);
    }
    if (random.below(5000) === 0 && faults.has("restart")) this.reopen(node);
  }

  /** Whether a client's connection can go on from another address: both sides are there and have the keys. */
  moves(node: Node): boolean {
    const end = node.session?.client;
    if (end === undefined || !end.live || !end.other.live || this.profile.raw) return false;
    return node.pair.first.page[statsPeerWord(end.handle & 0xffff) + PEER_CIPHER] !== CIPHER_TOKEN;
  }

  /** All clients that can are behind other addresses from now on, and their old ones lead nowhere. */
  wander(): Node[] {
    const wanderers = this.nodes.filter((node) => !node.isServer && this.moves(node));
    for (const node of wanderers) this.nat.leave(node);
    return wanderers;
  }

  /** Somebody with a session's keys sends what no peer may; little can be promised to it after that. */
  #betray(): void {
    const { random, ledger, network, nodes, nowUs } = this;
    const session = ledger.sessions[ledger.sessions.length - 1 - random.below(this.nodes.length)];
    if (session === undefined || session.tap === null) return;
    session.tampered = true;
    const client = nodes[session.node].address;
    const toServer = random.chance(70);
    const bytes = insiderPacket(random, session.tap, toServer);
    const to = toServer ? SERVER : session.node;
    network.inject(toServer ? client : nodes[SERVER].address, to, bytes, nowUs);
  }

  #pass(): void {
    const { random } = this;
    const dice = random.below(100);
    if (dice < 40 || this.settling) {
      // To what happens next by itself, however far, but no further than a second.
      let nextUs = this.network.nextUs;
      for (const node of this.nodes) {
        if (node.inbox.length > 0) return;
        nextUs = Math.min(nextUs, node.dueUs);
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
          node.asleepUntilUs <= this.nowUs && (node.inbox.length > 0 || node.dueUs <= this.nowUs),
      );
      if (busy.length > 0) return busy[random.below(busy.length)];
    }
    return nodes[random.below(nodes.length)];
  }

  /** One turn of a host, in every engine; then everything is compared. */
  turn(node: Node): void {
    const { random } = this;
    this.turns += 1;
    const nowUs = node.clockOf(this.nowUs);
    userActs(this, node);
    const { pair } = node;
    pair.submit(nowUs);
    const quiet = node.inbox.length === 0;
    while (node.inbox.length > 0 && pair.ready()) {
      this.#receive(node, node.inbox.shift() as Datagram, nowUs);
      if (this.singles) {
        pair.publish();
        userReads(this, node);
      }
    }
    const { roomy } = pair;
    pair.advance(nowUs);
    const flushes = this.settling || random.chance(75);
    if (flushes) pair.flush();
    const transmitted = this.settling || random.chance(95);
    if (transmitted) this.#transmit(node);
    pair.publish();
    const full = !pair.roomy;
    pair.compare();
    node.watch.rings(pair.first);
    const reads = random.chance(this.profile.drainPercent) || this.settling || this.prompt;
    if (reads) userReads(this, node);
    if (reads && transmitted) this.#conserve(node);
    // What waits for room in the ring goes on in the next turn, which is at once.
    const able = reads && transmitted && flushes && roomy && !full;
    if (able && quiet) node.watch.served(pair.deadlineUs(), nowUs);
    else node.watch.disturbed();
  }

  #receive(node: Node, datagram: Datagram, nowUs: number): void {
    const { pair, watch } = node;
    const { from, bytes, forged, arrivedUs } = datagram;
    const port = from[1];
    watch.heard(port, bytes.length);
    const receivedUs = Math.min(nowUs, node.clockOf(arrivedUs));
    if (!forged) {
      pair.receive(nowUs, receivedUs, this.unixSeconds, from, bytes);
      return;
    }
    pair.publish();
    const deadlineUs = pair.deadlineUs();
    const head = ringHead(pair.first);
    watch.forgedBegin(pair.first);
    pair.receive(nowUs, receivedUs, this.unixSeconds, from, bytes);
    pair.publish();
    watch.forgedEnd(pair.first, deadlineUs, head, nowUs);
  }

  #transmit(node: Node): void {
    const { page } = node.pair.first;
    const before = this.#carried(page);
    const { live } = node;
    const peers = new Set(live.map(({ session }) => session.node));
    const nowUs = node.clockOf(this.nowUs);
    node.watch.flightBegin(page, live);
    let datagrams = 0;
    for (let count = node.pair.transmit(nowUs); count > 0; ) {
      const { batchBytes, lengths, addresses } = node.pair.first;
      for (let index = 0; index < count; index++) {
        const start = index * BATCH_STRIDE;
        const length = lengths[index];
        const bytes = batchBytes.subarray(start, start + length);
        const port = addresses[index * ADDRESS_WORDS + 1];
        const target = port - nodeAddress(this.profile, 0)[1];
        // Replies to requests are as many as the requests.
        const to = this.nat.behind(target);
        const owned = node.isServer ? this.#ownedBy(to, target, bytes) : null;
        if (!node.isServer) node.session?.tap?.follow(bytes, true);
        const challenge = node.isServer && (length === CHALLENGE_BYTES || owned?.asks === true);
        if (!challenge && (!node.isServer || peers.has(target))) datagrams += 1;
        this.trace?.datagram(this.nowUs - this.startUs, node.index, target, bytes);
        const sessionOf = (low: number, high: number) => this.#sessionOf(node, bytes, low, high);
        const slotted = node.watch.sent(target, bytes, sessionOf, owned);
        if (node.isServer && !slotted) node.watch.answered(port, length);
        if (to < this.nodes.length) {
          this.network.send(node.index, node.seenAs, to, bytes, this.nowUs);
        }
      }
      count = node.pair.transmit(nowUs);
    }
    node.watch.flightEnd(page, live);
    const empty = datagrams - (this.#carried(page) - before);
    if (empty > EMPTY_MAX * peers.size + EMPTY_MAX && !this.profile.raw) {
      throw new SimError(`${empty} of ${datagrams} datagrams of one turn carried no message`);
    }
  }

  #ownedBy(to: number, target: number, bytes: Uint8Array): Owned | null {
    return this.#whose.of(this.ledger.sessions, this.nodes[to]?.session, target, bytes);
  }

  /** The session under whose keys a node sealed a packet, the newest first; -1 for none. */
  #sessionOf(node: Node, bytes: Uint8Array, low: number, high: number): number {
    const { sessions } = this.ledger;
    const { protocolIdLo, protocolIdHi } = this.profile;
    for (let id = sessions.length - 1; id >= 0; id--) {
      const { keys } = sessions[id];
      if (keys === null) continue;
      const key = node.isServer ? keys.serverToClientKey : keys.clientToServerKey;
      if (packetOpens(protocolIdLo, protocolIdHi, key, bytes, low, high)) return id;
    }
    return -1;
  }

  /** Rides of messages so far. */
  #carried(page: Uint32Array): number {
    let rides = 0;
    for (let channel = 0; channel < this.profile.channels.length; channel++) {
      // A message's first fragment counts twice, which makes the bound a little wider.
      for (const counter of CARRYING) {
        rides += page[statsChannelWord(channel, counter)];
      }
    }
    return rides;
  }

  /** Every packet has its verdict, one, or is in flight. */
  #conserve(node: Node): void {
    const { page } = node.pair.first;
    for (const { handle } of node.live) {
      const row = statsPeerWord(handle & 0xffff);
      if (page[row + PEER_HANDLE] !== handle || this.profile.raw) continue;
      const verdicts = page[row + PEER_PACKETS_ACKED] + page[row + PEER_PACKETS_LOST];
      const sent = page[row + PEER_PACKETS_SENT] + (this.bird.sings("verdict") ? 1 : 0);
      if (sent !== verdicts + page[row + PEER_IN_FLIGHT]) {
        throw new SimError(
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
    for (const node of this.nodes) {
      node.asleepUntilUs = 0;
      // What is not connected yet can't go on from another address than it began from.
      if (!this.moves(node)) this.nat.rebind(node, node.session?.seenAs ?? node.address, false);
    }
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
