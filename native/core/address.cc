// Addresses as integers: see address.h.
#include "core/address.h"

#include "core/sip.h"

namespace netrt {

void addressClear(Address& address) { address = Address(); }

void addressCopy(Address& target, const Address& source) { target = source; }

bool addressEqual(const Address& left, const Address& right) {
  return left.a == right.a && left.port == right.port && left.d == right.d && left.c == right.c &&
         left.b == right.b && left.type == right.type;
}

uint32_t addressHash(const Address& address, const uint32_t* key) {
  const uint32_t words[] = {(uint32_t{address.type} << 16) | address.port, address.a, address.b,
                            address.c, address.d};
  return sipHash(key, words, address.type == ADDRESS_IPV6 ? 5 : 2);
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
