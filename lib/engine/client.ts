// client: a NETCODE client's way to a slot: requests, the answer to the challenge, the list of servers.
//
// Owns the client's state, the server it is trying and the token. Never owns the connection that
// comes of it, never reads a clock.
// Invariants: a state changes only by the table of `state`; the whole attempt ends with the token's
// lifetime, counted from the start on this side's clock.

import { type Address, addressEqual } from "./address.js";
import type { HostConfig } from "./config.js";
import {
  CHALLENGE_BODY_BYTES,
  PACKET_ASSOCIATED_BYTES,
  REQUEST_BYTES,
  REQUEST_INTERVAL_US,
  TOKEN_PUBLIC_BYTES,
} from "./limits.js";
import { PACKET_RESPONSE, packetAssociatedData, packetHeaderWrite } from "./packet.js";
import { type SealKey, sealPacket } from "./seal.js";
import {
  CLIENT_DENIED,
  CLIENT_DISCONNECTED,
  CLIENT_EVENT_CHALLENGE,
  CLIENT_EVENT_DENIED,
  CLIENT_EVENT_EXPIRED,
  CLIENT_EVENT_KEEP_ALIVE,
  CLIENT_EVENT_START,
  CLIENT_EVENT_TIMEOUT,
  CLIENT_REQUEST_TIMED_OUT,
  CLIENT_REQUESTING,
  CLIENT_RESPONDING,
  CLIENT_RESPONSE_TIMED_OUT,
  CLIENT_TOKEN_INVALID,
  clientNext,
} from "./state.js";
import { NO_DEADLINE } from "./timers.js";
import { ConnectToken, requestWrite, tokenPublicRead } from "./token.js";

const SECONDS = 1_000_000;

export class Client {
  state = CLIENT_DISCONNECTED;
  token = new ConnectToken();
  /** The server of the token's list that is being tried. */
  serverIndex = 0;
  challenge = new Uint8Array(CHALLENGE_BODY_BYTES);
  /** When the token's lifetime, counted from the start, is over (µs). */
  expiresUs = NO_DEADLINE;
  /** The last packet from the server, or the start of this state (µs). */
  heardUs = 0;
  nextSendUs = 0;
  /** Packet number of the next response; the connection goes on from there. */
  nextNumber = 0;
  associated = new Uint8Array(PACKET_ASSOCIATED_BYTES);
}

/** Starts with the first server of the token. The state tells whether the token was any good. */
export function clientStart(client: Client, token: Uint8Array, nowUs: number): void {
  const lifetime = clientLifetimeUs(client, token);
  if (lifetime < 0) {
    client.state = CLIENT_TOKEN_INVALID;
    return;
  }
  client.expiresUs = nowUs + lifetime;
  client.serverIndex = 0;
  begin(client, nowUs);
}

/** Reads the token; its lifetime in µs, or -1 when it is not a token. */
function clientLifetimeUs(client: Client, bytes: Uint8Array): number {
  const token = client.token;
  if (!tokenPublicRead(bytes, 0, TOKEN_PUBLIC_BYTES, token)) {
    return -1;
  }
  // Half by half: a timestamp may be past what a number holds exactly, a lifetime that counts is not.
  const hi = token.expireTimestampHi - token.createTimestampHi;
  const lo = token.expireTimestampLo - token.createTimestampLo;
  return Math.min(hi * 2 ** 32 + lo, 2 ** 31) * SECONDS;
}

function begin(client: Client, nowUs: number): void {
  client.state = clientNext(client.state, CLIENT_EVENT_START);
  client.heardUs = nowUs;
  client.nextSendUs = nowUs;
}

/** The address of the server that is being tried. */
export function clientServer(client: Client): Address {
  return client.token.servers[client.serverIndex];
}

export function clientHears(client: Client, address: Address): boolean {
  return client.state > CLIENT_DISCONNECTED && addressEqual(clientServer(client), address);
}

function timeoutUs(client: Client): number {
  const seconds = client.token.timeoutSeconds;
  return seconds > 0 ? seconds * SECONDS : NO_DEADLINE;
}

/** A failed attempt goes on with the next server, if the token names one. */
function fail(client: Client, event: number, nowUs: number): void {
  client.state = clientNext(client.state, event);
  const retries =
    client.state === CLIENT_DENIED ||
    client.state === CLIENT_REQUEST_TIMED_OUT ||
    client.state === CLIENT_RESPONSE_TIMED_OUT;
  if (retries && client.serverIndex + 1 < client.token.serverCount) {
    client.serverIndex += 1;
    begin(client, nowUs);
  }
}

export function clientDenied(client: Client, nowUs: number): void {
  fail(client, CLIENT_EVENT_DENIED, nowUs);
}

/** Takes a challenge; another one while responding only shows that the server lives. */
export function clientChallenged(
  client: Client,
  bytes: Uint8Array,
  offset: number,
  nowUs: number,
): void {
  if (client.state === CLIENT_REQUESTING) {
    client.challenge.set(bytes.subarray(offset, offset + CHALLENGE_BODY_BYTES));
    client.state = clientNext(client.state, CLIENT_EVENT_CHALLENGE);
    client.nextSendUs = nowUs;
    client.heardUs = nowUs;
  } else if (client.state === CLIENT_RESPONDING) {
    client.heardUs = nowUs;
  }
}

/** True when this keep-alive gave the client its slot. */
export function clientAccepted(client: Client): boolean {
  if (client.state !== CLIENT_RESPONDING) {
    return false;
  }
  client.state = clientNext(client.state, CLIENT_EVENT_KEEP_ALIVE);
  return true;
}

/** Time-outs of the way in; the connection watches itself once there is one. */
export function clientAdvance(client: Client, nowUs: number): void {
  if (client.state !== CLIENT_REQUESTING && client.state !== CLIENT_RESPONDING) {
    return;
  }
  if (nowUs >= client.expiresUs) {
    client.state = clientNext(client.state, CLIENT_EVENT_EXPIRED);
  } else if (nowUs >= client.heardUs + timeoutUs(client)) {
    fail(client, CLIENT_EVENT_TIMEOUT, nowUs);
  }
}

/** When clientAdvance or clientTransmit has something to do (µs). */
export function clientDeadlineUs(client: Client): number {
  if (client.state !== CLIENT_REQUESTING && client.state !== CLIENT_RESPONDING) {
    return NO_DEADLINE;
  }
  return Math.min(client.nextSendUs, client.heardUs + timeoutUs(client), client.expiresUs);
}

/** Writes the request or response that is due; its bytes, or 0. */
export function clientTransmit(
  client: Client,
  config: HostConfig,
  key: SealKey,
  nowUs: number,
  out: Uint8Array,
  offset: number,
): number {
  const sending = client.state === CLIENT_REQUESTING || client.state === CLIENT_RESPONDING;
  if (!sending || nowUs < client.nextSendUs) {
    return 0;
  }
  client.nextSendUs = nowUs + REQUEST_INTERVAL_US;
  if (client.state === CLIENT_REQUESTING) {
    requestWrite(client.token, out, offset);
    return REQUEST_BYTES;
  }
  const lo = client.nextNumber >>> 0;
  const hi = Math.trunc(client.nextNumber / 2 ** 32);
  client.nextNumber += 1;
  const headerBytes = packetHeaderWrite(PACKET_RESPONSE, lo, hi, out, offset);
  packetAssociatedData(config.protocolIdLo, config.protocolIdHi, out[offset], client.associated);
  out.set(client.challenge, offset + headerBytes);
  const sealedBytes = sealPacket(
    key,
    lo,
    hi,
    client.associated,
    out,
    offset + headerBytes,
    CHALLENGE_BODY_BYTES,
  );
  return headerBytes + sealedBytes;
}
