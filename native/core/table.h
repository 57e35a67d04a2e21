// Owns chains from a hash to the indices that have it, in expected constant time.
// Never stores or compares keys: the caller walks tableFirst, tableNext and compares. The hashes
// are keyed, so chains can't be grown on purpose.
// Invariant: an index is in at most one chain.
#ifndef NETRT_CORE_TABLE_H_
#define NETRT_CORE_TABLE_H_

#include <cstdint>

namespace netrt {

constexpr uint32_t NO_INDEX = 0xffffffff;

struct Table {
  uint32_t* buckets = nullptr;
  uint32_t* next = nullptr;
  uint32_t* hashes = nullptr;
  uint32_t mask = 0;
};

// Takes the memory for indices below `capacity`; false when there is none.
bool tableOpen(Table& table, uint32_t capacity);
void tableClose(Table& table);

void tableInsert(Table& table, uint32_t hash, uint32_t index);
void tableRemove(Table& table, uint32_t index);

// The first index with this hash, or NO_INDEX.
uint32_t tableFirst(const Table& table, uint32_t hash);

// The index with the same hash behind `index`, or NO_INDEX.
uint32_t tableNext(const Table& table, uint32_t index);

}  // namespace netrt

#endif  // NETRT_CORE_TABLE_H_
