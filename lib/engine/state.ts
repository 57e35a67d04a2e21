// state: the two state machines of the connection layer, as tables.
//
// Owns every state, event and transition. Never acts: whoever moves a machine does what the new state
// asks for. docs/PROTOCOL.md prints the tables and a test compares them.

// --- the client, as NETCODE 1.02 names its states (R-13) ---
export const CLIENT_TOKEN_EXPIRED = -6;
export const CLIENT_TOKEN_INVALID = -5;
export const CLIENT_TIMED_OUT = -4;
export const CLIENT_RESPONSE_TIMED_OUT = -3;
export const CLIENT_REQUEST_TIMED_OUT = -2;
export const CLIENT_DENIED = -1;
export const CLIENT_DISCONNECTED = 0;
export const CLIENT_REQUESTING = 1;
export const CLIENT_RESPONDING = 2;
export const CLIENT_CONNECTED = 3;

export const CLIENT_EVENT_START = 0;
export const CLIENT_EVENT_CHALLENGE = 1;
export const CLIENT_EVENT_KEEP_ALIVE = 2;
export const CLIENT_EVENT_DENIED = 3;
export const CLIENT_EVENT_TIMEOUT = 4;
export const CLIENT_EVENT_EXPIRED = 5;
export const CLIENT_EVENT_END = 6;

/** Rows of state, event, next state. What is not here changes nothing. */
export const CLIENT_TABLE = [
  [CLIENT_DISCONNECTED, CLIENT_EVENT_START, CLIENT_REQUESTING],
  [CLIENT_REQUESTING, CLIENT_EVENT_CHALLENGE, CLIENT_RESPONDING],
  [CLIENT_REQUESTING, CLIENT_EVENT_DENIED, CLIENT_DENIED],
  [CLIENT_REQUESTING, CLIENT_EVENT_TIMEOUT, CLIENT_REQUEST_TIMED_OUT],
  [CLIENT_REQUESTING, CLIENT_EVENT_EXPIRED, CLIENT_TOKEN_EXPIRED],
  [CLIENT_REQUESTING, CLIENT_EVENT_END, CLIENT_DISCONNECTED],
  [CLIENT_RESPONDING, CLIENT_EVENT_KEEP_ALIVE, CLIENT_CONNECTED],
  [CLIENT_RESPONDING, CLIENT_EVENT_DENIED, CLIENT_DENIED],
  [CLIENT_RESPONDING, CLIENT_EVENT_TIMEOUT, CLIENT_RESPONSE_TIMED_OUT],
  [CLIENT_RESPONDING, CLIENT_EVENT_EXPIRED, CLIENT_TOKEN_EXPIRED],
  [CLIENT_RESPONDING, CLIENT_EVENT_END, CLIENT_DISCONNECTED],
  [CLIENT_CONNECTED, CLIENT_EVENT_TIMEOUT, CLIENT_TIMED_OUT],
  [CLIENT_CONNECTED, CLIENT_EVENT_END, CLIENT_DISCONNECTED],
  // The next server of the token's list.
  [CLIENT_DENIED, CLIENT_EVENT_START, CLIENT_REQUESTING],
  [CLIENT_REQUEST_TIMED_OUT, CLIENT_EVENT_START, CLIENT_REQUESTING],
  [CLIENT_RESPONSE_TIMED_OUT, CLIENT_EVENT_START, CLIENT_REQUESTING],
] as const;

// --- a connection between two slots, once NETCODE has connected them ---
export const CONNECTION_FREE = 0;
/** Connected by NETCODE; the peer's hello has not come yet. */
export const CONNECTION_GREETING = 1;
export const CONNECTION_OPEN = 2;
/** Closing once nothing is queued or unacked; takes no more messages from the user. */
export const CONNECTION_DRAINING = 3;
/** Saying goodbye; takes nothing from either side. */
export const CONNECTION_CLOSING = 4;

export const CONNECTION_EVENT_ASSIGN = 0;
export const CONNECTION_EVENT_HELLO = 1;
export const CONNECTION_EVENT_DRAIN = 2;
/** Closed by this side, for whatever reason, the peer's silence included. */
export const CONNECTION_EVENT_CLOSE = 3;
/** The peer said goodbye with a reason. */
export const CONNECTION_EVENT_PEER_CLOSE = 4;
/** The peer's disconnect packet came, or our last goodbye is sent. */
export const CONNECTION_EVENT_DONE = 5;

/** Rows of state, event, next state. What is not here changes nothing. */
export const CONNECTION_TABLE = [
  [CONNECTION_FREE, CONNECTION_EVENT_ASSIGN, CONNECTION_GREETING],
  [CONNECTION_GREETING, CONNECTION_EVENT_HELLO, CONNECTION_OPEN],
  [CONNECTION_GREETING, CONNECTION_EVENT_DRAIN, CONNECTION_CLOSING],
  [CONNECTION_GREETING, CONNECTION_EVENT_CLOSE, CONNECTION_CLOSING],
  [CONNECTION_GREETING, CONNECTION_EVENT_PEER_CLOSE, CONNECTION_CLOSING],
  [CONNECTION_GREETING, CONNECTION_EVENT_DONE, CONNECTION_FREE],
  [CONNECTION_OPEN, CONNECTION_EVENT_DRAIN, CONNECTION_DRAINING],
  [CONNECTION_OPEN, CONNECTION_EVENT_CLOSE, CONNECTION_CLOSING],
  [CONNECTION_OPEN, CONNECTION_EVENT_PEER_CLOSE, CONNECTION_CLOSING],
  [CONNECTION_OPEN, CONNECTION_EVENT_DONE, CONNECTION_FREE],
  [CONNECTION_DRAINING, CONNECTION_EVENT_CLOSE, CONNECTION_CLOSING],
  [CONNECTION_DRAINING, CONNECTION_EVENT_PEER_CLOSE, CONNECTION_CLOSING],
  [CONNECTION_DRAINING, CONNECTION_EVENT_DONE, CONNECTION_FREE],
  [CONNECTION_CLOSING, CONNECTION_EVENT_DONE, CONNECTION_FREE],
] as const;

function lookUp(
  table: readonly (readonly [number, number, number])[],
  state: number,
  event: number,
): number {
  for (const row of table) {
    if (row[0] === state && row[1] === event) {
      return row[2];
    }
  }
  return state;
}

export function clientNext(state: number, event: number): number {
  return lookUp(CLIENT_TABLE, state, event);
}

export function connectionNext(state: number, event: number): number {
  return lookUp(CONNECTION_TABLE, state, event);
}

// --- why a connection ended (R-34) ---
export const REASON_CLOSED = 1;
export const REASON_SHUTDOWN = 2;
export const REASON_TIMED_OUT = 3;
export const REASON_MISMATCH = 4;
export const REASON_VIOLATION = 5;
/** A bare NETCODE disconnect: the peer gave no reason. */
export const REASON_DISCONNECTED = 6;
/** A message of a critical channel could not be delivered. */
export const REASON_UNDELIVERED = 7;
/** The host ran out of memory for what the peer sends. */
export const REASON_RESOURCES = 8;
