// From a hash to indices: see table.h.
#include "core/table.h"

#include <cstdlib>
#include <cstring>

namespace netrt {

namespace {

constexpr uint32_t BUCKETS_MIN = 16;

uint32_t matching(const Table& table, uint32_t index, uint32_t hash) {
  while (index != NO_INDEX && table.hashes[index] != hash) index = table.next[index];
  return index;
}

}  // namespace

bool tableOpen(Table& table, uint32_t capacity) {
  uint32_t size = BUCKETS_MIN;
  while (size < capacity) size *= 2;
  table.buckets = static_cast<uint32_t*>(malloc(size * sizeof(uint32_t)));
  table.next = static_cast<uint32_t*>(calloc(capacity + 1, sizeof(uint32_t)));
  table.hashes = static_cast<uint32_t*>(calloc(capacity + 1, sizeof(uint32_t)));
  if (table.buckets == nullptr || table.next == nullptr || table.hashes == nullptr) {
    tableClose(table);
    return false;
  }
  memset(table.buckets, 0xff, size * sizeof(uint32_t));
  table.mask = size - 1;
  return true;
}

void tableClose(Table& table) {
  free(table.buckets);
  free(table.next);
  free(table.hashes);
  table = Table();
}

void tableInsert(Table& table, uint32_t hash, uint32_t index) {
  const uint32_t bucket = hash & table.mask;
  table.hashes[index] = hash;
  table.next[index] = table.buckets[bucket];
  table.buckets[bucket] = index;
}

void tableRemove(Table& table, uint32_t index) {
  const uint32_t bucket = table.hashes[index] & table.mask;
  uint32_t current = table.buckets[bucket];
  if (current == index) {
    table.buckets[bucket] = table.next[index];
  } else {
    while (current != NO_INDEX && table.next[current] != index) current = table.next[current];
    if (current == NO_INDEX) return;
    table.next[current] = table.next[index];
  }
  table.next[index] = NO_INDEX;
}

uint32_t tableFirst(const Table& table, uint32_t hash) {
  return matching(table, table.buckets[hash & table.mask], hash);
}

uint32_t tableNext(const Table& table, uint32_t index) {
  return matching(table, table.next[index], table.hashes[index]);
}

}  // namespace netrt
