// Owns asking the memory ahead for what the next step touches (prefetch): between two batches the
// kernel and other peers have had the cache, and one line after the other is waited for otherwise.
// Never changes anything, and nothing depends on it but time.
#ifndef NETRT_CORE_FETCH_H_
#define NETRT_CORE_FETCH_H_

#include <cstdint>

#include "core/connection.h"
#include "core/slots.h"

namespace netrt {

// What a packet touches on its way in; it comes while the seal is opened.
void fetchConnection(const Connection& connection, const uint32_t* page);

// What the submission behind this one touches, if there is one; it comes while this one is taken.
void fetchSubmission(const Host& host, int32_t word);

}  // namespace netrt

#endif  // NETRT_CORE_FETCH_H_
