// peer: the other end of a host under test, with keys of its own: it says whatever the fuzzer
// wants, sealed so that it opens, and checks what it hears. It speaks as a client to a server, and
// as a server to a client.
//
// Everything that it says passes the seal; what is inside is as wrong as can be.
#ifndef NETRT_TEST_FUZZ_PEER_H_
#define NETRT_TEST_FUZZ_PEER_H_

#include <cstddef>
#include <cstdint>

#include "core/packet.h"
#include "core/seal.h"
#include "core/token.h"
#include "machine.h"

namespace netrt::fuzz {

constexpr uint32_t PEERS = 8;
constexpr size_t SENT_MAX = 1024;
constexpr size_t HEARD_MAX = 1024;

// What never changes about a peer: its token and its keys. Made once.
struct Identity {
  bool made = false;
  bool ipv6 = false;
  PrivateToken secret;
  ConnectToken open;
  uint8_t plain[TOKEN_PRIVATE_BYTES];
  uint8_t token[TOKEN_PUBLIC_BYTES];
  uint8_t request[REQUEST_BYTES];
  SealKey clientToServer;
  SealKey serverToClient;
};

struct Peer {
  Identity* identity = nullptr;
  Address address;
  // The packet number of its next packet.
  uint64_t nextNumber = 0;
  // Numbers that it has used.
  uint64_t sent[SENT_MAX];
  uint32_t sentCount = 0;
  // Numbers that it has heard from the first on, and the highest.
  bool heard[HEARD_MAX];
  int64_t first = -1;
  int64_t latest = -1;
  bool hasChallenge = false;
  uint8_t challenge[CHALLENGE_BODY_BYTES];
  bool accepted = false;
  // Its session: it stays under the token's keys, it said hello, and it has keys from the host's.
  bool keepsToken = false;
  bool greeted = false;
  bool derived = false;
  uint8_t hostKey[KEY_BYTES];
  SealKey sendKey;
  SealKey receiveKey;
  uint64_t sendEpoch = 0;
  // There is another token with its keys, which no backend makes: numbers begin again.
  bool forged = false;
  // The last datagram that it sent.
  uint8_t last[PACKET_BYTES_MAX];
  size_t lastBytes = 0;
};

// A peer of this world. The server of a client under test has the index 0.
void peerOpen(Peer& peer, const Profile& profile, uint32_t index);

Identity& identityOf(const Profile& profile, uint32_t index);

// Writes a private token, sealed as the backend does it, into a request. `plain` is sealed in
// place.
void requestSeal(const Identity& identity, uint8_t* plain, uint8_t* request);

// The client starts anew with its token and knows nothing of what was before.
void peerRestart(Peer& peer);

// A datagram came from the host under test.
void peerHear(Peer& peer, const Machine& machine, const uint8_t* bytes, size_t length);

// Sends a packet of this type with this number and body, sealed.
void peerSend(Peer& peer, Machine& machine, uint8_t type, uint64_t number, const uint8_t* body,
              size_t bytes);
// Sends bytes as they are.
void peerSendBytes(Peer& peer, Machine& machine, const uint8_t* bytes, size_t length);

// What a user of this peer heard is forgotten, or remembered.
void peerForget(Peer& peer, bool forgets);
// The truth about what it has heard, as an ack header at `out`; its bytes.
size_t peerAcks(const Peer& peer, uint8_t* out);
// A hello that the host agrees with, at `out`; its bytes.
// `payloadBytes`: the longest payload that it says it takes.
size_t peerHello(const Machine& machine, uint8_t* out, uint32_t payloadBytes = PAYLOAD_BYTES_MAX);

// What a fuzzer chooses about a payload beside its frames.
struct Payload {
  // 0: acks that tell the truth. Else: the frames bring their own.
  bool bare;
  uint8_t numbering;
  const uint8_t* frames;
  size_t bytes;
};

// Sends acks and frames. `numbering`: 0 the next number; 1 to 7 so many are left out; 8 to 15 a
// number from before.
void peerPayload(Peer& peer, Machine& machine, const Payload& payload);

// The number that `numbering` means; takes it.
uint64_t peerNumber(Peer& peer, uint8_t numbering);

}  // namespace netrt::fuzz

#endif  // NETRT_TEST_FUZZ_PEER_H_
