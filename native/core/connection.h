// Owns one peer between the moment it has a slot and the moment the slot is free again: the peer's
// keys, replay window, numbers, channels and timers, and what a packet to it holds.
// Never knows a socket or another peer; never pushes bytes: it is asked for a packet and says when
// to ask again. The state moves only by the table of `state`.
// Invariants: a packet number is used once; nothing is acted on before the seal opened and
// the whole payload was checked; after the end was reported, nothing more is.
#ifndef NETRT_CORE_CONNECTION_H_
#define NETRT_CORE_CONNECTION_H_

#include <cstddef>
#include <cstdint>

#include "core/acks.h"
#include "core/address.h"
#include "core/bytes.h"
#include "core/channel.h"
#include "core/config.h"
#include "core/congestion.h"
#include "core/frame.h"
#include "core/layout.h"
#include "core/limits.h"
#include "core/pacing.h"
#include "core/path.h"
#include "core/plan.h"
#include "core/replay.h"
#include "core/rtt.h"
#include "core/seal.h"
#include "core/session.h"
#include "core/state.h"
#include "core/timers.h"

namespace netrt {

// What all connections of a host share: memory, configuration, scratch for the packet at hand.
struct Shared {
  const HostConfig* config = nullptr;
  Outlet* outlet = nullptr;
  // What nobody else knows, of SIP_KEY_WORDS.
  const uint32_t* hashKey = nullptr;
  Plan plan;
  Reader reader;
  Writer writer;
  AckHeader ackHeader;
  Frame frame;
  uint8_t associated[PACKET_ASSOCIATED_BYTES] = {};
  uint8_t nackBits[NACK_BITS_BYTES_MAX] = {};
  // What the next connection's key pair is drawn from.
  uint8_t keysSeed[DIGEST_BYTES] = {};
  Layouts layouts;
};

struct Connection {
  uint32_t slot = 0;
  // Slot in the low half, a count of the slot's uses in the high half: 0 is never a handle.
  uint32_t handle = 0;
  int32_t state = CONNECTION_FREE;
  uint32_t channelCount = 0;
  // `channelCount` of them; null until the slot is used for the first time.
  Channel* channels = nullptr;
  // Bit by bit, the channels that may not be quiet: the others are not looked at for each packet.
  uint64_t busy = 0;

  // The peer is known to know that it is connected; a client always is.
  bool confirmed = false;
  // A keep-alive went out since the last payload to an unconfirmed peer.
  bool preceded = false;
  bool helloAcked = false;
  // The user was told that the peer is there; then it is told when the peer is gone.
  bool announced = false;
  // The user's flush wants everything unsent to go out.
  bool flushing = false;
  // A flush began, and no packet went out since: it may be one that nothing else asks for (R-46,
  //
  bool flushBegun = false;
  // Messages that are due wait for room in the user's ring.
  bool heldUp = false;
  // The user wants every packet's verdict.
  bool watched = false;
  // The host's lists.
  bool inWork = false;
  bool inDirty = false;
  uint32_t openIndex = 0;
  uint32_t helloInFlight = 0;
  // The longest payload that both ends take, once the peer's hello told its.
  uint32_t payloadBytes = 0;
  // Bytes and packets a second toward the peer, as both ends allow; 0 packets for any number.
  uint32_t rateMax = 0;
  uint32_t packetRateMax = 0;

  // When a packet that asks for an ack last went out (µs).
  uint64_t askedUs = 0;
  // When the peer must have said hello (µs).
  uint64_t greetingDueUs = NO_DEADLINE;
  uint64_t heardUs = 0;
  uint64_t timeoutUs = NO_DEADLINE;
  // When anything last went out, and how long it may then be quiet.
  uint64_t spokenUs = 0;
  uint64_t keepAliveUs = KEEP_ALIVE_US;
  // When the last first ride of a message was, and the time between the last two.
  uint64_t streamUs = 0;
  uint64_t streamIntervalUs = NO_DEADLINE;
  uint64_t copyDueUs = NO_DEADLINE;
  // When the end of a burst is probed (µs), and the number of the last probe.
  uint64_t probeDueUs = NO_DEADLINE;
  int64_t probeNumber = NO_NUMBER;
  // What wants to ride found no place in the last packet, and is tried again then (µs).
  uint64_t stalledUntilUs = 0;

  // The number to be left out next, and how many were drawn.
  int64_t omitNumber = 0;
  uint32_t omits = 0;

  Address address;
  Path path;
  uint64_t clientId = 0;
  Pacing pacing;
  Congestion congestion;
  Rtt rtt;
  Sent sent;
  Received received;
  ReplayWindow replay;
  SealKey sendKey;
  SealKey receiveKey;
  Session session;

  // Of which channel (LAYOUT_CHANNELS: of all) the goodbyes say what it is here.
  uint32_t layout = LAYOUT_NONE;
  // The end is not told yet: what the peer says of that channel is waited for.
  bool awaiting = false;

  uint32_t closeReason = 0;
  uint32_t closeTextBytes = 0;
  // Goodbyes still to send, when the next is due, and how many of them carry the reason.
  uint64_t farewellDueUs = 0;
  uint32_t farewells = 0;
  uint32_t farewellsWithReason = 0;
  uint8_t closeText[CLOSE_TEXT_BYTES_MAX] = {};
  uint8_t userData[USER_DATA_BYTES] = {};
};

static_assert(CHANNELS_MAX <= 64, "a bit of `busy` for each");

// Something happened to a channel.
inline void connectionBusy(Connection& connection, uint32_t channel) {
  connection.busy |= uint64_t{1} << channel;
}

// The lowest channel in `left`, a copy of `busy`; takes it out.
inline Channel& connectionNextBusy(const Connection& connection, uint64_t& left) {
  const int index = __builtin_ctzll(left);
  left &= left - 1;
  return connection.channels[index];
}

// Forgets the busy channels that are quiet.
void connectionQuiet(Connection& connection);

// ---- The beginning ----

// Takes the slot into use: NETCODE has connected it. `firstNumber` follows the last number used.
void connectionAssign(Connection& connection, Shared& shared, const uint8_t* sendKey,
                      size_t sendKeyOffset, const uint8_t* receiveKey, size_t receiveKeyOffset,
                      int64_t firstNumber, uint64_t timeoutUs, uint64_t nowUs);

// The peer speaks our protocol: tells the user that it is there.
void connectionOpen(Connection& connection, Shared& shared);

// Writes who the peer is into a record's payload, PEER_RECORD_BYTES long.
void connectionRecord(const Connection& connection, Ring& completion, int32_t word);

// Whether the user's ring has room for what one step of a connection can bring forth.
bool connectionRoom(const Shared& shared);

// ---- What is due ----

// When something wants to go out (µs): 0 for at once, NO_DEADLINE for not before more happens.
uint64_t connectionDueUs(const Connection& connection);

// When connectionAdvance or connectionTransmit has something to do (µs), flushes aside; `dueUs` is
// what connectionDueUs says.
uint64_t connectionDeadlineUs(const Connection& connection, uint64_t dueUs, uint64_t nowUs);

// When what asks for an ack may go out (µs): once the window has room, and now and then without
//
uint64_t connectionOpenUs(const Connection& connection);

// When the connection says something again (µs): sooner while messages wait and acks stay away
//
uint64_t connectionSpeakUs(const Connection& connection);

// When the newest states or their copies may go out though the window has no room (µs): once a
// flush.
uint64_t connectionNewsUs(const Connection& connection);

// Brings the pace up to date with the window and with what both ends allow.
void connectionRates(Connection& connection, uint64_t nowUs);

// Whether a channel has something for a packet now.
bool connectionWants(const Connection& connection);

// How long a message may be overtaken before it is named as missing.
uint64_t connectionNackDelayUs(const Connection& connection);

// Whether a packet may go out now: something is due (connectionDueUs), and number and budget allow
// it.
bool connectionReady(Connection& connection, uint64_t dueUs, uint64_t nowUs);

// A flush has been served as far as it can be now: what stayed unsent is stale.
void connectionFlushed(Connection& connection);

// Brings the peer's row on the page up to date.
void connectionStats(const Connection& connection, uint32_t* page);

}  // namespace netrt

#endif  // NETRT_CORE_CONNECTION_H_
