// The two state machines: see state.h.
#include "core/state.h"

#include <cstddef>

namespace netrt {

namespace {

template <size_t ROWS>
int32_t lookUp(const int8_t (&table)[ROWS][3], int32_t state, int32_t event) {
  for (const int8_t(&row)[3] : table) {
    if (row[0] == state && row[1] == event) return row[2];
  }
  return state;
}

}  // namespace

int32_t clientNext(int32_t state, int32_t event) { return lookUp(CLIENT_TABLE, state, event); }

int32_t connectionNext(int32_t state, int32_t event) {
  return lookUp(CONNECTION_TABLE, state, event);
}

}  // namespace netrt
