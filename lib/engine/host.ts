// host: many connections behind one socket: opening, deadlines, and fair transmission.
//
// Owns the order in which connections send. Never touches a socket or a clock, never scans all
// slots: whatever it does costs as much as there is work.
// The verbs of a turn, in order: hostSubmit (submit: the user's messages), hostReceive (demux: one
// datagram), hostAdvance (time), hostFlush (everything unsent may go), hostTransmit (until it answers
// 0), hostPublish. The state that they share is slots'.

import { Address, addressCopy } from "./address.js";
import { connectionAdvance } from "./advance.js";
import {
  clientAdvance,
  clientDeadlineUs,
  clientServer,
  clientStart,
  clientTransmit,
} from "./client.js";
import { ROLE_CLIENT } from "./config.js";
import {
  type Connection,
  connectionDueUs,
  connectionFlushed,
  connectionReady,
  connectionRoom,
} from "./connection.js";
import { pendingDeadlineUs, pendingExpire } from "./handshake.js";
import { BATCH_PACKETS, DEADLINE_RETRY_US, REPLIES_MAX } from "./limits.js";
import { ringPublish, ringSet } from "./ring.js";
import { sealKeySet } from "./seal.js";
import { type Host, hostCount, hostReportState, slotRest, slotSettle, slotWork } from "./slots.js";
import { CLIENT_DISCONNECTED, CONNECTION_FREE } from "./state.js";
import { HOST_BYTES_OUT, HOST_DATAGRAMS_OUT } from "./stats.js";
import { timersFirst, timersNext, timersSet } from "./timers.js";
import { connectionTransmit } from "./transmit.js";

/** Bytes from one packet of a batch to the next. */
export const BATCH_STRIDE = 1280;

/** Datagrams on their way out: the host fills it, io sends it. */
export class Batch {
  bytes = new Uint8Array(BATCH_PACKETS * BATCH_STRIDE);
  lengths = new Uint32Array(BATCH_PACKETS);
  addresses: Address[] = [];
  count = 0;

  constructor() {
    for (let index = 0; index < BATCH_PACKETS; index++) {
      this.addresses.push(new Address());
    }
  }
}

/** Opens a host over rings whose memory the user owns. */
export function hostOpen(host: Host, submission: Uint8Array, completion: Uint8Array): void {
  ringSet(host.submission, submission);
  ringSet(host.completion, completion);
}

/** Starts a client's way to the servers of its token. */
export function hostConnect(host: Host, token: Uint8Array, nowUs: number): void {
  clientStart(host.client, token, nowUs);
  if (host.client.state > CLIENT_DISCONNECTED) {
    sealKeySet(host.clientKey, host.client.token.clientToServerKey, 0);
  }
  hostReportState(host);
}

// --- time ---

/** Does what is due; stops while the user's ring is full, and goes on in a later turn. */
export function hostAdvance(host: Host, nowUs: number): void {
  host.nowUs = nowUs;
  pendingExpire(host.handshake, nowUs);
  const before = host.client.state;
  clientAdvance(host.client, nowUs);
  if (host.client.state !== before) {
    hostReportState(host);
  }
  while (timersNext(host.timers) <= nowUs && connectionRoom(host.shared)) {
    const connection = host.connections[timersFirst(host.timers)];
    connectionAdvance(connection, host.shared, nowUs);
    slotSettle(host, connection, nowUs);
    // Whatever could not be done now is tried again a little later: a deadline never spins.
    if (host.timers.deadlines[connection.slot] <= nowUs) {
      timersSet(host.timers, connection.slot, nowUs + DEADLINE_RETRY_US);
    }
  }
}

/** When the host has something to do without a datagram or a submission (µs). */
export function hostDeadlineUs(host: Host): number {
  if (host.workCount > 0 || host.replyCount > 0) {
    return host.nowUs;
  }
  return Math.min(
    timersNext(host.timers),
    pendingDeadlineUs(host.handshake),
    clientDeadlineUs(host.client),
  );
}

/** Everything that the user has sent so far may go out now. */
export function hostFlush(host: Host): void {
  for (let index = 0; index < host.dirtyCount; index++) {
    const connection = host.connections[host.dirty[index]];
    connection.inDirty = false;
    if (connection.state !== CONNECTION_FREE) {
      connection.flushing = true;
      connection.flushBegun = true;
      slotWork(host, connection);
    }
  }
  host.dirtyCount = 0;
}

// --- the way out ---

/** Fills a batch with what is due; how many datagrams it holds then. Call again until 0. */
export function hostTransmit(host: Host, nowUs: number, batch: Batch): number {
  host.nowUs = nowUs;
  batch.count = 0;
  transmitReplies(host, batch);
  transmitClient(host, nowUs, batch);
  while (host.workCount > 0 && batch.count < BATCH_PACKETS) {
    const connection = host.connections[host.work[host.workFirst]];
    host.workFirst = (host.workFirst + 1) % host.work.length;
    host.workCount -= 1;
    connection.inWork = false;
    transmitOne(host, connection, nowUs, batch);
  }
  return batch.count;
}

/** One packet of a connection; it goes to the end of the line while it has more. */
function transmitOne(host: Host, connection: Connection, nowUs: number, batch: Batch): void {
  if (connection.state === CONNECTION_FREE) {
    return;
  }
  const offset = batch.count * BATCH_STRIDE;
  const bytes = connectionTransmit(connection, host.shared, nowUs, batch.bytes, offset);
  if (bytes > 0) {
    batchAdd(host, batch, connection.address, bytes);
  }
  const dueUs = connectionDueUs(connection);
  if (bytes > 0 && connectionReady(connection, dueUs, nowUs)) {
    slotWork(host, connection);
    return;
  }
  connectionFlushed(connection);
  slotRest(host, connection, dueUs, nowUs);
}

function batchAdd(host: Host, batch: Batch, address: Address, bytes: number): void {
  batch.lengths[batch.count] = bytes;
  addressCopy(batch.addresses[batch.count], address);
  batch.count += 1;
  hostCount(host, HOST_DATAGRAMS_OUT, 1);
  hostCount(host, HOST_BYTES_OUT, bytes);
}

function transmitReplies(host: Host, batch: Batch): void {
  while (host.replyCount > 0 && batch.count < BATCH_PACKETS) {
    const entry = host.replies[host.replyFirst];
    host.replyFirst = (host.replyFirst + 1) % REPLIES_MAX;
    host.replyCount -= 1;
    if (entry.length === 0) {
      continue;
    }
    batch.bytes.set(entry.bytes.subarray(0, entry.length), batch.count * BATCH_STRIDE);
    batchAdd(host, batch, entry.address, entry.length);
  }
}

function transmitClient(host: Host, nowUs: number, batch: Batch): void {
  // A client's batch is empty here: it answers no strangers.
  if (host.config.role !== ROLE_CLIENT) {
    return;
  }
  const offset = batch.count * BATCH_STRIDE;
  const { client, config, clientKey } = host;
  const bytes = clientTransmit(client, config, clientKey, nowUs, batch.bytes, offset);
  if (bytes > 0) {
    batchAdd(host, batch, clientServer(client), bytes);
  }
}

/** Makes what the turn brought forth visible to the user. */
export function hostPublish(host: Host): void {
  ringPublish(host.completion);
}
