// What arrived, what was sent, and verdicts: see acks.h.
#include "core/acks.h"

#include "core/timers.h"

namespace netrt {

namespace {

constexpr uint32_t ACK_WORDS = ACK_BITS_MAX / 64;
constexpr int32_t LOSS_WHOLE = 65536;
constexpr int32_t LOSS_SMOOTHING = 32;

// ---- What arrived ----

void clearBits(uint64_t* bits) {
  for (uint32_t index = 0; index < ACK_WORDS; index++) bits[index] = 0;
}

// Moves every bit up by `count`, which is 1 but for gaps.
void shiftBits(uint64_t* bits, uint32_t count) {
  for (; count >= 64; count -= 64) {
    for (uint32_t index = ACK_WORDS - 1; index > 0; index--) bits[index] = bits[index - 1];
    bits[0] = 0;
  }
  if (count == 0) return;
  for (uint32_t index = ACK_WORDS - 1; index > 0; index--) {
    bits[index] = (bits[index] << count) | (bits[index - 1] >> (64 - count));
  }
  bits[0] <<= count;
}

void setBit(uint64_t* bits, uint32_t index) { bits[index >> 6] |= uint64_t{1} << (index & 63); }

// A number above the latest: the field moves on, what was passed over is a gap.
void receivedNewer(Received& received, int64_t number, uint64_t receivedUs) {
  const int64_t step = number - received.latest;
  if (received.latest == NO_NUMBER) {
    clearBits(received.bits);
  } else {
    if (step > static_cast<int64_t>(ACK_BITS_MAX)) {
      clearBits(received.bits);
    } else {
      shiftBits(received.bits, static_cast<uint32_t>(step));
      setBit(received.bits, static_cast<uint32_t>(step - 1));
    }
    received.gaps += static_cast<uint64_t>(step - 1);
  }
  received.latest = number;
  received.latestUs = receivedUs;
}

// A number that was overtaken: a gap less, and the peer must be told of it again.
void receivedOlder(Received& received, int64_t number, int64_t nextNumber) {
  const int64_t index = received.latest - 1 - number;
  if (index >= 0 && index < static_cast<int64_t>(ACK_BITS_MAX)) {
    setBit(received.bits, static_cast<uint32_t>(index));
    if (received.gaps > 0) received.gaps -= 1;
  }
  if (number <= received.floor) received.floor = number - 1;
  received.barrier = nextNumber;
}

}  // namespace

void receivedReset(Received& received) { received = Received(); }

void receivedAdd(Received& received, int64_t number, uint64_t receivedUs, bool eliciting,
                 int64_t nextNumber) {
  if (number > received.latest) {
    receivedNewer(received, number, receivedUs);
  } else {
    receivedOlder(received, number, nextNumber);
  }
  if (eliciting) {
    if (received.owed == 0) received.owedUs = receivedUs;
    received.owed += 1;
  }
}

uint32_t receivedBitBytes(const Received& received) {
  int64_t span = received.latest - 1 - received.floor;
  if (span > static_cast<int64_t>(ACK_BITS_MAX)) span = ACK_BITS_MAX;
  // Below zero when the latest itself is known: there is nothing to tell then.
  for (int64_t bytes = (span + 7) >> 3; bytes > 0; bytes--) {
    if (receivedBitByte(received, static_cast<uint32_t>(bytes - 1)) != 0) {
      return static_cast<uint32_t>(bytes);
    }
  }
  return 0;
}

uint8_t receivedBitByte(const Received& received, uint32_t index) {
  return static_cast<uint8_t>(received.bits[index >> 3] >> ((index & 7) * 8));
}

uint16_t receivedDelay(const Received& received, uint64_t nowUs) {
  const uint64_t heldUs = nowUs > received.latestUs ? nowUs - received.latestUs : 0;
  const uint64_t units = heldUs / ACK_DELAY_UNIT_US;
  return static_cast<uint16_t>(units < ACK_DELAY_UNKNOWN ? units : ACK_DELAY_UNKNOWN);
}

uint64_t receivedDueUs(const Received& received) {
  if (received.owed == 0) return NO_DEADLINE;
  return received.owed >= ACK_OWED_MAX ? 0 : received.owedUs + ACK_HOLD_US;
}

// ---- What was sent ----

namespace {

// A packet of ours that carried acks was acked: what it reported needs no repeating.
void receivedReported(Received& received, int64_t number, int64_t reported) {
  if (number >= received.barrier && reported > received.floor) received.floor = reported;
}

void recordsClear(SentPacket* packets, uint32_t count) {
  for (uint32_t index = 0; index < count; index++) {
    packets[index].number = NO_NUMBER;
    packets[index].carried = nullptr;
  }
}

// Whether an ack may still tell something of a packet, or something is left of what it carried.
bool isOpen(const Sent& sent, const SentPacket& packet, uint64_t nowUs) {
  if (packet.number == NO_NUMBER) return false;
  return packet.number >= sent.verdictNext || packet.carried != nullptr ||
         (packet.state == SENT_LOST && nowUs < packet.sentUs + LATE_MAX_US);
}

// The next number's place must be free: where it isn't, few records don't do.
void recordsGrow(Sent& sent, uint64_t nowUs) {
  if (sent.packets == sent.many || !isOpen(sent, *recordOf(sent, sent.nextNumber), nowUs)) return;
  recordsClear(sent.many, SENT_PACKETS);
  sent.packets = sent.many;
  sent.mask = SENT_PACKETS - 1;
  for (uint32_t index = 0; index < SENT_PACKETS_FEW; index++) {
    const SentPacket& packet = sent.few[index];
    if (packet.number != NO_NUMBER) *recordOf(sent, packet.number) = packet;
  }
}

void landed(Sent& sent, const SentPacket& packet) {
  if (packet.eliciting) sent.flightBytes -= static_cast<uint32_t>(packet.bytes);
}

bool ackNumber(Sent& sent, Received& received, int64_t number, uint64_t receivedUs) {
  if (number < 0) return false;
  SentPacket* packet = recordOf(sent, number);
  if (packet->number != number) return false;
  if (packet->state == SENT_LOST && receivedUs < packet->sentUs + LATE_MAX_US) {
    packet->state = SENT_LATE;
    sent.late += 1;
    if (packet->carried != nullptr) sent.lateHeld += 1;
  } else if (packet->state == SENT_UNDECIDED) {
    packet->state = SENT_ACKED;
    landed(sent, *packet);
  } else {
    return false;
  }
  receivedReported(received, number, packet->reported);
  return true;
}

bool sampleRtt(Rtt& rtt, const SentPacket& packet, uint32_t delay, uint64_t receivedUs) {
  const bool here = packet.number >= rtt.fromNumber;
  if (!packet.eliciting || !here || delay == ACK_DELAY_UNKNOWN) return false;
  const int64_t raw = static_cast<int64_t>(receivedUs) - static_cast<int64_t>(packet.sentUs);
  const int64_t sample = raw - static_cast<int64_t>(delay) * ACK_DELAY_UNIT_US;
  // A peer that claims to have held the packet for longer than it was away is not believed.
  rttSample(rtt, sample > 0 ? sample : raw, receivedUs);
  rttHeld(rtt, uint64_t{delay} * ACK_DELAY_UNIT_US);
  return true;
}

bool isLost(const Sent& sent, const SentPacket& packet, const Rtt& rtt, uint64_t nowUs) {
  const bool overtaken =
      packet.number < sent.ackedLatest &&
      (sent.ackedLatest - packet.number >= static_cast<int64_t>(REORDER_PACKETS) ||
       nowUs >= packet.sentUs + rttReorderUs(rtt));
  // On a steady path the time-out is the shorter of the two. Not to look at it once let it pass at
  // every turn, a back-off each (test/unit/acks.test.ts).
  return overtaken || static_cast<int64_t>(packet.sentUs) <= sent.timedOutUs;
}

// The number has its verdict; what is not lost leaves nothing to settle.
void decided(Sent& sent, uint64_t state) {
  if (state != SENT_LOST && sent.settleNext == sent.verdictNext) sent.settleNext += 1;
  sent.verdictNext += 1;
}

const SentPacket* oldestEliciting(const Sent& sent) {
  if (sent.eliciting == 0) return nullptr;
  for (int64_t number = sent.verdictNext; number < sent.nextNumber; number++) {
    const SentPacket* packet = recordOf(sent, number);
    if (packet->eliciting && packet->state == SENT_UNDECIDED) return packet;
  }
  return nullptr;
}

}  // namespace

void sentOpen(Sent& sent, SentPacket* few, SentPacket* many) {
  sent.few = few;
  sent.many = many;
}

void sentReset(Sent& sent, int64_t nextNumber) {
  SentPacket* few = sent.few;
  SentPacket* many = sent.many;
  sent = Sent();
  sentOpen(sent, few, many);
  recordsClear(few, SENT_PACKETS_FEW);
  sent.packets = few;
  sent.firstNumber = nextNumber;
  sent.nextNumber = nextNumber;
  sent.verdictNext = nextNumber;
  sent.settleNext = nextNumber;
}

uint32_t sentInFlight(const Sent& sent) {
  return static_cast<uint32_t>(sent.nextNumber - sent.verdictNext);
}

bool sentReady(const Sent& sent) { return sentInFlight(sent) < IN_FLIGHT_MAX; }

SentPacket* sentAdd(Sent& sent, uint64_t nowUs, uint32_t bytes, bool eliciting) {
  recordsGrow(sent, nowUs);
  SentPacket* packet = recordOf(sent, sent.nextNumber);
  packet->number = sent.nextNumber;
  packet->sentUs = nowUs;
  packet->bytes = bytes & ((1u << 11) - 1);
  packet->state = SENT_UNDECIDED;
  packet->eliciting = eliciting ? 1 : 0;
  packet->hello = 0;
  packet->reported = NO_NUMBER;
  packet->carried = nullptr;
  sent.nextNumber += 1;
  if (eliciting) sent.eliciting += 1;
  return packet;
}

void sentEliciting(Sent& sent, SentPacket& packet) {
  packet.eliciting = 1;
  sent.eliciting += 1;
  sent.flightBytes += static_cast<uint32_t>(packet.bytes);
}

int64_t sentUnrecorded(Sent& sent) {
  const int64_t number = sent.nextNumber;
  recordsGrow(sent, NO_DEADLINE);
  sent.nextNumber += 1;
  if (sent.verdictNext == number) {
    decided(sent, SENT_OMITTED);
  } else {
    recordOf(sent, number)->number = NO_NUMBER;
    recordOf(sent, number)->carried = nullptr;
  }
  return number;
}

bool sentOmitted(const Sent& sent, int64_t number) {
  const SentPacket* packet = recordOf(sent, number);
  return packet->number == number && packet->state == SENT_OMITTED;
}

int64_t acksLowest(int64_t latest, const uint8_t* bits, size_t bitsOffset, uint32_t bitBytes) {
  if (bitBytes == 0) return latest;
  int64_t index = int64_t{bitBytes} * 8 - 1;
  for (uint32_t last = bits[bitsOffset + bitBytes - 1]; (last & 0x80) == 0; last <<= 1) index -= 1;
  return latest - 1 - index;
}

bool acksReceive(Sent& sent, Received& received, Rtt& rtt, int64_t latest, uint32_t delay,
                 const uint8_t* bits, size_t bitsOffset, uint32_t bitBytes, uint64_t receivedUs) {
  const bool sampled = ackNumber(sent, received, latest, receivedUs) &&
                       sampleRtt(rtt, *recordOf(sent, latest), delay, receivedUs);
  if (latest > sent.ackedLatest) sent.ackedLatest = latest;
  for (uint32_t index = 0; index < bitBytes; index++) {
    const uint32_t byte = bits[bitsOffset + index];
    if (byte == 0) continue;
    for (uint32_t bit = 0; bit < 8; bit++) {
      if ((byte & (1u << bit)) == 0) continue;
      ackNumber(sent, received, latest - 1 - (index * 8 + bit), receivedUs);
    }
  }
  return sampled;
}

SentPacket* acksVerdict(Sent& sent, const Rtt& rtt, uint64_t nowUs) {
  while (sentOmitted(sent, sent.verdictNext)) {
    sent.omitted -= 1;
    decided(sent, SENT_OMITTED);
  }
  if (sent.verdictNext == sent.nextNumber) return nullptr;
  SentPacket* packet = recordOf(sent, sent.verdictNext);
  if (packet->state == SENT_UNDECIDED) {
    if (!isLost(sent, *packet, rtt, nowUs)) return nullptr;
    packet->state = SENT_LOST;
    landed(sent, *packet);
    sent.lost += 1;
  } else {
    sent.acked += 1;
  }
  const int32_t outcome = packet->state == SENT_LOST ? LOSS_WHOLE : 0;
  sent.lossShare += (outcome - sent.lossShare) / LOSS_SMOOTHING;
  if (packet->eliciting) sent.eliciting -= 1;
  decided(sent, packet->state);
  return packet;
}

uint64_t acksTimeoutUs(const Sent& sent, const Rtt& rtt) {
  const SentPacket* oldest = oldestEliciting(sent);
  return oldest == nullptr ? NO_DEADLINE : rttExpiryUs(rtt, oldest->sentUs);
}

uint64_t acksDeadlineUs(const Sent& sent, const Rtt& rtt) {
  const uint64_t timeoutUs = acksTimeoutUs(sent, rtt);
  // The latest acked itself is among them when its verdict found no room in the user's ring.
  if (sent.verdictNext <= sent.ackedLatest) {
    const uint64_t overtakenUs = recordOf(sent, sent.verdictNext)->sentUs + rttReorderUs(rtt);
    return overtakenUs < timeoutUs ? overtakenUs : timeoutUs;
  }
  return timeoutUs;
}

bool acksExpire(Sent& sent, const Rtt& rtt, uint64_t nowUs) {
  const SentPacket* oldest = oldestEliciting(sent);
  if (oldest == nullptr || nowUs < rttExpiryUs(rtt, oldest->sentUs)) return false;
  sent.timedOutUs = static_cast<int64_t>(nowUs - rttExpiryUs(rtt, oldest->sentUs) + oldest->sentUs);
  return !rttBackedOff(rtt, oldest->sentUs);
}

}  // namespace netrt
