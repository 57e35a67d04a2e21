// The end of a connection: see ending.h.
#include "core/ending.h"

#include <algorithm>
#include <cstring>

#include "core/delivery.h"
#include "core/repair.h"
#include "core/settle.h"
#include "core/stats.h"

namespace netrt {

namespace {

constexpr uint8_t NO_TEXT[1] = {};

void releaseCarried(Connection& connection, Shared& shared);

// Who was refused, and why; also of peers that the user never heard of.
void mismatchReport(const Connection& connection, Shared& shared, bool local, const uint8_t* layout,
                    size_t offset, uint32_t bytes) {
  Ring& completion = shared.outlet->completion;
  const uint32_t textBytes = connection.closeTextBytes;
  const uint32_t payloadBytes = PEER_RECORD_BYTES + textBytes + bytes;
  const int32_t word = ringPush(completion, RECORD_MISMATCH, payloadBytes);
  if (word == NO_ROOM) return;
  uint32_t* words = completion.words + word;
  words[1] = connection.handle;
  words[2] = connection.layout;
  words[4] = textBytes;
  words[5] = local ? 1 : 0;
  connectionRecord(connection, completion, word);
  uint8_t* start = reinterpret_cast<uint8_t*>(words) + RECORD_BYTES + PEER_RECORD_BYTES;
  std::memcpy(start, connection.closeText, textBytes);
  if (bytes > 0) std::memcpy(start + textBytes, layout + offset, bytes);
}

void endReport(Connection& connection, Shared& shared, bool local) {
  if (!connection.announced) return;
  connection.announced = false;
  Ring& completion = shared.outlet->completion;
  const int32_t word = ringPush(completion, RECORD_DISCONNECT, connection.closeTextBytes);
  if (word == NO_ROOM) return;
  uint32_t* words = completion.words + word;
  words[1] = connection.handle;
  words[2] = 0;
  words[4] = connection.closeReason;
  words[5] = local ? 1 : 0;
  std::memcpy(words + RECORD_WORDS, connection.closeText, connection.closeTextBytes);
}

void report(Connection& connection, Shared& shared, bool local) {
  if (connection.closeReason == REASON_MISMATCH) {
    mismatchReport(connection, shared, local, NO_TEXT, 0, 0);
  }
  endReport(connection, shared, local);
}

// Fates first, then the end; nothing after it.
void endChannels(Connection& connection, Shared& shared) {
  for (uint32_t index = 0; index < connection.channelCount; index++) {
    channelDrop(connection.channels[index], *shared.outlet, connection.handle);
    deliveryDrop(connection.channels[index], *shared.outlet);
  }
}

void setReason(Connection& connection, uint32_t reason, const uint8_t* text, size_t offset,
               uint32_t bytes) {
  connection.closeReason = reason;
  connection.closeTextBytes = std::min(bytes, static_cast<uint32_t>(CLOSE_TEXT_BYTES_MAX));
  // The text of a drain that has come to its end is the connection's own.
  std::memmove(connection.closeText, text + offset, connection.closeTextBytes);
}

}  // namespace

void connectionClose(Connection& connection, Shared& shared, uint32_t reason, const uint8_t* text,
                     size_t offset, uint32_t bytes, uint64_t nowUs) {
  if (connection.state == CONNECTION_FREE || connection.state == CONNECTION_CLOSING) return;
  setReason(connection, reason, text, offset, bytes);
  endChannels(connection, shared);
  connection.awaiting = connection.layout != LAYOUT_NONE;
  if (!connection.awaiting) report(connection, shared, true);
  connection.state = connectionNext(connection.state, CONNECTION_EVENT_CLOSE);
  connection.farewells = FAREWELL_PACKETS;
  connection.farewellsWithReason = shared.config->raw ? 0 : FAREWELL_PACKETS - 2;
  connection.farewellDueUs = nowUs;
}

void connectionDrain(Connection& connection, Shared& shared, uint32_t reason, const uint8_t* text,
                     size_t offset, uint32_t bytes, uint64_t nowUs) {
  const int32_t next = connectionNext(connection.state, CONNECTION_EVENT_DRAIN);
  if (next == CONNECTION_CLOSING) {
    connectionClose(connection, shared, reason, text, offset, bytes, nowUs);
  } else if (next == CONNECTION_DRAINING && connection.state != CONNECTION_DRAINING) {
    setReason(connection, reason, text, offset, bytes);
    connection.state = next;
    connection.flushing = true;
    connectionDrained(connection, shared, nowUs);
  }
}

void connectionPeerClosed(Connection& connection, Shared& shared, uint32_t reason,
                          const uint8_t* text, size_t offset, uint32_t bytes, uint64_t nowUs) {
  setReason(connection, reason, text, offset, bytes);
  endChannels(connection, shared);
  report(connection, shared, false);
  connection.state = connectionNext(connection.state, CONNECTION_EVENT_PEER_CLOSE);
  connection.farewells = FAREWELL_ANSWERS;
  connection.farewellsWithReason = 0;
  connection.farewellDueUs = nowUs;
}

void connectionTold(Connection& connection, Shared& shared, const uint8_t* layout, size_t offset,
                    uint32_t bytes) {
  if (!connection.awaiting) return;
  connection.awaiting = false;
  mismatchReport(connection, shared, true, layout, offset, bytes);
  endReport(connection, shared, true);
}

void connectionDone(Connection& connection, Shared& shared, uint32_t reason) {
  if (connection.state != CONNECTION_CLOSING) {
    connection.closeReason = reason;
    connection.closeTextBytes = 0;
    endChannels(connection, shared);
    report(connection, shared, false);
  }
  connectionTold(connection, shared, NO_TEXT, 0, 0);
  connection.state = connectionNext(connection.state, CONNECTION_EVENT_DONE);
  releaseCarried(connection, shared);
  sealKeyClear(connection.sendKey);
  sealKeyClear(connection.receiveKey);
  sessionClear(connection.session);
  shared.outlet->page[statsPeerWord(connection.slot) + PEER_HANDLE] = 0;
}

namespace {

// Forgets what packets carried; their messages have had their fate.
void releaseCarried(Connection& connection, Shared& shared) {
  const int64_t end = connection.sent.nextNumber;
  for (int64_t number = connection.sent.settleNext; number < end; number++) {
    Carried* carried = settleTake(connection.sent, number);
    while (carried != nullptr) {
      Carried* next = carried->next;
      if (carried->message != nullptr) channelForget(*shared.outlet, *carried->message);
      carriedRelease(shared.outlet->pool, carried);
      carried = next;
    }
  }
}

}  // namespace

void connectionDrained(Connection& connection, Shared& shared, uint64_t nowUs) {
  if (connection.state != CONNECTION_DRAINING) return;
  for (uint32_t index = 0; index < connection.channelCount; index++) {
    const Channel& channel = connection.channels[index];
    if (channel.first != nullptr || channel.blockFirst != nullptr || channel.holeFirst != NO_ID)
      return;
  }
  connectionClose(connection, shared, connection.closeReason, connection.closeText, 0,
                  connection.closeTextBytes, nowUs);
}

void connectionBroken(Connection& connection, Shared& shared, uint64_t nowUs) {
  for (uint64_t left = connection.busy; left != 0;) {
    if (connectionNextBusy(connection, left).broken) {
      connectionClose(connection, shared, REASON_UNDELIVERED, NO_TEXT, 0, 0, nowUs);
      return;
    }
  }
}

}  // namespace netrt
