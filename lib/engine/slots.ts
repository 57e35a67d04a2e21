// slots: the state of a host: its connections, the tables that find them, and who has work.
//
// Owns the slots and every list that a slot can be in. Never receives or sends anything: the verbs of
// demux, submit and host do, and come here to find, take and settle connections.
// Invariants: a slot in use is in the client table, and in the address table until another's peer proved to be
// at its address; a connection with something due is in the work list or has a deadline.

import { Address, addressCopy, addressEqual, addressHash } from "./address.js";
import type { Outlet } from "./channel.js";
import { Client } from "./client.js";
import { configRead, ENTROPY_KEYS, ENTROPY_NUMBER, HostConfig, ROLE_CLIENT } from "./config.js";
import {
  Connection,
  connectionDeadlineUs,
  connectionDueUs,
  connectionReady,
  connectionRecord,
  connectionStats,
  Shared,
} from "./connection.js";
import { Handshake } from "./handshake.js";
import {
  DIGEST_BYTES,
  EPOCH_BITS,
  NUMBER_BITS,
  PACKET_ASSOCIATED_BYTES,
  REPLIES_MAX,
} from "./limits.js";
import { PacketHeader } from "./packet.js";
import { Pool } from "./queue.js";
import { NO_ROOM, PEER_RECORD_BYTES, RECORD_MOVE, RECORD_STATE, Ring, ringPush } from "./ring.js";
import { SealKey, sealKeyClear } from "./seal.js";
import { sipHash } from "./sip.js";
import {
  CLIENT_EVENT_END,
  CLIENT_EVENT_TIMEOUT,
  CONNECTION_FREE,
  clientNext,
  REASON_TIMED_OUT,
} from "./state.js";
import {
  HOST_CONNECTED,
  HOST_DISCONNECTED,
  HOST_PEERS,
  REJECT_NONE,
  statsAdd,
  statsHostWord,
  statsRejectWord,
} from "./stats.js";
import { NO_INDEX, Table, tableFirst, tableInsert, tableNext, tableRemove } from "./table.js";
import { NO_DEADLINE, Timers, timersSet } from "./timers.js";

/** A challenge or refusal that waits to be sent. */
class Reply {
  address = new Address();
  bytes = new Uint8Array(REPLY_BYTES);
  length = 0;
}

/** Prefix, 8 bytes of sequence, challenge body, tag: less than the request that it answers. */
const REPLY_BYTES = 1 + 8 + 308 + 16;

export class Host {
  config = new HostConfig();
  outlet: Outlet;
  shared: Shared;
  submission = new Ring();
  completion = new Ring();
  page: Uint32Array;
  connections: Connection[] = [];
  free: number[] = [];
  open: number[] = [];
  addressTable: Table;
  clientTable: Table;
  pathTable: Table;
  timers: Timers;
  handshake: Handshake;
  client = new Client();
  clientKey = new SealKey();
  scratchKey = new SealKey();
  header = new PacketHeader();
  associated = new Uint8Array(PACKET_ASSOCIATED_BYTES);
  idBytes = new Uint8Array(8);
  idWords = new Uint32Array(2);
  replies: Reply[] = [];
  replyFirst = 0;
  replyCount = 0;
  /** Slots with something due, served in turn. */
  work: Uint32Array;
  workFirst = 0;
  workCount = 0;
  /** Slots with messages that wait for a flush. */
  dirty: Uint32Array;
  dirtyCount = 0;
  nowUs = 0;
  /** The first packet number of every connection. */
  firstNumber = 0;

  constructor(words: Uint32Array, page: Uint32Array, privateKey: Uint8Array, entropy: Uint8Array) {
    configRead(this.config, words);
    const config = this.config;
    this.page = page;
    this.outlet = {
      pool: new Pool(config.chunkCount, config.messageCount, config.carriedCount),
      completion: this.completion,
      page,
    };
    this.handshake = new Handshake(config, privateKey, entropy);
    this.shared = new Shared(config, this.outlet, this.handshake.hashKey);
    this.addressTable = new Table(config.peersMax);
    this.clientTable = new Table(config.peersMax);
    this.pathTable = new Table(config.peersMax);
    this.timers = new Timers(config.peersMax);
    this.work = new Uint32Array(config.peersMax);
    this.dirty = new Uint32Array(config.peersMax);
    this.shared.keysSeed.set(entropy.subarray(ENTROPY_KEYS, ENTROPY_KEYS + DIGEST_BYTES));
    this.firstNumber = firstNumberOf(entropy);
    this.client.nextNumber = this.firstNumber;
    for (let slot = 0; slot < config.peersMax; slot++) {
      this.free.push(config.peersMax - 1 - slot);
    }
    for (let index = 0; index < REPLIES_MAX; index++) {
      this.replies.push(new Reply());
    }
  }
}

/**
 * A restart doesn't use numbers again under a token's keys. They begin in the lower half of an epoch,
 * so that every number before the change to session keys tells the same one.
 */
function firstNumberOf(entropy: Uint8Array): number {
  let number = 0;
  for (let index = NUMBER_BITS / 8 - 1; index >= 0; index--) {
    const byte = entropy[ENTROPY_NUMBER + index];
    number = number * 256 + (8 * (index + 1) === EPOCH_BITS ? byte & 0x7f : byte);
  }
  return number;
}

/** The start of the epoch behind a number. */
function epochNext(number: number): number {
  return (Math.trunc(number / 2 ** EPOCH_BITS) + 1) * 2 ** EPOCH_BITS;
}

export function hostCount(host: Host, counter: number, amount: number): void {
  statsAdd(host.page, statsHostWord(counter), amount);
}

export function hostReject(host: Host, reason: number): void {
  if (reason !== REJECT_NONE) {
    statsAdd(host.page, statsRejectWord(reason), 1);
  }
}

export function hostReportState(host: Host): void {
  const word = ringPush(host.completion, RECORD_STATE, 0);
  if (word !== NO_ROOM) {
    host.completion.words[word + 1] = 0;
    host.completion.words[word + 4] = host.client.state >>> 0;
  }
}

// --- slots ---

/** The connection of a slot; it is made when the slot is first used and kept from then on. */
function slotConnection(host: Host, slot: number): Connection {
  let connection = host.connections[slot];
  if (connection === undefined) {
    connection = new Connection(slot, host.config);
    host.connections[slot] = connection;
  }
  return connection;
}

function idHash(host: Host, lo: number, hi: number): number {
  host.idWords[0] = lo;
  host.idWords[1] = hi;
  return sipHash(host.handshake.hashKey, host.idWords, 2);
}

/** The connection at an address, or null. */
export function slotAtAddress(host: Host, address: Address): Connection | null {
  let slot = tableFirst(host.addressTable, addressHash(address, host.handshake.hashKey));
  while (slot !== NO_INDEX) {
    if (addressEqual(host.connections[slot].address, address)) {
      return host.connections[slot];
    }
    slot = tableNext(host.addressTable, slot);
  }
  return null;
}

/** The connection of a client id, or null. */
export function slotOfClient(host: Host, lo: number, hi: number): Connection | null {
  let slot = tableFirst(host.clientTable, idHash(host, lo, hi));
  while (slot !== NO_INDEX) {
    const connection = host.connections[slot];
    if (connection.clientIdLo === lo && connection.clientIdHi === hi) {
      return connection;
    }
    slot = tableNext(host.clientTable, slot);
  }
  return null;
}

/** The connection with a path's id, or null. */
export function slotOfPath(host: Host, lo: number, hi: number): Connection | null {
  let slot = tableFirst(host.pathTable, idHash(host, lo, hi));
  while (slot !== NO_INDEX) {
    const { session } = host.connections[slot];
    if (session.pathLo === lo && session.pathHi === hi) {
      return host.connections[slot];
    }
    slot = tableNext(host.pathTable, slot);
  }
  return null;
}

/** The connection that a handle means, or null when that connection is over. */
export function hostFind(host: Host, handle: number): Connection | null {
  const connection = host.connections[handle & 0xffff];
  const current =
    connection !== undefined &&
    connection.handle === handle &&
    connection.state !== CONNECTION_FREE;
  return current ? connection : null;
}

export function slotOccupy(host: Host, address: Address, idLo: number, idHi: number): Connection {
  const connection = slotConnection(host, host.free.pop() as number);
  addressCopy(connection.address, address);
  connection.clientIdLo = idLo;
  connection.clientIdHi = idHi;
  const hash = addressHash(address, host.handshake.hashKey);
  tableInsert(host.addressTable, hash, connection.slot);
  tableInsert(host.clientTable, idHash(host, idLo, idHi), connection.slot);
  connection.openIndex = host.open.length;
  host.open.push(connection.slot);
  hostCount(host, HOST_CONNECTED, 1);
  host.page[statsHostWord(HOST_PEERS)] = host.open.length;
  return connection;
}

/** From now on the connection is found by its path's id, too. */
export function slotList(host: Host, connection: Connection): void {
  const { session } = connection;
  session.listed = true;
  tableInsert(host.pathTable, idHash(host, session.pathLo, session.pathHi), connection.slot);
}

/**
 * The peer proved to be at this address. Whoever else was there is not any more: found by its path's id alone,
 * until it proves where it is.
 */
export function slotMove(host: Host, connection: Connection, address: Address): void {
  const other = slotAtAddress(host, address);
  if (other !== null) {
    tableRemove(host.addressTable, other.slot);
  }
  tableRemove(host.addressTable, connection.slot);
  addressCopy(connection.address, address);
  tableInsert(host.addressTable, addressHash(address, host.handshake.hashKey), connection.slot);
  connection.path.asked = false;
  const word = ringPush(host.completion, RECORD_MOVE, PEER_RECORD_BYTES);
  if (word !== NO_ROOM) {
    host.completion.words[word + 1] = connection.handle;
    host.completion.words[word + 2] = 0;
    host.completion.words[word + 4] = 0;
    host.completion.words[word + 5] = 0;
    connectionRecord(connection, host.completion, word);
  }
}

/** Takes a connection that has just become free out of every table and list. */
function vacate(host: Host, connection: Connection): void {
  tableRemove(host.addressTable, connection.slot);
  tableRemove(host.clientTable, connection.slot);
  tableRemove(host.pathTable, connection.slot);
  timersSet(host.timers, connection.slot, NO_DEADLINE);
  const last = host.open.pop() as number;
  if (last !== connection.slot) {
    host.open[connection.openIndex] = last;
    host.connections[last].openIndex = connection.openIndex;
  }
  host.free.push(connection.slot);
  hostCount(host, HOST_DISCONNECTED, 1);
  host.page[statsHostWord(HOST_PEERS)] = host.open.length;
  if (host.config.role === ROLE_CLIENT) {
    clientEnded(host, connection);
  }
}

function clientEnded(host: Host, connection: Connection): void {
  const event =
    connection.closeReason === REASON_TIMED_OUT ? CLIENT_EVENT_TIMEOUT : CLIENT_EVENT_END;
  host.client.state = clientNext(host.client.state, event);
  // Started again with the same token, it must not use a number twice under the same key.
  host.client.nextNumber = epochNext(connection.sent.nextNumber);
  sealKeyClear(host.clientKey);
  hostReportState(host);
}

/** After anything happened to a connection: is it over, is something due, when is the next deadline? */
export function slotSettle(host: Host, connection: Connection, nowUs: number): void {
  if (connection.state === CONNECTION_FREE) {
    vacate(host, connection);
  } else if (!connection.inWork) {
    const dueUs = connectionDueUs(connection);
    if (connectionReady(connection, dueUs, nowUs)) {
      slotWork(host, connection);
    } else {
      slotRest(host, connection, dueUs, nowUs);
    }
  }
}

/** A connection has nothing to send until its next deadline; `dueUs` is what connectionDueUs says. */
export function slotRest(host: Host, connection: Connection, dueUs: number, nowUs: number): void {
  // An ack that brings nothing to send must show as well: bytes on their way once seemed to stay there.
  connectionStats(connection, host.page);
  timersSet(host.timers, connection.slot, connectionDeadlineUs(connection, dueUs, nowUs));
}

export function slotWork(host: Host, connection: Connection): void {
  if (!connection.inWork) {
    connection.inWork = true;
    host.work[(host.workFirst + host.workCount) % host.work.length] = connection.slot;
    host.workCount += 1;
  }
}
