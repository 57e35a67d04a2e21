// Owns which packets arrived, on both ends, and the one verdict that each packet gets: the received
// numbers (latest and 256 before it), the records of sent packets, and the rule that decides a
// packet lost. Verdicts are asked for (acksVerdict), in the order of packet numbers, exactly
// one each.
// Never retransmits: a packet goes out once.
// Invariants: settleNext <= verdictNext <= nextNumber <= verdictNext + SENT_PACKETS - ACK_BITS_MAX;
// a record behind verdictNext stays for as long as a late ack may still correct it: SENT_PACKETS
// packets and LATE_MAX_US. A connection that needs no more keeps SENT_PACKETS_FEW records, so that
// thousands of quiet ones fit into memory. Numbers are signed here: none of them passes
// SEQUENCE_MAX, and NO_NUMBER is below them all.
#ifndef NETRT_CORE_ACKS_H_
#define NETRT_CORE_ACKS_H_

#include <cstddef>
#include <cstdint>

#include "core/limits.h"
#include "core/queue.h"
#include "core/rtt.h"

namespace netrt {

constexpr int64_t NO_NUMBER = -1;

// ---- What arrived ----

struct Received {
  // The highest number received, or NO_NUMBER.
  int64_t latest = NO_NUMBER;
  uint64_t latestUs = 0;
  // Bit i of the whole: latest - 1 - i arrived. Word 0 holds the nearest 64.
  uint64_t bits[ACK_BITS_MAX / 64] = {};
  // When the oldest of the owed arrived (µs).
  uint64_t owedUs = 0;
  // The peer is known to know about every number up to here.
  int64_t floor = NO_NUMBER;
  // Acks of packets before this number of ours say nothing about a number that arrived late.
  int64_t barrier = 0;
  uint64_t gaps = 0;
  // Packets that ask for an ack and got none yet.
  uint32_t owed = 0;
};

void receivedReset(Received& received);

// Takes note of a packet that passed the seal. `nextNumber` is our own next packet number.
void receivedAdd(Received& received, int64_t number, uint64_t receivedUs, bool eliciting,
                 int64_t nextNumber);

// How many bitfield bytes an ack must carry now: down to the floor, without empty ones at
// the end.
uint32_t receivedBitBytes(const Received& received);

// Eight bits of the field: index 0 tells about latest - 1 … latest - 8.
uint8_t receivedBitByte(const Received& received, uint32_t index);

// The time since the latest packet came, in ACK_DELAY_UNIT_US, saturating at "unknown".
uint16_t receivedDelay(const Received& received, uint64_t nowUs);

// When an ack must go out at the latest (µs): 0 for at once, NO_DEADLINE when none is owed.
uint64_t receivedDueUs(const Received& received);

// ---- What was sent ----

constexpr uint32_t SENT_UNDECIDED = 0;
constexpr uint32_t SENT_ACKED = 1;
constexpr uint32_t SENT_LOST = 2;
// Lost by verdict, then acked after all.
constexpr uint32_t SENT_LATE = 3;
// Left out: no packet has the number.
constexpr uint32_t SENT_OMITTED = 4;

// There are SENT_PACKETS of them for each connection, so fields share words: our own numbers and
// times stay below 2^52 for a century, a peer's number (`reported`) may be any up to SEQUENCE_MAX.
struct SentPacket {
  int64_t number : 53;
  uint64_t bytes : 11;
  uint64_t sentUs : 53;
  uint64_t state : 3;
  uint64_t eliciting : 1;
  uint64_t hello : 1;
  // received.latest when it was sent.
  int64_t reported;
  Carried* carried;
};

static_assert(PACKET_BYTES_MAX < 1 << 11, "eleven bits hold a packet's bytes");
static_assert(sizeof(SentPacket) <= 32, "two records in a cache line");

struct Sent {
  // The records, the one of a number at its remainder: `few`, or `many` once those don't do.
  SentPacket* packets = nullptr;
  uint32_t mask = SENT_PACKETS_FEW - 1;
  SentPacket* few = nullptr;
  SentPacket* many = nullptr;
  // The number that the connection began with; lower ones were never sent in it.
  int64_t firstNumber = 0;
  // The number that the next packet gets.
  int64_t nextNumber = 0;
  // The oldest number without a verdict.
  int64_t verdictNext = 0;
  // No lower number has something left of what it carried (settle).
  int64_t settleNext = 0;
  // The highest number acked, or NO_NUMBER.
  int64_t ackedLatest = NO_NUMBER;
  // The highest number left out, or NO_NUMBER.
  int64_t omittedLatest = NO_NUMBER;
  // How many were left out among those without a verdict.
  uint32_t omitted = 0;
  // Time-outs declare packets lost that were sent until then (µs).
  int64_t timedOutUs = -1;
  uint32_t eliciting = 0;
  // These three count modulo 2^32, as the page of counters shows them.
  uint32_t acked = 0;
  uint32_t lost = 0;
  uint32_t late = 0;
  // Packets that were acked late and still have what they carried.
  uint32_t lateHeld = 0;
  // Share of packets lost of late, in 65536ths: a moving average over some 32 verdicts.
  int32_t lossShare = 0;
  // Bytes of packets that ask for an ack and have none yet, nor count as lost.
  uint32_t flightBytes = 0;
};

// Where the record of a number stands, while it has one.
inline SentPacket* recordOf(const Sent& sent, int64_t number) {
  return sent.packets + (static_cast<uint64_t>(number) & sent.mask);
}

// Takes memory for SENT_PACKETS_FEW and for SENT_PACKETS records, which stays the caller's.
// sentReset comes before use: here nothing is written, so that memory that is never used is none.
void sentOpen(Sent& sent, SentPacket* few, SentPacket* many);

// Starts over; numbers below `nextNumber` were used for packets that are never acked.
void sentReset(Sent& sent, int64_t nextNumber);

// Packets without a verdict.
uint32_t sentInFlight(const Sent& sent);

// Whether another packet may go out: a number without a verdict needs its record.
bool sentReady(const Sent& sent);

// The record for the next packet number, which it takes. Only while sentReady.
SentPacket* sentAdd(Sent& sent, uint64_t nowUs, uint32_t bytes, bool eliciting);

// The packet turned out to have something to lose: it asks for an ack.
void sentEliciting(Sent& sent, SentPacket& packet);

// Takes a number for a packet that is never acked: a goodbye, a bare NETCODE packet.
int64_t sentUnrecorded(Sent& sent);

// Whether a number was left out, as far as records reach.
bool sentOmitted(const Sent& sent, int64_t number);

// The lowest number that an ack of `latest` tells of; below 0 there is none. The bitfield's
// last byte is not 0.
int64_t acksLowest(int64_t latest, const uint8_t* bits, size_t bitsOffset, uint32_t bitBytes);

// Takes the acks of one packet: `latest` and, for bit i of `bits`, latest - 1 - i.
// The caller has made sure that all of it was sent. An RTT sample is taken when the
// latest is newly acked, asked for an ack, and the peer told how long it held it: then true.
bool acksReceive(Sent& sent, Received& received, Rtt& rtt, int64_t latest, uint32_t delay,
                 const uint8_t* bits, size_t bitsOffset, uint32_t bitBytes, uint64_t receivedUs);

// The next packet that has its verdict now, in the order of numbers, or null.
// Its state is SENT_ACKED or SENT_LOST; what it carried is the caller's to take.
SentPacket* acksVerdict(Sent& sent, const Rtt& rtt, uint64_t nowUs);

// The time-out of the oldest packet that asked for an ack (µs), or NO_DEADLINE.
uint64_t acksTimeoutUs(const Sent& sent, const Rtt& rtt);

// When acksVerdict or a time-out may have news without another ack (µs), or NO_DEADLINE.
uint64_t acksDeadlineUs(const Sent& sent, const Rtt& rtt);

// Declares lost what is past its time-out; true when it was sent since the last one (the caller
// backs off).
bool acksExpire(Sent& sent, const Rtt& rtt, uint64_t nowUs);

}  // namespace netrt

#endif  // NETRT_CORE_ACKS_H_
