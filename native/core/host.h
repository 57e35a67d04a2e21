// Owns many connections behind one socket: opening, deadlines, and fair transmission, which is the
// order in which connections send.
// Never touches a socket or a clock, never scans all slots: whatever it does costs as much
// as there is work. The verbs of a turn, in order: hostSubmit (submit: the user's messages),
// hostReceive (demux: one datagram), hostAdvance (time), hostFlush (everything unsent may go),
// hostTransmit (until it answers 0), hostPublish. The state that they share is slots'.
#ifndef NETRT_CORE_HOST_H_
#define NETRT_CORE_HOST_H_

#include <cstddef>
#include <cstdint>

#include "core/address.h"
#include "core/demux.h"
#include "core/limits.h"
#include "core/slots.h"
#include "core/submit.h"

namespace netrt {

// Bytes from one packet of a batch to the next.
constexpr size_t BATCH_STRIDE = 1280;

static_assert(BATCH_STRIDE >= PACKET_BYTES_MAX && BATCH_STRIDE % 64 == 0, "whole cache lines");

// Datagrams on their way out: the host fills it, io sends it.
struct Batch {
  uint8_t bytes[BATCH_PACKETS * BATCH_STRIDE];
  uint32_t lengths[BATCH_PACKETS];
  Address addresses[BATCH_PACKETS];
  uint32_t count = 0;
};

// Opens a host over rings and a page (statsWords(peersMax) words) whose memory the user owns.
// `words` are CONFIG_WORDS, `privateKey` KEY_BYTES, `entropy` ENTROPY_BYTES; they are copied. All
// memory is taken here. False when there is none, or no cipher: then nothing is left open.
bool hostOpen(Host& host, const uint32_t* words, uint32_t* page, const uint8_t* privateKey,
              const uint8_t* entropy, uint8_t* submission, size_t submissionBytes,
              uint8_t* completion, size_t completionBytes);

// Forgets every key and gives the memory back. Says no goodbyes: closing peers comes before.
void hostClose(Host& host);

// Starts a client's way to the servers of its token, TOKEN_PUBLIC_BYTES long.
void hostConnect(Host& host, const uint8_t* token, uint64_t nowUs);

// ---- Time ----

// Does what is due; stops while the user's ring is full, and goes on in a later turn.
void hostAdvance(Host& host, uint64_t nowUs);

// When the host has something to do without a datagram or a submission (µs).
uint64_t hostDeadlineUs(const Host& host);

// Everything that the user has sent so far may go out now.
void hostFlush(Host& host);

// ---- The way out ----

// Fills a batch with what is due; how many datagrams it holds then. Call again until 0.
uint32_t hostTransmit(Host& host, uint64_t nowUs, Batch& batch);

// Makes what the turn brought forth visible to the user.
void hostPublish(Host& host);

}  // namespace netrt

#endif  // NETRT_CORE_HOST_H_
