// A new way to the peer: see move.h.
#include "core/move.h"

#include "core/congestion.h"
#include "core/pacing.h"
#include "core/path.h"
#include "core/rtt.h"
#include "core/stats.h"

namespace netrt {

void connectionMoved(Connection& connection, const Shared& shared, uint64_t nowUs) {
  const Sent& sent = connection.sent;
  rttReset(connection.rtt);
  connection.rtt.fromNumber = sent.nextNumber;
  congestionReset(connection.congestion, shared.config->congestion, nowUs);
  connection.congestion.roundAcked = sent.acked;
  connection.congestion.roundLost = sent.lost;
  connection.path.strayed = 0;
  shared.outlet->page[statsPeerWord(connection.slot) + PEER_MOVES] += 1;
  pacingReset(connection.pacing, connection.rateMax, nowUs);
  connectionRates(connection, nowUs);
}

bool connectionProof(Connection& connection, const Shared& shared, bool asked, const uint8_t* bytes,
                     size_t offset, uint64_t nowUs) {
  Path& path = connection.path;
  const bool isServer = shared.config->role == ROLE_SERVER;
  if (isServer == asked) return false;
  if (isServer) {
    pathAnswered(path, bytes, offset);
  } else if (pathChallenged(path, connection.rtt, bytes, offset)) {
    connectionMoved(connection, shared, nowUs);
  }
  return true;
}

}  // namespace netrt
