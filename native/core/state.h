// Owns the two state machines of the connection layer, as tables: every state, event and
// transition. Never acts: whoever moves a machine does what the new state asks for.
// docs/PROTOCOL.md prints the tables and a test compares them.
#ifndef NETRT_CORE_STATE_H_
#define NETRT_CORE_STATE_H_

#include <cstdint>

namespace netrt {

// ---- The client, as NETCODE 1.02 names its states (R-13) ----

constexpr int32_t CLIENT_TOKEN_EXPIRED = -6;
constexpr int32_t CLIENT_TOKEN_INVALID = -5;
constexpr int32_t CLIENT_TIMED_OUT = -4;
constexpr int32_t CLIENT_RESPONSE_TIMED_OUT = -3;
constexpr int32_t CLIENT_REQUEST_TIMED_OUT = -2;
constexpr int32_t CLIENT_DENIED = -1;
constexpr int32_t CLIENT_DISCONNECTED = 0;
constexpr int32_t CLIENT_REQUESTING = 1;
constexpr int32_t CLIENT_RESPONDING = 2;
constexpr int32_t CLIENT_CONNECTED = 3;

constexpr int32_t CLIENT_EVENT_START = 0;
constexpr int32_t CLIENT_EVENT_CHALLENGE = 1;
constexpr int32_t CLIENT_EVENT_KEEP_ALIVE = 2;
constexpr int32_t CLIENT_EVENT_DENIED = 3;
constexpr int32_t CLIENT_EVENT_TIMEOUT = 4;
constexpr int32_t CLIENT_EVENT_EXPIRED = 5;
constexpr int32_t CLIENT_EVENT_END = 6;

// Rows of state, event, next state. What is not here changes nothing.
constexpr int8_t CLIENT_TABLE[][3] = {
    {CLIENT_DISCONNECTED, CLIENT_EVENT_START, CLIENT_REQUESTING},
    {CLIENT_REQUESTING, CLIENT_EVENT_CHALLENGE, CLIENT_RESPONDING},
    {CLIENT_REQUESTING, CLIENT_EVENT_DENIED, CLIENT_DENIED},
    {CLIENT_REQUESTING, CLIENT_EVENT_TIMEOUT, CLIENT_REQUEST_TIMED_OUT},
    {CLIENT_REQUESTING, CLIENT_EVENT_EXPIRED, CLIENT_TOKEN_EXPIRED},
    {CLIENT_REQUESTING, CLIENT_EVENT_END, CLIENT_DISCONNECTED},
    {CLIENT_RESPONDING, CLIENT_EVENT_KEEP_ALIVE, CLIENT_CONNECTED},
    {CLIENT_RESPONDING, CLIENT_EVENT_DENIED, CLIENT_DENIED},
    {CLIENT_RESPONDING, CLIENT_EVENT_TIMEOUT, CLIENT_RESPONSE_TIMED_OUT},
    {CLIENT_RESPONDING, CLIENT_EVENT_EXPIRED, CLIENT_TOKEN_EXPIRED},
    {CLIENT_RESPONDING, CLIENT_EVENT_END, CLIENT_DISCONNECTED},
    {CLIENT_CONNECTED, CLIENT_EVENT_TIMEOUT, CLIENT_TIMED_OUT},
    {CLIENT_CONNECTED, CLIENT_EVENT_END, CLIENT_DISCONNECTED},
    // The next server of the token's list.
    {CLIENT_DENIED, CLIENT_EVENT_START, CLIENT_REQUESTING},
    {CLIENT_REQUEST_TIMED_OUT, CLIENT_EVENT_START, CLIENT_REQUESTING},
    {CLIENT_RESPONSE_TIMED_OUT, CLIENT_EVENT_START, CLIENT_REQUESTING},
};

// ---- A connection between two slots, once NETCODE has connected them ----

constexpr int32_t CONNECTION_FREE = 0;
// Connected by NETCODE; the peer's hello has not come yet.
constexpr int32_t CONNECTION_GREETING = 1;
constexpr int32_t CONNECTION_OPEN = 2;
// Closing once nothing is queued or unacked; takes no more messages from the user.
constexpr int32_t CONNECTION_DRAINING = 3;
// Saying goodbye; takes nothing from either side.
constexpr int32_t CONNECTION_CLOSING = 4;

constexpr int32_t CONNECTION_EVENT_ASSIGN = 0;
constexpr int32_t CONNECTION_EVENT_HELLO = 1;
constexpr int32_t CONNECTION_EVENT_DRAIN = 2;
// Closed by this side, for whatever reason, the peer's silence included.
constexpr int32_t CONNECTION_EVENT_CLOSE = 3;
// The peer said goodbye with a reason.
constexpr int32_t CONNECTION_EVENT_PEER_CLOSE = 4;
// The peer's disconnect packet came, or our last goodbye is sent.
constexpr int32_t CONNECTION_EVENT_DONE = 5;

// Rows of state, event, next state. What is not here changes nothing.
constexpr int8_t CONNECTION_TABLE[][3] = {
    {CONNECTION_FREE, CONNECTION_EVENT_ASSIGN, CONNECTION_GREETING},
    {CONNECTION_GREETING, CONNECTION_EVENT_HELLO, CONNECTION_OPEN},
    {CONNECTION_GREETING, CONNECTION_EVENT_DRAIN, CONNECTION_CLOSING},
    {CONNECTION_GREETING, CONNECTION_EVENT_CLOSE, CONNECTION_CLOSING},
    {CONNECTION_GREETING, CONNECTION_EVENT_PEER_CLOSE, CONNECTION_CLOSING},
    {CONNECTION_GREETING, CONNECTION_EVENT_DONE, CONNECTION_FREE},
    {CONNECTION_OPEN, CONNECTION_EVENT_DRAIN, CONNECTION_DRAINING},
    {CONNECTION_OPEN, CONNECTION_EVENT_CLOSE, CONNECTION_CLOSING},
    {CONNECTION_OPEN, CONNECTION_EVENT_PEER_CLOSE, CONNECTION_CLOSING},
    {CONNECTION_OPEN, CONNECTION_EVENT_DONE, CONNECTION_FREE},
    {CONNECTION_DRAINING, CONNECTION_EVENT_CLOSE, CONNECTION_CLOSING},
    {CONNECTION_DRAINING, CONNECTION_EVENT_PEER_CLOSE, CONNECTION_CLOSING},
    {CONNECTION_DRAINING, CONNECTION_EVENT_DONE, CONNECTION_FREE},
    {CONNECTION_CLOSING, CONNECTION_EVENT_DONE, CONNECTION_FREE},
};

int32_t clientNext(int32_t state, int32_t event);

int32_t connectionNext(int32_t state, int32_t event);

// ---- Why a connection ended (R-34) ----

constexpr uint8_t REASON_CLOSED = 1;
constexpr uint8_t REASON_SHUTDOWN = 2;
constexpr uint8_t REASON_TIMED_OUT = 3;
constexpr uint8_t REASON_MISMATCH = 4;
constexpr uint8_t REASON_VIOLATION = 5;
// A bare NETCODE disconnect: the peer gave no reason.
constexpr uint8_t REASON_DISCONNECTED = 6;
// A message of a critical channel could not be delivered.
constexpr uint8_t REASON_UNDELIVERED = 7;
// The host ran out of memory for what the peer sends.
constexpr uint8_t REASON_RESOURCES = 8;

}  // namespace netrt

#endif  // NETRT_CORE_STATE_H_
