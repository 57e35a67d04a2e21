/*
 * Owns the seam between the library and an engine that runs on real sockets: what opening one needs,
 * and the few calls that a turn consists of. lib/native.ts and lib/js.ts are the two sides behind it.
 * Never carries a message: those go through the rings, whose memory the library owns.
 */

/** Take what the socket has (bounded by DATAGRAMS_PER_TURN_MAX and TURN_RECEIVE_US_MAX). */
export const TURN_RECEIVE = 1;
/** Everything submitted may go out now. */
export const TURN_FLUSH = 2;
/** Send what is due. Without it a turn only receives, so that a tick's answers ride with its acks. */
export const TURN_TRANSMIT = 4;

/**
 * A turn takes no further batch of datagrams when it has taken them for as long (µs): whatever the
 * network sends, the event loop turns.
 */
export const TURN_RECEIVE_US_MAX = 3000;

/** The socket has more datagrams, or the completion ring was full: turn again after draining. */
export const TURNED_MORE = 1;
/** The kernel's send buffer is full: what is left waits for the next turn. */
export const TURNED_BLOCKED = 2;

/** A bound or wanted socket address; port 0 lets the system choose. */
export interface SocketAddress {
  readonly type: number;
  readonly port: number;
  readonly words: readonly [number, number, number, number];
}

/** `inline`: the caller's turns do all the work. `thread`: see the option `io`. */
export type IoMode = "inline" | "thread";

export interface EngineOptions {
  /** Words of lib/engine/config.ts. An own address with port 0 takes the bound port. */
  readonly config: Uint32Array;
  /** 32 bytes: opens private tokens (a server's). */
  readonly privateKey: Uint8Array;
  /** ENTROPY_BYTES random bytes. */
  readonly entropy: Uint8Array;
  readonly submission: Uint8Array;
  readonly completion: Uint8Array;
  /** statsWords(peersMax) words. */
  readonly page: Uint32Array;
  readonly bind: SocketAddress;
  /** Bytes asked of the kernel for each socket buffer. */
  readonly socketBufferBytes: number;
  /** Share the port with other sockets that ask for it too (SO_REUSEPORT). */
  readonly reusePort: boolean;
  /** Who takes the turns: the caller, or a thread of the engine's own. */
  readonly io: IoMode;
  /** Called on the JavaScript thread when the armed deadline came or a watched socket has data. */
  readonly onWake: () => void;
}

/** Counters of the socket, as one turn left them. */
export interface SocketStats {
  readonly receiveCalls: number;
  readonly sendCalls: number;
  readonly datagramsReceived: number;
  readonly datagramsSent: number;
  /** Datagrams longer than any packet, dropped whole. */
  readonly truncated: number;
  /** Datagrams that the kernel dropped because its receive buffer was full. */
  readonly kernelDrops: number;
  /** Sends that the kernel had no room for and lost. */
  readonly localLoss: number;
  /** Sends without a route, or refused by a firewall. */
  readonly unreachable: number;
  /** Sends that found the kernel's buffer full and went out later. */
  readonly blocked: number;
  /** Sends that the kernel found too large for the path. */
  readonly tooLarge: number;
  /** Errors that somebody's ICMP message caused. */
  readonly refused: number;
}

export interface Engine {
  readonly name: "native" | "js";
  readonly bound: SocketAddress;
  readonly io: IoMode;
  /** Monotonic time in µs, the clock of every deadline. */
  nowUs(): number;
  /**
   * One turn; TURN_… in, TURNED_… out. With an I/O thread, which takes turns by itself, it does what
   * only the caller can: TURN_FLUSH shows the thread what was submitted and has it sent, and a turn
   * without flags makes room in the submission ring at once.
   */
  turn(flags: number): number;
  /** When the core wants a turn of the caller's at the latest, as the last turn left it (µs). */
  deadlineUs(): number;
  /**
   * Asks for one onWake at the deadline (µs), or earlier when `watch` is set and a datagram comes; with
   * an I/O thread, when its turns brought records or the number of peers is another. `flush`, for an
   * I/O thread alone, is a turn with TURN_FLUSH in the same call: one system call for both.
   */
  arm(deadlineUs: number, watch: boolean, flush?: boolean): void;
  /** Starts a client's way to its server with a connect token of 2048 bytes. */
  connect(token: Uint8Array): void;
  socketStats(): SocketStats;
  /** Gives the socket, the thread and the memory back. Idempotent; nothing is called after it. */
  close(): void;
}

/** Opens an engine; rejects with a NetrtError that names what the system refused. */
export type OpenEngine = (options: EngineOptions) => Promise<Engine>;
