// demux: the way in of a host: whose is a datagram, is it lawful, and what does it open.
//
// Owns the order of checks and the answers to strangers. Never acts on
// unauthenticated bytes: they change only counters.

import { type Address, addressCopy } from "./address.js";
import { clientAccepted, clientChallenged, clientDenied, clientHears } from "./client.js";
import { ROLE_CLIENT } from "./config.js";
import { type Connection, connectionAssign, connectionRoom } from "./connection.js";
import { connectionDone } from "./ending.js";
import {
  challengeWrite,
  deniedWrite,
  type Pending,
  pendingFind,
  pendingRemove,
  requestOpen,
  requestPend,
  requestToken,
  responseOpen,
  timeoutUsOf,
  tokenConsume,
} from "./handshake.js";
import {
  KEY_BYTES,
  PACKET_BYTES_MAX,
  PACKET_BYTES_MIN,
  PATH_PACKET_BYTES,
  REPLIES_MAX,
  REQUEST_BYTES,
} from "./limits.js";
import { connectionMoved } from "./move.js";
import {
  PACKET_CHALLENGE,
  PACKET_DENIED,
  PACKET_DISCONNECT,
  PACKET_KEEP_ALIVE,
  PACKET_MOVING,
  PACKET_PAYLOAD,
  PACKET_REQUEST,
  PACKET_RESPONSE,
  PACKET_SESSION,
  packetAssociatedData,
  packetBodyValid,
  packetHeaderRead,
  REJECT_TYPE,
} from "./packet.js";
import { pathProven, pathSuspect } from "./path.js";
import { connectionReceive } from "./receive.js";
import { replayAdvance, replayNewer, replayTest } from "./replay.js";
import { openPacket, type SealKey, sealKeySet } from "./seal.js";
import { sessionKeyOf, sessionOpened } from "./session.js";
import {
  type Host,
  hostCount,
  hostReject,
  hostReportState,
  slotAtAddress,
  slotList,
  slotMove,
  slotOccupy,
  slotOfClient,
  slotOfPath,
  slotSettle,
} from "./slots.js";
import {
  CLIENT_CONNECTED,
  CONNECTION_CLOSING,
  CONNECTION_DRAINING,
  CONNECTION_OPEN,
} from "./state.js";
import {
  HOST_BYTES_IN,
  HOST_DATAGRAMS_IN,
  HOST_DENIED,
  HOST_PENDING,
  HOST_REPLIES_DROPPED,
  REJECT_ADDRESS,
  REJECT_ADDRESS_CONNECTED,
  REJECT_BODY,
  REJECT_CLIENT_CONNECTED,
  REJECT_FULL,
  REJECT_KEY,
  REJECT_NONE,
  REJECT_REPLAY,
  REJECT_RESOURCES,
  REJECT_SEAL,
  REJECT_SIZE,
  REJECT_STATE,
} from "./stats.js";
import { challengeTransmit } from "./transmit.js";

// --- the way in ---

/** Whether another datagram may be taken: what it brings forth has room in the user's ring. */
export function hostReady(host: Host): boolean {
  return connectionRoom(host.shared);
}

/** Takes one datagram. `receivedUs` is when the kernel got it; bytes are opened in place. */
export function hostReceive(
  host: Host,
  nowUs: number,
  receivedUs: number,
  unixSeconds: number,
  address: Address,
  bytes: Uint8Array,
  offset: number,
  length: number,
): void {
  host.nowUs = nowUs;
  hostCount(host, HOST_DATAGRAMS_IN, 1);
  hostCount(host, HOST_BYTES_IN, length);
  const role = host.config.role;
  if (length < PACKET_BYTES_MIN || length > PACKET_BYTES_MAX) {
    hostReject(host, REJECT_SIZE);
  } else if (bytes[offset] === PACKET_REQUEST) {
    const refused = role === ROLE_CLIENT || length !== REQUEST_BYTES;
    const reason = role === ROLE_CLIENT ? REJECT_TYPE : REJECT_SIZE;
    hostReject(
      host,
      refused ? reason : receiveRequest(host, nowUs, unixSeconds, address, bytes, offset, length),
    );
  } else {
    hostReject(host, receiveSealed(host, nowUs, receivedUs, address, bytes, offset, length));
  }
}

/** The rules of the standard for a request, in its order. */
function receiveRequest(
  host: Host,
  nowUs: number,
  unixSeconds: number,
  address: Address,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const handshake = host.handshake;
  const reason = requestOpen(handshake, bytes, offset, length, unixSeconds);
  if (reason !== REJECT_NONE) {
    return reason;
  }
  const token = handshake.privateToken;
  // A connection that is only saying goodbye doesn't stand in the way of a new one.
  if (!yields(host, slotAtAddress(host, address), nowUs)) {
    return REJECT_ADDRESS_CONNECTED;
  }
  if (!yields(host, slotOfClient(host, token.clientIdLo, token.clientIdHi), nowUs)) {
    return REJECT_CLIENT_CONNECTED;
  }
  const used = requestToken(handshake, address, bytes, unixSeconds);
  if (used !== REJECT_NONE) {
    return used;
  }
  if (host.free.length === 0) {
    reply(host, address, deniedReply);
    return REJECT_FULL;
  }
  if (requestPend(handshake, address, nowUs) === null) {
    return REJECT_RESOURCES;
  }
  hostCount(host, HOST_PENDING, 1);
  reply(host, address, challengeReply);
  return REJECT_NONE;
}

/** True when there is no such connection, or it was saying goodbye and is free now. */
function yields(host: Host, connection: Connection | null, nowUs: number): boolean {
  if (connection === null) {
    return true;
  }
  if (connection.state !== CONNECTION_CLOSING) {
    return false;
  }
  connectionDone(connection, host.shared, connection.closeReason);
  slotSettle(host, connection, nowUs);
  return true;
}

function challengeReply(host: Host, out: Uint8Array): number {
  return challengeWrite(host.handshake, out, 0);
}

function deniedReply(host: Host, out: Uint8Array): number {
  hostCount(host, HOST_DENIED, 1);
  return deniedWrite(host.handshake, host.handshake.privateToken.serverToClientKey, 0, out, 0);
}

/** Queues an answer to somebody without a slot; when too many wait, it is dropped and counted. */
function reply(host: Host, address: Address, write: (host: Host, out: Uint8Array) => number): void {
  if (host.replyCount === REPLIES_MAX) {
    hostCount(host, HOST_REPLIES_DROPPED, 1);
    return;
  }
  const entry = host.replies[(host.replyFirst + host.replyCount) % REPLIES_MAX];
  host.replyCount += 1;
  addressCopy(entry.address, address);
  entry.length = write(host, entry.bytes);
}

/** Every packet but the request: header, who, key, replay, seal, replay again, size. */
function receiveSealed(
  host: Host,
  nowUs: number,
  receivedUs: number,
  address: Address,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const header = host.header;
  const malformed = packetHeaderRead(bytes, offset, length, header);
  if (malformed !== REJECT_NONE) {
    return malformed;
  }
  const forServer = header.type !== PACKET_DENIED && header.type !== PACKET_CHALLENGE;
  const isServer = host.config.role !== ROLE_CLIENT;
  const moving = header.type === PACKET_MOVING;
  if (isServer ? !forServer : header.type === PACKET_RESPONSE || moving) {
    return REJECT_TYPE;
  }
  if (header.type >= PACKET_SESSION && host.config.raw) {
    return REJECT_TYPE;
  }
  const there = slotAtAddress(host, address);
  const connection = moving ? slotOfPath(host, header.pathLo, header.pathHi) : there;
  if (header.type < PACKET_KEEP_ALIVE || connection === null) {
    return isServer
      ? receiveResponse(host, nowUs, address, connection, bytes, offset, length)
      : receiveClient(host, nowUs, receivedUs, address, bytes, offset, length);
  }
  const key = sessionKeyOf(connection, host.scratchKey, header);
  if (key === null) {
    return REJECT_KEY;
  }
  if (!replayTest(connection.replay, header.sequenceLo, header.sequenceHi)) {
    return REJECT_REPLAY;
  }
  const bodyBytes = openWith(host, key, bytes, offset, length);
  if (bodyBytes < 0) {
    return REJECT_SEAL;
  }
  const newer = replayNewer(connection.replay, header.sequenceLo, header.sequenceHi);
  replayAdvance(connection.replay, header.sequenceLo, header.sequenceHi);
  sessionOpened(connection, key, header);
  if (!packetBodyValid(header.type, bodyBytes)) {
    return REJECT_BODY;
  }
  // A session packet is a payload, and without one a disconnect.
  const ours = header.type >= PACKET_SESSION;
  if (moving) {
    connection.path.answered = false;
  }
  const reason = connectionReceive(
    connection,
    host.shared,
    !ours ? header.type : bodyBytes > 0 ? PACKET_PAYLOAD : PACKET_DISCONNECT,
    header.sequenceLo,
    header.sequenceHi,
    bytes,
    offset + header.bytes,
    bodyBytes,
    receivedUs,
    nowUs,
  );
  if (isServer && connection.session.derived && !connection.session.listed) {
    slotList(host, connection);
  }
  if (moving && newer && there !== connection) {
    receiveElsewhere(host, nowUs, address, connection, length);
  }
  slotSettle(host, connection, nowUs);
  return reason;
}

/** The newest packet of a client came from elsewhere: it proves that it reads there, or is asked to. */
function receiveElsewhere(
  host: Host,
  nowUs: number,
  address: Address,
  connection: Connection,
  length: number,
): void {
  const { handle, path, state } = connection;
  const { sequenceLo, sequenceHi } = host.header;
  if (state !== CONNECTION_OPEN && state !== CONNECTION_DRAINING) {
    return;
  }
  if (pathProven(path, address, nowUs)) {
    slotMove(host, connection, address);
    connectionMoved(connection, host.shared, nowUs);
    return;
  }
  // Never more bytes than came from there.
  const { keysSeed } = host.shared;
  if (
    length >= PATH_PACKET_BYTES &&
    pathSuspect(path, address, keysSeed, handle, sequenceLo, sequenceHi, nowUs)
  ) {
    reply(host, address, (asker, out) =>
      challengeTransmit(connection, asker.shared, nowUs, out, 0),
    );
  }
}

/** Opens the sealed part of the packet in host.header; the body's bytes, or -1. */
function openWith(
  host: Host,
  key: SealKey,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const header = host.header;
  const config = host.config;
  const moving = header.type === PACKET_MOVING;
  const idLo = moving ? header.pathLo : config.protocolIdLo;
  const idHi = moving ? header.pathHi : config.protocolIdHi;
  packetAssociatedData(idLo, idHi, bytes[offset], host.associated);
  return openPacket(
    key,
    header.sequenceLo,
    header.sequenceHi,
    host.associated,
    bytes,
    offset + header.bytes,
    length - header.bytes,
  );
}

/** The rules of the standard for a response, in its order. */
function receiveResponse(
  host: Host,
  nowUs: number,
  address: Address,
  connection: Connection | null,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const header = host.header;
  if (connection !== null && connection.state !== CONNECTION_CLOSING) {
    return REJECT_ADDRESS_CONNECTED;
  }
  const pending = pendingFind(host.handshake, address);
  if (pending === null || header.type !== PACKET_RESPONSE) {
    return REJECT_ADDRESS;
  }
  sealKeySet(host.scratchKey, pending.keys, 0);
  const bodyBytes = openWith(host, host.scratchKey, bytes, offset, length);
  if (bodyBytes < 0) {
    return REJECT_SEAL;
  }
  if (!packetBodyValid(PACKET_RESPONSE, bodyBytes)) {
    return REJECT_BODY;
  }
  const reason = responseOpen(host.handshake, pending, bytes, offset + header.bytes);
  if (reason !== REJECT_NONE) {
    return reason;
  }
  return admit(host, nowUs, address, pending);
}

/** Gives a pending client a slot, or denies it. */
function admit(host: Host, nowUs: number, address: Address, pending: Pending): number {
  const { clientIdLo, clientIdHi } = pending;
  // What stands at this address only says goodbye: receiveResponse refused for any other.
  yields(host, slotAtAddress(host, address), nowUs);
  if (!yields(host, slotOfClient(host, clientIdLo, clientIdHi), nowUs)) {
    return REJECT_CLIENT_CONNECTED;
  }
  if (host.free.length === 0) {
    reply(host, address, (refuser, out) => {
      hostCount(refuser, HOST_DENIED, 1);
      return deniedWrite(refuser.handshake, pending.keys, KEY_BYTES, out, 0);
    });
    return REJECT_FULL;
  }
  const connection = slotOccupy(host, address, clientIdLo, clientIdHi);
  connection.userData.set(host.handshake.challenge.userData);
  connectionAssign(
    connection,
    host.shared,
    pending.keys,
    KEY_BYTES,
    pending.keys,
    0,
    host.firstNumber,
    timeoutUsOf(pending.timeoutSeconds),
    nowUs,
  );
  tokenConsume(host.handshake, pending);
  pendingRemove(host.handshake, pending);
  // The first keep-alive tells the client its slot; it does not wait for data.
  connection.keepAliveUs = 0;
  slotSettle(host, connection, nowUs);
  return REJECT_NONE;
}

/** What a client without a slot may hear: denied, a challenge, the keep-alive that accepts it. */
function receiveClient(
  host: Host,
  nowUs: number,
  receivedUs: number,
  address: Address,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const client = host.client;
  const header = host.header;
  if (!clientHears(client, address)) {
    return REJECT_ADDRESS;
  }
  if (client.state === CLIENT_CONNECTED || header.type > PACKET_KEEP_ALIVE) {
    return REJECT_STATE;
  }
  sealKeySet(host.scratchKey, client.token.serverToClientKey, 0);
  const bodyBytes = openWith(host, host.scratchKey, bytes, offset, length);
  if (bodyBytes < 0) {
    return REJECT_SEAL;
  }
  if (!packetBodyValid(header.type, bodyBytes)) {
    return REJECT_BODY;
  }
  const before = client.state;
  if (header.type === PACKET_DENIED) {
    clientDenied(client, nowUs);
  } else if (header.type === PACKET_CHALLENGE) {
    clientChallenged(client, bytes, offset + header.bytes, nowUs);
  } else if (!clientAccepted(client)) {
    return REJECT_STATE;
  }
  if (client.state !== before) {
    hostReportState(host);
  }
  if (client.state === CLIENT_CONNECTED) {
    accept(host, nowUs, receivedUs, address);
  }
  return REJECT_NONE;
}

/** The client has its slot: from here on the connection speaks. */
function accept(host: Host, nowUs: number, receivedUs: number, address: Address): void {
  const token = host.client.token;
  const header = host.header;
  const connection = slotOccupy(host, address, 0, 0);
  connectionAssign(
    connection,
    host.shared,
    token.clientToServerKey,
    0,
    token.serverToClientKey,
    0,
    host.client.nextNumber,
    timeoutUsOf(token.timeoutSeconds),
    nowUs,
  );
  connection.confirmed = true;
  // A client hears of every end, also when the peers never came to speak the same protocol.
  connection.announced = true;
  replayAdvance(connection.replay, header.sequenceLo, header.sequenceHi);
  connectionReceive(
    connection,
    host.shared,
    PACKET_KEEP_ALIVE,
    header.sequenceLo,
    header.sequenceHi,
    host.idBytes,
    0,
    0,
    receivedUs,
    nowUs,
  );
  slotSettle(host, connection, nowUs);
}
