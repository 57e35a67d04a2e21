// Owns a NETCODE client's way to a slot: its state, requests, the answer to the challenge, the
// server of the token's list that it is trying, and the token.
// Never owns the connection that comes of it, never reads a clock.
// Invariants: a state changes only by the table of `state`; the whole attempt ends with the token's
// lifetime, counted from the start on this side's clock.
#ifndef NETRT_CORE_CLIENT_H_
#define NETRT_CORE_CLIENT_H_

#include <cstddef>
#include <cstdint>

#include "core/address.h"
#include "core/config.h"
#include "core/limits.h"
#include "core/seal.h"
#include "core/state.h"
#include "core/timers.h"
#include "core/token.h"

namespace netrt {

struct Client {
  int32_t state = CLIENT_DISCONNECTED;
  // The server of the token's list that is being tried.
  uint32_t serverIndex = 0;
  ConnectToken token;
  uint8_t challenge[CHALLENGE_BODY_BYTES] = {};
  // When the token's lifetime, counted from the start, is over (µs).
  uint64_t expiresUs = NO_DEADLINE;
  // The last packet from the server, or the start of this state (µs).
  uint64_t heardUs = 0;
  uint64_t nextSendUs = 0;
  // Packet number of the next response; the connection goes on from there.
  int64_t nextNumber = 0;
  uint8_t associated[PACKET_ASSOCIATED_BYTES] = {};
};

// Starts with the first server of the token, TOKEN_PUBLIC_BYTES long. The state tells whether the
// token was any good.
void clientStart(Client& client, const uint8_t* token, uint64_t nowUs);

// The address of the server that is being tried.
const Address& clientServer(const Client& client);

bool clientHears(const Client& client, const Address& address);

void clientDenied(Client& client, uint64_t nowUs);

// Takes a challenge; another one while responding only shows that the server lives.
void clientChallenged(Client& client, const uint8_t* bytes, size_t offset, uint64_t nowUs);

// True when this keep-alive gave the client its slot.
bool clientAccepted(Client& client);

// Time-outs of the way in; the connection watches itself once there is one.
void clientAdvance(Client& client, uint64_t nowUs);

// When clientAdvance or clientTransmit has something to do (µs).
uint64_t clientDeadlineUs(const Client& client);

// Writes the request or response that is due; its bytes, or 0.
size_t clientTransmit(Client& client, const HostConfig& config, SealKey& key, uint64_t nowUs,
                      uint8_t* out, size_t offset);

}  // namespace netrt

#endif  // NETRT_CORE_CLIENT_H_
