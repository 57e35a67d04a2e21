/*
 * The packer by hand that the schema is held against: what a careful programmer writes for these three
 * messages, without checks of the values, and with checks of sizes and ranges where bytes come in.
 *
 * Owns: the layouts of bench/schema.ts, the same bits.
 */
export interface Input {
  sequence: number;
  buttons: number;
  yaw: number;
  aim: { x: number; y: number; z: number };
}
export interface Player {
  id: number;
  alive: boolean;
  health: number;
  position: { x: number; y: number; z: number };
  yaw: number;
  pitch: number;
}
export interface Snapshot {
  tick: number;
  players: Player[];
}
export interface Chat {
  from: number;
  text: string;
}

const YAW_STEPS = 6284;
const PITCH_STEPS = 3142;
const AIM_STEPS = 1000;
const POSITION = 250;
const POSITION_STEPS = 128_000;

const toSteps = (value: number, least: number, most: number, steps: number): number =>
  value <= least
    ? 0
    : value >= most
      ? steps
      : Math.floor((value - least) * (steps / (most - least)) + 0.5);
const fromSteps = (number: number, least: number, most: number, steps: number): number =>
  least + number * ((most - least) / steps);

/** 16 + 6 + 13 + 3 x 10 = 65 bits, put into words by hand. */
export function packInput({ sequence, buttons, yaw, aim }: Input, bytes: Uint8Array): number {
  const turn = toSteps(yaw, -Math.PI, Math.PI, YAW_STEPS);
  const x = toSteps(aim.x, -1, 1, AIM_STEPS);
  const y = toSteps(aim.y, -1, 1, AIM_STEPS);
  const z = toSteps(aim.z, -1, 1, AIM_STEPS);
  const low = sequence | (buttons << 16) | (turn << 22);
  const high = (turn >>> 10) | (x << 3) | (y << 13) | (z << 23);
  bytes[0] = low;
  bytes[1] = low >>> 8;
  bytes[2] = low >>> 16;
  bytes[3] = low >>> 24;
  bytes[4] = high;
  bytes[5] = high >>> 8;
  bytes[6] = high >>> 16;
  bytes[7] = high >>> 24;
  bytes[8] = z >>> 9;
  return 9;
}

export function unpackInput(bytes: Uint8Array, input: Input): boolean {
  if (bytes.length !== 9 || bytes[8] > 1) return false;
  const low = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24);
  const high = bytes[4] | (bytes[5] << 8) | (bytes[6] << 16) | (bytes[7] << 24);
  const turn = (low >>> 22) | ((high & 7) << 10);
  const x = (high >>> 3) & 0x3ff;
  const y = (high >>> 13) & 0x3ff;
  const z = (high >>> 23) | (bytes[8] << 9);
  if (turn > YAW_STEPS || x > AIM_STEPS || y > AIM_STEPS || z > AIM_STEPS) return false;
  input.sequence = low & 0xffff;
  input.buttons = (low >>> 16) & 0x3f;
  input.yaw = fromSteps(turn, -Math.PI, Math.PI, YAW_STEPS);
  input.aim.x = fromSteps(x, -1, 1, AIM_STEPS);
  input.aim.y = fromSteps(y, -1, 1, AIM_STEPS);
  input.aim.z = fromSteps(z, -1, 1, AIM_STEPS);
  return true;
}

/** Bits with a scratch word, lowest first: up to 24 at a time. */
class Packer {
  bytes: Uint8Array = new Uint8Array(0);
  offset = 0;
  #scratch = 0;
  #bits = 0;

  begin(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.offset = 0;
    this.#scratch = 0;
    this.#bits = 0;
  }

  put(value: number, bits: number): void {
    this.#scratch |= value << this.#bits;
    this.#bits += bits;
    while (this.#bits >= 8) {
      this.bytes[this.offset++] = this.#scratch;
      this.#scratch >>>= 8;
      this.#bits -= 8;
    }
  }

  end(): number {
    if (this.#bits > 0) this.bytes[this.offset++] = this.#scratch;
    return this.offset;
  }

  take(bits: number): number {
    while (this.#bits < bits) {
      this.#scratch |= this.bytes[this.offset++] << this.#bits;
      this.#bits += 8;
    }
    const value = this.#scratch & ((1 << bits) - 1);
    this.#scratch >>>= bits;
    this.#bits -= bits;
    return value;
  }
}

const packer = new Packer();

/** 32 + 7 bits, and 92 for each player. */
export function packSnapshot({ tick, players }: Snapshot, bytes: Uint8Array): number {
  packer.begin(bytes);
  packer.put(tick & 0xffff, 16);
  packer.put(tick >>> 16, 16);
  packer.put(players.length, 7);
  for (const { id, alive, health, position, yaw, pitch } of players) {
    packer.put(id, 8);
    packer.put(alive ? 1 : 0, 1);
    packer.put(health, 7);
    packer.put(toSteps(position.x, -POSITION, POSITION, POSITION_STEPS), 17);
    packer.put(toSteps(position.y, -POSITION, POSITION, POSITION_STEPS), 17);
    packer.put(toSteps(position.z, -POSITION, POSITION, POSITION_STEPS), 17);
    packer.put(toSteps(yaw, -Math.PI, Math.PI, YAW_STEPS), 13);
    packer.put(toSteps(pitch, -Math.PI / 2, Math.PI / 2, PITCH_STEPS), 12);
  }
  return packer.end();
}

export function unpackSnapshot(bytes: Uint8Array, snapshot: Snapshot): boolean {
  if (bytes.length < 5) return false;
  packer.begin(bytes);
  snapshot.tick = (packer.take(16) | (packer.take(16) << 16)) >>> 0;
  const count = packer.take(7);
  if (count > 64 || bytes.length !== Math.ceil((39 + 92 * count) / 8)) return false;
  for (let index = 0; index < count; index++) {
    const player = snapshot.players[index];
    player.id = packer.take(8);
    player.alive = packer.take(1) === 1;
    player.health = packer.take(7);
    const x = packer.take(17);
    const y = packer.take(17);
    const z = packer.take(17);
    const yaw = packer.take(13);
    const pitch = packer.take(12);
    if (player.health > 100 || yaw > YAW_STEPS || pitch > PITCH_STEPS) return false;
    if (x > POSITION_STEPS || y > POSITION_STEPS || z > POSITION_STEPS) return false;
    player.position.x = fromSteps(x, -POSITION, POSITION, POSITION_STEPS);
    player.position.y = fromSteps(y, -POSITION, POSITION, POSITION_STEPS);
    player.position.z = fromSteps(z, -POSITION, POSITION, POSITION_STEPS);
    player.yaw = fromSteps(yaw, -Math.PI, Math.PI, YAW_STEPS);
    player.pitch = fromSteps(pitch, -Math.PI / 2, Math.PI / 2, PITCH_STEPS);
  }
  snapshot.players.length = count;
  return true;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A byte, a byte of length, and the text: byte for byte, one bit longer than the schema's. */
export function packChat({ from, text }: Chat, bytes: Uint8Array): number {
  const { written } = encoder.encodeInto(text, bytes.subarray(2));
  bytes[0] = from;
  bytes[1] = written;
  return 2 + written;
}

export function unpackChat(bytes: Uint8Array, chat: Chat): boolean {
  if (bytes.length < 2 || bytes.length !== 2 + bytes[1]) return false;
  chat.from = bytes[0];
  chat.text = decoder.decode(bytes.subarray(2));
  return true;
}
