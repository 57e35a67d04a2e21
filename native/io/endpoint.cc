#include "io/endpoint.h"

#include "core/limits.h"

namespace netrt {

namespace {

uint32_t loadBig32(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[0]) << 24 | static_cast<uint32_t>(bytes[1]) << 16 |
         static_cast<uint32_t>(bytes[2]) << 8 | static_cast<uint32_t>(bytes[3]);
}

void storeBig32(uint8_t* bytes, uint32_t value) {
  bytes[0] = static_cast<uint8_t>(value >> 24);
  bytes[1] = static_cast<uint8_t>(value >> 16);
  bytes[2] = static_cast<uint8_t>(value >> 8);
  bytes[3] = static_cast<uint8_t>(value);
}

}  // namespace

socklen_t endpointSet(Endpoint& endpoint, const Address& address) {
  NETRT_ASSERT(address.type == ADDRESS_IPV4 || address.type == ADDRESS_IPV6);
  if (address.type == ADDRESS_IPV4) {
    endpoint.v4 = {};
    endpoint.v4.sin_family = AF_INET;
    endpoint.v4.sin_port = htons(address.port);
    endpoint.v4.sin_addr.s_addr = htonl(address.a);
    return sizeof(endpoint.v4);
  }
  endpoint.v6 = {};
  endpoint.v6.sin6_family = AF_INET6;
  endpoint.v6.sin6_port = htons(address.port);
  uint8_t* words = endpoint.v6.sin6_addr.s6_addr;
  storeBig32(words, address.a);
  storeBig32(words + 4, address.b);
  storeBig32(words + 8, address.c);
  storeBig32(words + 12, address.d);
  return sizeof(endpoint.v6);
}

Address endpointAddress(const Endpoint& endpoint) {
  Address address = {};
  if (endpoint.any.sa_family == AF_INET) {
    address.type = ADDRESS_IPV4;
    address.port = ntohs(endpoint.v4.sin_port);
    address.a = ntohl(endpoint.v4.sin_addr.s_addr);
    return address;
  }
  const uint8_t* words = endpoint.v6.sin6_addr.s6_addr;
  address.type = ADDRESS_IPV6;
  address.port = ntohs(endpoint.v6.sin6_port);
  address.a = loadBig32(words);
  address.b = loadBig32(words + 4);
  address.c = loadBig32(words + 8);
  address.d = loadBig32(words + 12);
  return address;
}

}  // namespace netrt
