// Owns the two forms of a socket address, netrt's and the kernel's, and the way between them.
// Never resolves names and never reads text.
// Invariant: endpointAddress(endpointSet(x)) is x.
#ifndef NETRT_IO_ENDPOINT_H_
#define NETRT_IO_ENDPOINT_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include "core/address.h"

namespace netrt {

// A socket address of either family, in the kernel's form.
union Endpoint {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// Returns the bytes of it that count. The address is an IPv4 or an IPv6 one.
socklen_t endpointSet(Endpoint& endpoint, const Address& address);

Address endpointAddress(const Endpoint& endpoint);

}  // namespace netrt

#endif  // NETRT_IO_ENDPOINT_H_
