/**
 * A player without a human: walks about, aims at whom it sees nearest, shoots, and talks.
 *
 * Owns: one client's connection, what it sends, and the judgement of what it receives.
 * Invariants: what it does depends on its seed and on the states that arrived, not on the clock.
 */
import type { Client } from "../../lib/index.js";
import { Random } from "../../lib/sim/random.js";
import { type Envelope, isWhole, openEnvelope, SENDER_SERVER, seal } from "./envelope.js";
import type { Player } from "./game.js";
import { type Arena, Input, Line, NO_SCORE, Score, Shot, State } from "./protocol.js";
import { type Counts, noCounts, Stream } from "./tally.js";

/** Every so many states the bot looks around; the others are checked, not decoded. */
const LOOK_STATES = 16;
/** Ticks that a bot walks in one direction, at least and in addition. */
const WALK_TICKS = 32;
/** A line per second from every bot, but no more than so many from all: each goes to everybody. */
const LINES_PER_SECOND_MAX = 32;
const LINES = ["over here", "behind you", "need help", "well played", "again?"];

export class Bot {
  readonly state: Counts = noCounts();
  readonly shots: Counts = noCounts();
  readonly score: Counts = noCounts();
  readonly chat: Counts = noCounts();
  inputsSent = 0;
  linesSent = 0;
  readonly #client: Client<Arena>;
  readonly #index: number;
  readonly #lineTicks: number;
  readonly #random: Random;
  readonly #envelope: Envelope = { sender: 0, sequence: 0 };
  readonly #states = new Stream(this.state);
  readonly #shots = new Stream(this.shots);
  readonly #scores = new Stream(this.score);
  readonly #lines = new Map<number, Stream>();
  readonly #input: Input;
  /** The world when the bot looked last. */
  #state: State | undefined;
  /** The score as it was told last. */
  #score = NO_SCORE;
  #walkTicks = 0;

  constructor(
    client: Client<Arena>,
    index: number,
    options: { readonly clients: number; readonly tickRate: number; readonly seed: number },
  ) {
    const { clients, tickRate, seed } = options;
    this.#client = client;
    this.#index = index;
    this.#input = {
      sender: index,
      sequence: 0,
      moveX: 0,
      moveY: 0,
      fire: false,
      aim: 0,
      checksum: 0,
    };
    const lineSeconds = Math.max(1, clients / LINES_PER_SECOND_MAX);
    this.#lineTicks = Math.max(1, Math.round(tickRate * lineSeconds));
    this.#random = new Random(seed + 1 + index);
    client.channel("state").on("message", (bytes) => this.#stateArrived(bytes));
    client.channel("shots").on("message", (shot) => this.#shotArrived(shot));
    client.channel("score").on("message", (bytes) => this.#scoreArrived(bytes));
    client.channel("chat").on("message", (line) => this.#lineArrived(line));
    client.on("rejected", ({ channel }) => {
      (channel === "shots" ? this.shots : this.chat).damaged += 1;
    });
  }

  get client(): Client<Arena> {
    return this.#client;
  }

  /** One tick: an input, and now and then a line. */
  act(tick: number): void {
    if (!this.#client.connected) return;
    this.#decide();
    this.#input.sequence = this.inputsSent;
    if (this.#client.send("input", seal(Input, this.#input))) this.inputsSent += 1;
    // At a tick of its own, so that they don't all talk at once.
    if ((tick + this.#index * 7) % this.#lineTicks === 0) this.#talk();
  }

  #decide(): void {
    this.#walkTicks -= 1;
    if (this.#walkTicks > 0) return;
    this.#walkTicks = WALK_TICKS + this.#random.below(WALK_TICKS);
    this.#input.moveX = this.#random.below(3) - 1;
    this.#input.moveY = this.#random.below(3) - 1;
    this.#input.fire = this.#random.chance(75);
  }

  #talk(): void {
    const text = LINES[this.#random.below(LINES.length)];
    const line = { sender: this.#index, sequence: this.linesSent, text, checksum: 0 };
    if (this.#client.send("chat", seal(Line, line))) this.linesSent += 1;
  }

  #stateArrived(bytes: Uint8Array): void {
    const envelope = this.#envelope;
    if (!openEnvelope(bytes, envelope) || envelope.sender !== SENDER_SERVER) {
      this.state.damaged += 1;
      return;
    }
    if (envelope.sequence % LOOK_STATES === 0) {
      const state = this.#readState(bytes);
      if (state === undefined) {
        this.state.damaged += 1;
        return;
      }
      this.#look(state.players);
    }
    this.#states.take(envelope.sequence);
  }

  #shotArrived(shot: Shot): void {
    if (isWhole(Shot, shot)) this.#shots.take(shot.sequence);
    else this.shots.damaged += 1;
  }

  /** A delta to the score before, which has arrived: that is what Critical promises. */
  #scoreArrived(bytes: Uint8Array): void {
    const score = Score.decodeDelta(bytes, this.#score);
    if (score === undefined || !isWhole(Score, score)) {
      this.score.damaged += 1;
      return;
    }
    this.#score = score;
    this.#scores.take(score.sequence);
  }

  /** Into the objects of the last one, so that looking leaves no garbage. */
  #readState(bytes: Uint8Array): State | undefined {
    if (this.#state !== undefined) {
      return State.decodeInto(bytes, this.#state) ? this.#state : undefined;
    }
    this.#state = State.decode(bytes);
    return this.#state;
  }

  /** Turns the gun toward the nearest of the others. */
  #look(players: readonly Player[]): void {
    const me = players[this.#index];
    let nearest = Number.POSITIVE_INFINITY;
    for (const [index, { x, y, health }] of players.entries()) {
      if (index === this.#index || health === 0) continue;
      const distance = Math.hypot(x - me.x, y - me.y);
      if (distance >= nearest) continue;
      nearest = distance;
      this.#input.aim = Math.round((Math.atan2(y - me.y, x - me.x) * 128) / Math.PI) & 255;
    }
  }

  /** A line of another player, of this one (the server tells all), or of the server itself. */
  #lineArrived(line: Line): void {
    if (!isWhole(Line, line) || line.text === "") {
      this.chat.damaged += 1;
      return;
    }
    let stream = this.#lines.get(line.sender);
    if (stream === undefined) {
      stream = new Stream(this.chat);
      this.#lines.set(line.sender, stream);
    }
    stream.take(line.sequence);
  }
}
