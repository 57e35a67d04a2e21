// Owns ciphers that cost next to nothing, in the place of a provider's, for tests that are about
// the protocol: fuzzers and lockstep. They are off until a test asks for them, and never in the
// addon. No secret is kept by them. But what was sealed opens, what was changed does not, and what
// a packet is sealed with depends on its key and its nonce: a test sees a mistake with either.
// test/standin.ts has the same, byte for byte.
#ifndef NETRT_ADDON_PROBE_STANDIN_H_
#define NETRT_ADDON_PROBE_STANDIN_H_

namespace netrt {

// From now on, in this process. The provider was proven before, with its own ciphers.
void standIn(bool on);

}  // namespace netrt

#endif  // NETRT_ADDON_PROBE_STANDIN_H_
