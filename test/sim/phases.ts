// phases: the two parts of a world's life. First anything may go wrong and nothing that was promised may break
// (safety); then all faults are off, and everything must come to its end in time (liveness).
//
// Owns the second part: what is queued is delivered or reported, then silence but for keep-alives, then other addresses
// for all clients, then a clean close, and all memory is free again.
import { CONFIG_CARRIEDS, CONFIG_CHUNKS, CONFIG_MESSAGES } from "../../lib/engine/config.js";
import { CONGESTION_BINARY } from "../../lib/engine/congestion.js";
import { BINARY_BAD_HZ, RTO_MAX_US } from "../../lib/engine/limits.js";
import {
  CHANNEL_RECEIVED,
  PEER_QUEUED_BYTES,
  PEER_QUEUED_MESSAGES,
  PEER_RELEASED_BYTES,
  PEER_RELEASED_MESSAGES,
  statsChannelWord,
  statsPeerWord,
} from "../../lib/engine/stats.js";
import type { End } from "./ledger.js";
import type { Node } from "./node.js";
import { SimError } from "./pair.js";
import { userCloses } from "./user.js";
import { World } from "./world.js";

/** Time that peers have to notice that the weather is good: the longest time-out of a token, and their clocks. */
const NOTICE_US = 6_000_000;
/** Time-outs within which what is queued must be on its way, beside its bytes at the peer's rate. */
const DRAIN_TIMEOUTS = 3;
/** Time for what needs no fate any more, in µs: two of the longest retransmission time-outs. */
const SKIP_US = 2 * RTO_MAX_US;
/** Silence that is looked at, and the datagrams in it that keep one connection alive, each way. */
const SILENCE_US = 4_000_000;
/** A ping a quarter of the shortest time-out, and an ack of the peer's; one more of each at the edges. */
const SILENCE_DATAGRAMS = 2 * (4 + 2) + 2 * (16 + 2);
/** Time within which a client is found at another address: a ping, 1 s of silence, two more tries. */
const WANDER_US = 4_000_000;
/** Shorter time-outs may be over before. */
const WANDER_TIMEOUT_SECONDS = 5;
/** Time that closing may take, in µs: the longest time-out, and the goodbyes. */
const CLOSE_US = 20_000_000;

/** Lets the world come to rest, checks what has to hold then, and closes it. */
export function worldFinish(world: World): void {
  drain(world);
  // Skips are still under way, and what waits behind a gap for them.
  world.settle(SKIP_US, () => false);
  for (const session of world.ledger.sessions) world.ledger.settled(session);
  silence(world);
  wander(world);
  close(world);
}

/** Both ends are there and nobody else spoke in their name. */
function well(end: End): boolean {
  return end.live && end.other.live && !end.session.tampered;
}

function drain(world: World): void {
  const { ledger, nodes } = world;
  const waits = (end: End) => well(end) && (ledger.unfated(end) > 0 || end.blocks?.idle === false);
  const queued = () => nodes.some((node) => [...node.ends.values()].some(waits));
  world.settle(NOTICE_US, () => !queued());
  const limitUs = DRAIN_TIMEOUTS * RTO_MAX_US + 2 * Math.ceil(1e6 * backlogSeconds(world));
  if (!world.settle(limitUs, () => !queued())) {
    throw new SimError(`messages wait between peers that are well, after ${limitUs} us`);
  }
}

/** Fragments of the longest message of a world in its smallest payload. */
const FRAGMENTS_MOST = 4;
/** In good weather, with the time that acks are held: as much of a block as its half of the queue goes in each. */
const ROUND_US = 2 * 5000 + 20_000;

/** How long the queued bytes take at the rate, of the fullest host; what is lost rides again. */
function backlogSeconds({ nodes, profile }: World): number {
  const seconds = nodes.map(({ ends, pair }) => {
    const { page } = pair.first;
    let bytes = 0;
    let messages = 0;
    let rounds = 0;
    for (const handle of ends.keys()) {
      const row = statsPeerWord(handle & 0xffff);
      bytes += (page[row + PEER_QUEUED_BYTES] - page[row + PEER_RELEASED_BYTES]) >>> 0;
      messages += (page[row + PEER_QUEUED_MESSAGES] - page[row + PEER_RELEASED_MESSAGES]) >>> 0;
      const blockBytes = ends.get(handle)?.blocks?.leftBytes ?? 0;
      bytes += blockBytes;
      rounds = Math.max(rounds, blockBytes / (profile.queueBytesMax / 2));
    }
    // A message in fragments of its own packets each, and as many copies as a policy may ask for.
    const packets = messages * FRAGMENTS_MOST + bytes / 100;
    const { byteRateMax, packetRateMax, congestion } = profile;
    const rate = byteRateMax === 0 ? profile.rate : Math.min(profile.rate, byteRateMax);
    const rates = [congestion === CONGESTION_BINARY ? BINARY_BAD_HZ : 0, packetRateMax];
    const slowest = Math.min(...rates.filter((each) => each > 0));
    const queued = rounds * (ROUND_US / 1e6);
    return queued + bytes / rate + (slowest === Number.POSITIVE_INFINITY ? 0 : packets / slowest);
  });
  return Math.max(...seconds);
}

/** Nothing is sent any more but what keeps connections alive, and nothing is told. */
function silence(world: World): void {
  const { nodes, network, ledger, profile } = world;
  const received = () =>
    nodes.reduce((sum, { pair }) => {
      let all = sum;
      for (let channel = 0; channel < profile.channels.length; channel++) {
        all += pair.first.page[statsChannelWord(channel, CHANNEL_RECEIVED)];
      }
      return all;
    }, 0);
  const connections = nodes.reduce(
    (sum, { ends }) => sum + [...ends.values()].filter((end) => end.live).length,
    0,
  );
  const tampered = ledger.sessions.some((session) => session.tampered);
  const before = { sent: network.sent, received: received() };
  world.settle(SILENCE_US, () => false);
  if (tampered) return;
  if (received() !== before.received) throw new SimError("messages came out of the silence");
  const sent = network.sent - before.sent;
  // Clients without a connection may still ask for one.
  const most = SILENCE_DATAGRAMS * connections + ASKING_DATAGRAMS * nodes.length;
  if (sent > most) throw new SimError(`${sent} datagrams in the silence of ${connections} ends`);
}

/** Requests and responses of a client in that time, and the answers. */
const ASKING_DATAGRAMS = 2 * (SILENCE_US / 100_000 + 1);

/** Clients are behind other addresses, and their old ones lead nowhere: who is well goes on from there. */
function wander(world: World): void {
  const { ledger, nodes } = world;
  const stays = world.wander().flatMap(({ session }) => {
    const lasts = session !== null && well(session.client);
    return lasts && (session.timeoutSeconds < 0 || session.timeoutSeconds >= WANDER_TIMEOUT_SECONDS)
      ? [session]
      : [];
  });
  world.settle(WANDER_US, () => false);
  for (const session of stays) {
    const { client, server, node, id } = session;
    if (client.ended || server.ended) {
      const { reason } = client.ended ? client : server;
      throw new SimError(`session ${id} ended (${reason}) when its client's address changed`);
    }
    if (session.seenAs?.join() !== nodes[node].seenAs.join()) {
      throw new SimError(`session ${id} did not follow its client to another address`);
    }
  }
  for (const session of ledger.sessions) ledger.settled(session);
}

function close(world: World): void {
  const { ledger, nodes } = world;
  for (const node of nodes) {
    for (const end of node.ends.values()) if (end.live) userCloses(world, node, end, true);
    world.turn(node);
  }
  const ended = world.settle(CLOSE_US, () => nodes.every(World.empty)) || closeHard(world);
  for (const session of ledger.sessions) ledger.settled(session);
  for (const node of nodes) {
    world.turn(node);
    if (ended) closed(world, node);
  }
}

/** A host without connections: everybody was told, and nothing is kept. */
function closed(world: World, node: Node): void {
  if ([...node.ends.values()].some((end) => end.live)) {
    throw new SimError("the end of a connection was never told");
  }
  if (!World.fated(node)) {
    throw new SimError(`${node.unfated} messages have no fate and were not refused`);
  }
  const [chunks, messages, carrieds] = node.pair.memory();
  const { config } = node;
  const leak = world.bird.sings("leak") ? 1 : 0;
  if (
    chunks - leak !== config[CONFIG_CHUNKS] ||
    messages !== config[CONFIG_MESSAGES] ||
    carrieds !== config[CONFIG_CARRIEDS]
  ) {
    throw new SimError(`memory is missing: ${chunks}, ${messages}, ${carrieds} are free`);
  }
}

/** Connections without a time-out whose peer is gone end by their user's hand only. */
function closeHard(world: World): boolean {
  for (const node of world.nodes) {
    for (const end of node.ends.values()) if (end.live) userCloses(world, node, end, false);
    world.turn(node);
  }
  if (world.settle(CLOSE_US, () => world.nodes.every(World.empty))) return true;
  // One that never came as far as its user stays, where its token sets no time-out.
  if (!world.endless) throw new SimError("a connection did not end");
  return false;
}
