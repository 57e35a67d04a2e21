// A client of NETCODE 1.02 that behaves as the reference client does: requests, responses and keep-alives at
// 10 Hz, the state machine of the standard, fall-through over the server list, ten disconnects at the end.
// Two rules follow the standard where the reference implementation is looser: the whole process is bounded by
// expire − create even across servers, and a disconnect packet ends a connected client however many servers are
// left in its token.

import {
  DISCONNECT_PACKETS,
  Endpoint,
  type EndpointOptions,
  packetTypes,
  realSeconds,
  SEND_RATE_HZ,
} from "./netcode-endpoint.js";
import {
  encodeKeepAliveBody,
  encodeRequest,
  type OpenedPacket,
  PACKET_NAMES,
  PACKET_TYPES,
  PAYLOAD_BYTES_MAX,
  type PacketName,
  ReplayWindow,
  readPacket,
  sealPacket,
} from "./netcode-packet.js";
import { decodePublicToken, type PublicToken } from "./netcode-token.js";

/** The client states of the standard, by number. */
export const CLIENT_STATES = {
  tokenExpired: -6,
  invalidToken: -5,
  connectionTimedOut: -4,
  responseTimedOut: -3,
  requestTimedOut: -2,
  denied: -1,
  disconnected: 0,
  sendingRequest: 1,
  sendingResponse: 2,
  connected: 3,
} as const;

export type ClientState = (typeof CLIENT_STATES)[keyof typeof CLIENT_STATES];

const ALLOWED = packetTypes("denied", "challenge", "keepAlive", "payload", "disconnect");
const SEND_INTERVAL_SECONDS = 1 / SEND_RATE_HZ;
const BIND_DEFAULT = ["127.0.0.1:0"] as const;

/** A NETCODE client for tests. Binds 127.0.0.1 when neither `bind` nor `send` is given. */
export class ReferenceClient extends Endpoint {
  /** Each payload, with the sequence of the packet that brought it. */
  onPayload: ((payload: Buffer, sequence: bigint) => void) | undefined;
  /** Each change of state, after it happened. */
  onState: ((state: ClientState, previous: ClientState) => void) | undefined;
  /** Slot and slot count, from the first keep-alive; 0 before. */
  clientIndex = 0;
  maxClients = 0;
  /** Sequence of the next packet. A request takes one too, though it does not carry it. */
  sequence = 0n;

  #state: ClientState = CLIENT_STATES.disconnected;
  #token: PublicToken | undefined;
  #serverIndex = 0;
  #replay = new ReplayWindow();
  #challengeBody: Buffer = Buffer.alloc(0);
  #connectSeconds = 0;
  #lastSendSeconds = 0;
  #lastReceiveSeconds = 0;
  #pendingState: ClientState | undefined;

  constructor(options: EndpointOptions = {}) {
    super(options, BIND_DEFAULT);
  }

  /** A client with bound sockets that updates itself. */
  static async open(options: EndpointOptions = {}): Promise<ReferenceClient> {
    const client = await new ReferenceClient(options).open();
    return client.drive();
  }

  get state(): ClientState {
    return this.#state;
  }

  /** The server of the moment, or undefined without a token. */
  get serverAddress(): string | undefined {
    return this.#token?.servers[this.#serverIndex];
  }

  /** Starts on the first server of a token of 2,048 bytes. A bad token leads to `invalidToken`. */
  connect(token: Uint8Array): void {
    this.disconnect();
    this.#token = decodePublicToken(token);
    if (this.#token === undefined) {
      this.#enter(CLIENT_STATES.invalidToken);
      return;
    }
    this.#serverIndex = 0;
    this.#connectSeconds = this.timeSeconds;
    this.#beginServer();
  }

  update(timeSeconds = realSeconds()): void {
    this.timeSeconds = timeSeconds;
    this.drain((from, bytes) => this.#read(from, bytes));
    this.#sendRegular();
    this.#checkEnds();
  }

  /** Sends 1 to 1,200 bytes. False, and nothing sent, when not connected or of another size. */
  sendPayload(payload: Uint8Array): boolean {
    if (this.#state !== CLIENT_STATES.connected) return false;
    if (payload.length < 1 || payload.length > PAYLOAD_BYTES_MAX) return false;
    this.#sendSealed("payload", payload);
    return true;
  }

  /** Sends ten disconnect packets and is disconnected; nothing when it is already. */
  disconnect(): void {
    if (this.#state <= CLIENT_STATES.disconnected) return;
    for (let count = 0; count < DISCONNECT_PACKETS; count++) this.#sendSealed("disconnect");
    this.#finish(CLIENT_STATES.disconnected);
  }

  override async close(): Promise<void> {
    this.disconnect();
    await super.close();
  }

  #enter(state: ClientState): void {
    const previous = this.#state;
    this.#state = state;
    this.onState?.(state, previous);
  }

  #beginServer(): void {
    // A second back: the first request leaves with the next update.
    this.#lastSendSeconds = this.timeSeconds - 1;
    this.#lastReceiveSeconds = this.timeSeconds;
    this.#pendingState = undefined;
    this.#replay = new ReplayWindow();
    this.#enter(CLIENT_STATES.sendingRequest);
  }

  #finish(state: ClientState): void {
    this.#token = undefined;
    this.#serverIndex = 0;
    this.#pendingState = undefined;
    this.sequence = 0n;
    this.clientIndex = 0;
    this.maxClients = 0;
    this.#enter(state);
  }

  #read(from: string, bytes: Buffer): void {
    const token = this.#token;
    if (token === undefined) {
      this.count("noKey");
      return;
    }
    const packet = readPacket(bytes, {
      key: token.serverToClientKey,
      protocolId: token.protocolId,
      allowed: ALLOWED,
      replay: this.#replay,
    });
    if (typeof packet === "string") this.count(packet);
    else if (from !== this.serverAddress) this.count("wrongAddress");
    else if (!this.#accept(packet)) this.count("wrongState");
    else this.countReceived(packet.type);
  }

  /** False when the packet means nothing in this state. */
  #accept(packet: OpenedPacket): boolean {
    const { sendingRequest, sendingResponse, connected } = CLIENT_STATES;
    const connecting = this.#state === sendingRequest || this.#state === sendingResponse;
    switch (PACKET_NAMES[packet.type]) {
      case "denied":
        if (!connecting) return false;
        this.#pendingState = CLIENT_STATES.denied;
        break;
      case "challenge":
        if (this.#state !== sendingRequest) return false;
        this.#challengeBody = packet.body;
        this.#enter(sendingResponse);
        break;
      case "keepAlive":
        if (this.#state === sendingResponse) {
          this.clientIndex = packet.body.readUInt32LE(0);
          this.maxClients = packet.body.readUInt32LE(4);
          this.#enter(connected);
        } else if (this.#state !== connected) return false;
        break;
      case "payload":
        if (this.#state !== connected) return false;
        this.onPayload?.(packet.body, packet.sequence);
        break;
      case "disconnect":
        if (this.#state !== connected) return false;
        this.#pendingState = CLIENT_STATES.disconnected;
        break;
      default:
        return false;
    }
    this.#lastReceiveSeconds = this.timeSeconds;
    return true;
  }

  #sendRegular(): void {
    if (this.#lastSendSeconds + SEND_INTERVAL_SECONDS >= this.timeSeconds) return;
    if (this.#state === CLIENT_STATES.sendingRequest) this.#sendRequest();
    else if (this.#state === CLIENT_STATES.sendingResponse) {
      this.#sendSealed("response", this.#challengeBody);
    } else if (this.#state === CLIENT_STATES.connected) {
      this.#sendSealed("keepAlive", encodeKeepAliveBody(0, 0));
    }
  }

  #sendRequest(): void {
    if (this.#token !== undefined) this.#send("request", encodeRequest(this.#token));
  }

  #sendSealed(name: PacketName, body?: Uint8Array): void {
    const token = this.#token;
    if (token === undefined) return;
    const bytes = sealPacket({
      type: PACKET_TYPES[name],
      sequence: this.sequence,
      key: token.clientToServerKey,
      protocolId: token.protocolId,
      ...(body === undefined ? {} : { body }),
    });
    this.#send(name, bytes);
  }

  #send(name: PacketName, bytes: Buffer): void {
    const to = this.serverAddress;
    if (to === undefined) return;
    const sequence = this.sequence++;
    this.#lastSendSeconds = this.timeSeconds;
    this.transmit({ to, name, sequence, bytes });
  }

  /** Ends of an attempt and of a connection, in the order of the reference: expiry, packets, silence. */
  #checkEnds(): void {
    const token = this.#token;
    if (token === undefined) return;
    const connecting = this.#state < CLIENT_STATES.connected;
    const lifeSeconds = Number(token.expireTimestamp - token.createTimestamp);
    if (connecting && this.timeSeconds - this.#connectSeconds >= lifeSeconds) {
      this.#finish(CLIENT_STATES.tokenExpired);
      return;
    }
    const silent =
      token.timeoutSeconds > 0 &&
      this.#lastReceiveSeconds + token.timeoutSeconds < this.timeSeconds;
    const end = this.#pendingState ?? (silent ? this.#timeOutState() : undefined);
    if (end === undefined) return;
    if (connecting && this.#serverIndex + 1 < token.servers.length) {
      this.#serverIndex++;
      this.#beginServer();
      return;
    }
    this.#finish(end);
  }

  #timeOutState(): ClientState {
    if (this.#state === CLIENT_STATES.sendingRequest) return CLIENT_STATES.requestTimedOut;
    if (this.#state === CLIENT_STATES.sendingResponse) return CLIENT_STATES.responseTimedOut;
    return CLIENT_STATES.connectionTimedOut;
  }
}
