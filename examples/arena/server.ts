/**
 * The first process's half of the game: the authoritative server.
 *
 * Owns: the netrt server, the world that its ticks drive, the tokens, and the judgement of what clients
 * sent. This is the file to read for how a game uses netrt.
 * Never does: believe a client more than its input; measure or print.
 */
import { createServer, type Peer, type Server, type ServerStats } from "../../lib/index.js";
import { generateKey, mintToken, tokenToBase64 } from "../../lib/token.js";
import { isWhole, SENDER_SERVER, type Sealed, seal, sealBytes } from "./envelope.js";
import { type Fired, World } from "./game.js";
import type { ArenaOptions } from "./options.js";
import { type Arena, arena, Input, Line, NO_SCORE, Score, Shot, State } from "./protocol.js";
import { Slip } from "./slip.js";
import { type Counts, noCounts, Stream } from "./tally.js";

export class ArenaServer {
  readonly input: Counts = noCounts();
  readonly chat: Counts = noCounts();
  /** Broadcasts, each of which went to all clients. */
  statesSent = 0;
  shotsSent = 0;
  scoresSent = 0;
  linesSent = 0;
  /** Ticks that the world was stepped in. */
  ticks = 0;
  readonly slip: Slip;
  readonly #server: Server<Arena>;
  readonly #world: World;
  readonly #inputs: Stream[];
  readonly #lines: Stream[];
  #score = NO_SCORE;
  #playing = false;

  private constructor(server: Server<Arena>, options: ArenaOptions) {
    const { clients, tickRate, seed } = options;
    this.slip = new Slip(tickRate);
    this.#server = server;
    this.#world = new World(clients, tickRate, seed);
    this.#inputs = Array.from({ length: clients }, () => new Stream(this.input));
    this.#lines = Array.from({ length: clients }, () => new Stream(this.chat));
    server.channel("input").on("message", (peer, input) => this.#inputArrived(peer, input));
    server.channel("chat").on("message", (peer, line) => this.#lineArrived(peer, line));
    // What is no message never comes as far as a handler.
    server.on("connect", (peer) => {
      peer.on("rejected", ({ channel }) => {
        (channel === "chat" ? this.chat : this.input).damaged += 1;
      });
    });
    server.on("tick", (tick) => this.#tick(tick));
  }

  /**
   * Opens the server, and mints a token for each client: what a backend does that shares the secret.
   *
   * @param relayPort the address that clients send to is not the server's: as behind a load balancer
   */
  static async open(
    options: ArenaOptions,
    relayPort: number,
  ): Promise<{ server: ArenaServer; tokens: string[] }> {
    const secret = generateKey();
    const seen = `127.0.0.1:${relayPort}`;
    const server = await createServer(arena, {
      address: "127.0.0.1:0",
      publicAddresses: [seen],
      secret,
      tickRate: options.tickRate,
      maxPeers: options.clients,
      ...(options.serverEngine && { engine: options.serverEngine }),
    });
    const tokens = Array.from({ length: options.clients }, (_, index) =>
      tokenToBase64(mintToken({ protocol: arena, key: secret, clientId: index, servers: [seen] })),
    );
    return { server: new ArenaServer(server, options), tokens };
  }

  get port(): number {
    const { address } = this.#server;
    return Number(address.slice(address.lastIndexOf(":") + 1));
  }

  get engine(): "native" | "js" {
    return this.#server.engine;
  }

  get peers(): readonly Peer<Arena>[] {
    return [...this.#server.peers];
  }

  get stats(): ServerStats<Arena> {
    return this.#server.stats;
  }

  /** From now on the world moves, and all are told of it. */
  play(): void {
    this.#playing = true;
    this.#tellScore(Array.from(this.#inputs, () => 0));
  }

  /** The world stands still. Lines that still come are told to all, as they must. */
  rest(): void {
    this.#playing = false;
  }

  /** @param drain wait until everything told is known to have arrived */
  close(drain: boolean): Promise<void> {
    return this.#server.close({ drain, reason: "the game is over" });
  }

  #tick(tick: number): void {
    this.slip.record(tick, this.#playing);
    if (!this.#playing) return;
    this.ticks += 1;
    const kills = this.#world.step();
    const state = { ...this.#world.view, ...envelope(this.statesSent) };
    if (this.#server.broadcast("state", sealBytes(State, state))) this.statesSent += 1;
    for (const fired of this.#world.fired) this.#tellShot(fired);
    for (const { by } of kills) {
      this.#tellScore(this.#score.kills.map((count, index) => (index === by ? count + 1 : count)));
    }
  }

  #tellShot(fired: Fired): void {
    const shot = seal(Shot, { ...fired, ...envelope(this.shotsSent) });
    if (this.#server.broadcast("shots", shot)) this.shotsSent += 1;
  }

  /** What changed since the last one: some bytes, however many players there are. */
  #tellScore(kills: number[]): void {
    const score = seal(Score, { kills, ...envelope(this.scoresSent) });
    if (!this.#server.broadcast("score", Score.encodeDelta(score, this.#score))) return;
    this.#score = score;
    this.scoresSent += 1;
  }

  #inputArrived(peer: Peer<Arena>, input: Input): void {
    const index = speakerOf(peer, input);
    if (index < 0 || !isWhole(Input, input)) this.input.damaged += 1;
    else if (this.#inputs[index].take(input.sequence)) this.#world.command(index, input);
  }

  /** Everybody hears everybody, the speaker too: as it came, with the speaker's own numbers. */
  #lineArrived(peer: Peer<Arena>, line: Line): void {
    const index = speakerOf(peer, line);
    if (index < 0 || !isWhole(Line, line)) this.chat.damaged += 1;
    else if (this.#lines[index].take(line.sequence)) {
      if (this.#server.broadcast("chat", line)) this.linesSent += 1;
    }
  }
}

/** The envelope of what the server itself says. */
function envelope(sequence: number): Sealed {
  return { sender: SENDER_SERVER, sequence, checksum: 0 };
}

/** The client that a message is from, -1 if it says otherwise; the token's id is the proof. */
function speakerOf(peer: Peer<Arena>, message: Sealed): number {
  const index = Number(peer.id);
  return message.sender === index ? index : -1;
}
