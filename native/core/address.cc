// Addresses as integers: see address.h.
#include "core/address.h"

namespace netrt {

void addressClear(Address& address) { address = Address(); }

void addressCopy(Address& target, const Address& source) { target = source; }

bool addressEqual(const Address& left, const Address& right) {
  return left.a == right.a && left.port == right.port && left.d == right.d && left.c == right.c &&
         left.b == right.b && left.type == right.type;
}

namespace {

// MurmurHash3's 32-bit steps (Austin Appleby, public domain).
uint32_t mix(uint32_t hash, uint32_t word) {
  const uint32_t scrambled = word * 0xcc9e2d51u;
  const uint32_t mixed = hash ^ (((scrambled << 15) | (scrambled >> 17)) * 0x1b873593u);
  return ((mixed << 13) | (mixed >> 19)) * 5 + 0xe6546b64u;
}

}  // namespace

uint32_t addressHash(const Address& address, uint32_t seed) {
  uint32_t hash = mix(seed, (uint32_t{address.type} << 16) | address.port);
  hash = mix(hash, address.a);
  hash = mix(hash, address.b);
  hash = mix(hash, address.c);
  hash = mix(hash, address.d);
  hash ^= hash >> 16;
  hash *= 0x85ebca6bu;
  hash ^= hash >> 13;
  hash *= 0xc2b2ae35u;
  return hash ^ (hash >> 16);
}

namespace {

// Two groups of an IPv6 address: each u16 little-endian, unlike on the wire of IP itself.
uint32_t readGroups(Reader& reader) {
  const uint32_t high = readU16(reader);
  return (high << 16) | readU16(reader);
}

void writeGroups(Writer& writer, uint32_t word) {
  writeU16(writer, static_cast<uint16_t>(word >> 16));
  writeU16(writer, static_cast<uint16_t>(word));
}

// The four bytes of an IPv4 address stand in reading order, first byte first.
uint32_t swapBytes(uint32_t word) {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >> 8) & 0xff00) | (word >> 24);
}

}  // namespace

bool addressRead(Reader& reader, Address& address) {
  addressClear(address);
  const uint8_t type = readU8(reader);
  if (type == ADDRESS_IPV4) {
    address.a = swapBytes(readU32(reader));
  } else if (type == ADDRESS_IPV6) {
    address.a = readGroups(reader);
    address.b = readGroups(reader);
    address.c = readGroups(reader);
    address.d = readGroups(reader);
  } else {
    readerFail(reader);
  }
  address.port = readU16(reader);
  if (reader.failed) {
    addressClear(address);
    return false;
  }
  address.type = type;
  return true;
}

void addressWrite(Writer& writer, const Address& address) {
  if (address.type != ADDRESS_IPV4 && address.type != ADDRESS_IPV6) {
    writerFail(writer);
    return;
  }
  writeU8(writer, address.type);
  if (address.type == ADDRESS_IPV4) {
    writeU32(writer, swapBytes(address.a));
  } else {
    writeGroups(writer, address.a);
    writeGroups(writer, address.b);
    writeGroups(writer, address.c);
    writeGroups(writer, address.d);
  }
  writeU16(writer, address.port);
}

}  // namespace netrt
