// Owns the state of a host: its connections, the tables that find them, who has work, and every
// list that a slot can be in. Never receives or sends anything: the verbs of demux, submit and host
// do, and come here to find, take and settle connections. Invariants: a slot in use is in the
// client table, and in the address table until another's peer proved to be at its address; a
// connection with something due is in the work list or has a deadline. All memory is taken by
// slotsOpen; only the cipher contexts of a slot are opened at its first use, and then kept, because
// OpenSSL's cost half a kilobyte each, which thousands of idle slots should not.
#ifndef NETRT_CORE_SLOTS_H_
#define NETRT_CORE_SLOTS_H_

#include <cstddef>
#include <cstdint>

#include "core/address.h"
#include "core/channel.h"
#include "core/client.h"
#include "core/config.h"
#include "core/connection.h"
#include "core/handshake.h"
#include "core/limits.h"
#include "core/packet.h"
#include "core/ring.h"
#include "core/seal.h"
#include "core/table.h"
#include "core/timers.h"

namespace netrt {

// Not copied or moved while it is open: its parts point at each other.
struct Host {
  // Prefix, 8 bytes of sequence, challenge body, tag: less than the request that it answers.
  static constexpr size_t REPLY_BYTES = 1 + 8 + CHALLENGE_BODY_BYTES + TAG_BYTES;

  // A challenge or refusal that waits to be sent.
  struct Reply {
    Address address;
    uint8_t bytes[REPLY_BYTES];
    uint32_t length;
  };

  HostConfig config;
  Outlet outlet;
  Shared shared;
  Ring submission;
  uint32_t* page = nullptr;
  // `config.peersMax` of each; a connection is made when its slot is first used.
  Connection* connections = nullptr;
  Channel* channels = nullptr;
  SentPacket* packetsFew = nullptr;
  SentPacket* packets = nullptr;
  uint32_t* free = nullptr;
  uint32_t freeCount = 0;
  uint32_t openCount = 0;
  uint32_t* open = nullptr;
  Table addressTable;
  Table clientTable;
  Table pathTable;
  Timers timers;
  Handshake handshake;
  Client client;
  SealKey clientKey;
  SealKey scratchKey;
  PacketHeader header;
  uint8_t associated[PACKET_ASSOCIATED_BYTES] = {};
  Reply* replies = nullptr;
  uint32_t replyFirst = 0;
  uint32_t replyCount = 0;
  // Slots with something due, served in turn.
  uint32_t* work = nullptr;
  uint32_t workFirst = 0;
  uint32_t workCount = 0;
  // Slots with messages that wait for a flush.
  uint32_t* dirty = nullptr;
  uint32_t dirtyCount = 0;
  uint64_t nowUs = 0;
  // The first packet number of every connection.
  int64_t firstNumber = 0;
};

// Takes all memory; false when there is none (slotsClose gives back what it took).
bool slotsOpen(Host& host, const uint32_t* words, uint32_t* page, const uint8_t* privateKey,
               const uint8_t* entropy);

// Forgets every key and gives the memory back.
void slotsClose(Host& host);

void hostCount(Host& host, uint32_t counter, uint32_t amount);

void hostReject(Host& host, int reason);

void hostReportState(Host& host);

// ---- Slots ----

// The connection at an address, or null.
Connection* slotAtAddress(const Host& host, const Address& address);

// The connection of a client id, or null.
Connection* slotOfClient(const Host& host, uint64_t clientId);

// The connection with a path's id, or null.
Connection* slotOfPath(const Host& host, uint64_t path);

// The connection that a handle means, or null when that connection is over.
Connection* hostFind(const Host& host, uint32_t handle);

// Takes a free slot, of which there is one; null when its cipher contexts could not be opened.
Connection* slotOccupy(Host& host, const Address& address, uint64_t clientId);

// From now on the connection is found by its path's id, too.
void slotList(Host& host, Connection& connection);

// The peer proved to be at this address. Whoever else was there is not any more: found by its
// path's id alone, until it proves where it is.
void slotMove(Host& host, Connection& connection, const Address& address);

// After anything happened to a connection: is it over, is something due, when is the next deadline?
void slotSettle(Host& host, Connection& connection, uint64_t nowUs);

// A connection has nothing to send until its next deadline; `dueUs` is what connectionDueUs says.
void slotRest(Host& host, Connection& connection, uint64_t dueUs, uint64_t nowUs);

void slotWork(Host& host, Connection& connection);

}  // namespace netrt

#endif  // NETRT_CORE_SLOTS_H_
