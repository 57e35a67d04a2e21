// Owns a peer's address as the core keeps it (integers, no text) and its NETCODE encoding.
// Never resolves, parses or prints an address; lib/address.ts does.
// Invariants: an IPv4 address has its four bytes in `a`, first byte highest, and b = c = d = 0; an
// IPv6 address has its sixteen bytes in a to d the same way; so equality is equality of all fields.
#ifndef NETRT_CORE_ADDRESS_H_
#define NETRT_CORE_ADDRESS_H_

#include <cstdint>

#include "core/bytes.h"

namespace netrt {

constexpr uint8_t ADDRESS_NONE = 0;
constexpr uint8_t ADDRESS_IPV4 = 1;
constexpr uint8_t ADDRESS_IPV6 = 2;

struct Address {
  uint8_t type = ADDRESS_NONE;
  uint16_t port = 0;
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  uint32_t d = 0;
};

void addressClear(Address& address);
void addressCopy(Address& target, const Address& source);
bool addressEqual(const Address& left, const Address& right);

// The hash of an address under a host's own key, so that nobody can aim at one bucket of its
// tables.
uint32_t addressHash(const Address& address, const uint32_t* key);

// Reads type, address and port; false for another type and past the end.
bool addressRead(Reader& reader, Address& address);

// Writes type, address and port; an address of no type has no encoding.
void addressWrite(Writer& writer, const Address& address);

}  // namespace netrt

#endif  // NETRT_CORE_ADDRESS_H_
