/*
 * handshake: the target `handshake` over the engines; it mirrors test/fuzz/handshake.cc, where its input is described.
 */
import { ROLE_CLIENT, ROLE_SERVER } from "../../lib/engine/config.js";
import {
  CHALLENGE_BODY_BYTES,
  CHALLENGE_TOKEN_PLAIN_BYTES,
  PACKET_BYTES_MAX,
  PACKET_TYPES,
  PAYLOAD_BYTES_MAX,
  REQUEST_BYTES,
  TOKEN_PRIVATE_BYTES,
  TOKEN_PRIVATE_PLAIN_BYTES,
} from "../../lib/engine/limits.js";
import { PACKET_CHALLENGE, PACKET_DENIED, PACKET_RESPONSE } from "../../lib/engine/packet.js";
import { SealKey, sealKeySet, sealPacket } from "../../lib/engine/seal.js";
import { ChallengeToken, tokenChallengeWrite } from "../../lib/engine/token.js";
import type { EngineName } from "../sim/pair.js";
import { ENTROPY, Machine } from "./machine.js";
import { PEERS, Peer, requestSeal } from "./peer.js";
import { addressOf, type Profile, profileTake } from "./profile.js";
import { Digest, Input } from "./targets.js";

const OPERATIONS_MAX = 64;
const SLOTS = 2;
const PRE_SLOT = 1n << 63n;
const NO_ASSOCIATED = new Uint8Array(0);

class World {
  readonly machine: Machine;
  readonly peers: Peer[];

  constructor(
    engines: readonly EngineName[],
    digest: Digest,
    readonly input: Input,
    readonly profile: Profile,
    readonly client: boolean,
  ) {
    const role = client ? ROLE_CLIENT : ROLE_SERVER;
    this.machine = new Machine(engines, digest, profile, role, client ? 1 : SLOTS);
    this.peers = Array.from({ length: PEERS }, (_, index) => new Peer(profile, index));
    if (client) for (const peer of this.peers) peer.address = addressOf(profile, 0);
    this.machine.events = {
      sent: (to, bytes) => {
        for (const [index, peer] of this.peers.entries()) {
          if (client || index === to) peer.hear(this.machine, bytes);
        }
      },
    };
  }

  /** Overwrites part of `bytes` with what the input says. */
  #patch(bytes: Uint8Array): void {
    const offset = this.input.take16() % bytes.length;
    const source = this.input.take(this.input.take8());
    bytes.set(source.subarray(0, bytes.length - offset), offset);
  }

  #pass(us: number): void {
    this.machine.nowUs += us;
    this.machine.turn();
  }

  #sealed(peer: Peer): void {
    const { input } = this;
    const choice = input.take8();
    const type = 1 + ((choice & 15) % (PACKET_TYPES - 1));
    const body = input.take(input.take16() % (PAYLOAD_BYTES_MAX + 1));
    peer.send(this.machine, type, peer.number(choice >> 4), body);
  }

  #raw(peer: Peer): void {
    peer.sendBytes(this.machine, this.input.take(this.input.take16() % (PACKET_BYTES_MAX + 8)));
  }

  // --- toward a server ---

  #requestPatched(peer: Peer): void {
    const plain = peer.identity.plain.slice();
    this.#patch(plain.subarray(0, TOKEN_PRIVATE_PLAIN_BYTES));
    peer.sendBytes(this.machine, requestSeal(peer.identity.open, plain));
  }

  #requestRaw(peer: Peer): void {
    const plain = new Uint8Array(TOKEN_PRIVATE_BYTES);
    plain.set(this.input.take(this.input.take16() % (TOKEN_PRIVATE_PLAIN_BYTES + 1)));
    peer.sendBytes(this.machine, requestSeal(peer.identity.open, plain));
  }

  #requestClear(peer: Peer): void {
    const request = peer.identity.request.slice();
    const offset = this.input.take8() % (REQUEST_BYTES - TOKEN_PRIVATE_BYTES);
    request[offset] ^= this.input.take8();
    peer.sendBytes(this.machine, request);
  }

  #respond(peer: Peer, body: Uint8Array): void {
    peer.send(this.machine, PACKET_RESPONSE, peer.number(0), body);
  }

  #responsePatched(peer: Peer): void {
    const body = new Uint8Array(CHALLENGE_BODY_BYTES);
    if (peer.hasChallenge) body.set(peer.challenge);
    this.#patch(body);
    this.#respond(peer, body);
  }

  #responseForged(peer: Peer): void {
    const key = new SealKey();
    sealKeySet(key, ENTROPY, 0);
    const body = new Uint8Array(CHALLENGE_BODY_BYTES);
    const token = new ChallengeToken();
    token.clientIdLo = peer.identity.secret.clientIdLo;
    token.userData.set(peer.identity.secret.userData);
    const sequence = this.input.take8();
    body[0] = sequence;
    tokenChallengeWrite(token, body, 8);
    this.#patch(body.subarray(8, 8 + CHALLENGE_TOKEN_PLAIN_BYTES));
    sealPacket(key, sequence, 0, NO_ASSOCIATED, body, 8, CHALLENGE_TOKEN_PLAIN_BYTES);
    this.#respond(peer, body);
  }

  toServer(operation: number): void {
    const { machine, peers } = this;
    const parameter = operation >> 4;
    const peer = peers[parameter % PEERS];
    const other = peers[(parameter + 1) % PEERS];
    switch (operation & 15) {
      case 0:
        peer.sendBytes(machine, peer.identity.request);
        break;
      case 1:
        this.#requestPatched(peer);
        break;
      case 2:
        this.#requestClear(peer);
        break;
      case 3:
        this.#requestRaw(peer);
        break;
      case 4:
        this.#respond(peer, peer.challenge);
        break;
      case 5:
        this.#responsePatched(peer);
        break;
      case 6:
        this.#responseForged(peer);
        break;
      case 7:
        this.#sealed(peer);
        break;
      case 8:
        this.#pass((this.input.take8() + 1) * 2 ** parameter);
        break;
      case 9:
        machine.turn();
        break;
      case 10:
        this.#raw(peer);
        break;
      case 11:
        peer.hello(machine);
        break;
      case 12:
        peer.keepAlive(machine);
        break;
      case 13:
        peer.sendBytes(machine, other.last.length > 0 ? other.last : other.identity.request);
        break;
      case 14:
        machine.end(machine.handle(parameter), false, 20);
        break;
      default:
        this.#pass((parameter + 1) * 1_000_000);
        break;
    }
  }

  // --- toward a client ---

  #connect(parameter: number, patched: boolean): void {
    const { machine } = this;
    if (machine.state > 0 || machine.peers > 0) return;
    const token = this.peers[parameter % PEERS].identity.token.slice();
    if (patched) this.#patch(token);
    machine.pair.connect(token, machine.nowUs);
    machine.turn();
  }

  #challenge(peer: Peer): void {
    const { input } = this;
    const body = new Uint8Array(CHALLENGE_BODY_BYTES);
    const bytes = input.take8() === 0 ? CHALLENGE_BODY_BYTES : input.take16() % 400;
    this.#patch(body);
    peer.send(this.machine, PACKET_CHALLENGE, PRE_SLOT + peer.number(0), body.subarray(0, bytes));
  }

  toClient(operation: number): void {
    const { machine } = this;
    const parameter = operation >> 4;
    const peer = this.peers[parameter % PEERS];
    switch (operation & 15) {
      case 0:
        this.#challenge(peer);
        break;
      case 1:
        peer.send(machine, PACKET_DENIED, PRE_SLOT + peer.number(0), NO_ASSOCIATED);
        break;
      case 2:
        peer.keepAlive(machine);
        break;
      case 3:
        this.#sealed(peer);
        break;
      case 4:
        this.#pass((this.input.take8() + 1) * 2 ** parameter);
        break;
      case 5:
        machine.turn();
        break;
      case 6:
        this.#connect(parameter, false);
        break;
      case 7:
        this.#connect(parameter, true);
        break;
      case 8:
        this.#raw(peer);
        break;
      case 9: {
        const index = parameter >> 2 === 0 ? 0 : 12 + (parameter >> 2);
        peer.address = addressOf(this.profile, index);
        return;
      }
      case 10:
        peer.hello(machine);
        break;
      case 11:
        this.#pass((parameter + 1) * 1_000_000);
        break;
      case 12:
        machine.end(machine.handle(0), false, 20);
        break;
      default:
        peer.sendBytes(machine, peer.last);
        break;
    }
  }
}

export function handshakeTarget(engines: readonly EngineName[], bytes: Uint8Array): string {
  const input = new Input(bytes);
  const digest = new Digest();
  const profile = profileTake(input);
  const client = (input.take8() & 1) !== 0;
  const world = new World(engines, digest, input, profile, client);
  for (let count = 0; count < OPERATIONS_MAX && !input.ended; count++) {
    const operation = input.take8();
    if (client) world.toClient(operation);
    else world.toServer(operation);
  }
  world.machine.finish();
  return digest.text;
}
