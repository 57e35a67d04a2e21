// io/turn: what a turn takes from a socket that never runs empty.
#include "check.h"
#include "core/seal.h"
#include "core/stats.h"
#include "inline.h"
#include "io/turn.h"

using namespace netrt;
using namespace netrt::test;

namespace {

constexpr uint32_t BATCHES = 3;

// Fills a server's socket with datagrams of nobody.
bool flood(Inline& server) {
  const std::unique_ptr<End> stranger = makeEnd();
  if (stranger->open(loopbackV4(0)).error != 0) return false;
  for (uint32_t batch = 0; batch < BATCHES; batch++) {
    while (stranger->add(loopbackV4(server.port()), 20, batch)) continue;
    if (sendBatch(stranger->socket, stranger->out) != BatchResult::DONE) return false;
    sendBatchClear(stranger->out);
  }
  return true;
}

}  // namespace

TEST(turnTakesWhatThereIsWithinItsTime) {
  if (sealInit() == nullptr) return;
  Inline server;
  NEED(server.open(ROLE_SERVER, 1, 1));
  NEED(flood(server));
  const SocketStats& stats = server.engine->socket.stats;
  // A turn whose time is over with the first batch, whatever else there is.
  server.engine->receiveUsMax = 0;
  for (uint32_t batch = 1; batch <= BATCHES; batch++) {
    CHECK_EQUAL(server.turn(TURN_RECEIVE), TURNED_MORE);
    CHECK_EQUAL(stats.receivedDatagrams, uint64_t{batch} * BATCH_DATAGRAMS);
  }
  CHECK_EQUAL(server.turn(TURN_RECEIVE), 0u);
  // And one that has time takes all.
  NEED(flood(server));
  server.engine->receiveUsMax = 60000000;
  CHECK_EQUAL(server.turn(TURN_RECEIVE), 0u);
  CHECK_EQUAL(stats.receivedDatagrams, uint64_t{BATCHES} * 2 * BATCH_DATAGRAMS);
}
