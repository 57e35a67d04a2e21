// Owns every limit of the core, with its unit and its reason, the relations between them, and the
// assertion that guards the caller's own mistakes.
// Never holds a variable: all of it is known when the core is compiled.
// Invariants: lib/engine/limits.ts has the same names with the same values. NETRT_ASSERT is never
// reached by bytes from the network; those are checked, and refused by a return value.
#ifndef NETRT_CORE_LIMITS_H_
#define NETRT_CORE_LIMITS_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace netrt {

// A caller's mistake ends the process at the line where it was made: going on would let a broken
// invariant travel into packets that other machines trust.
[[noreturn]] inline void assertFailed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "netrt: assertion failed: %s (%s:%d)\n", what, file, line);
  std::abort();
}

#define NETRT_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::netrt::assertFailed(#condition, __FILE__, __LINE__))

// A condition that something held elsewhere rules out: what, is said in the line above. Whoever
// breaks that finds the check still there. Where tests run it ends the process; where coverage is
// counted there is none, and `npm run coverage` lists it as excluded. Without side effects.
#if defined(NETRT_COVERAGE)
#define NETRT_NEVER(condition) (false)
#elif defined(NETRT_CHECKED)
#define NETRT_NEVER(condition) \
  ((condition) && (::netrt::assertFailed("never " #condition, __FILE__, __LINE__), true))
#else
#define NETRT_NEVER(condition) (condition)
#endif

// ---- Integers on the wire ----

// Bytes of the longest varint: 4 x 7 bits hold every length and count the protocol has.
constexpr size_t VARINT_BYTES_MAX = 4;
// The greatest number a varint holds: 28 bits.
constexpr uint32_t VARINT_MAX = 0x0fffffff;
// Bits that one call writes or reads: what both languages hold in one integer.
constexpr uint32_t BITS_MAX = 32;
// The greatest packet number netrt gives out: the last integer a TypeScript number holds exactly.
// At one packet a microsecond it lasts 285 years, so it is never reached.
constexpr uint64_t SEQUENCE_MAX = (uint64_t{1} << 53) - 1;

// ---- NETCODE 1.02: constants of the standard, not ours to change ----

// "NETCODE 1.02" with its terminating NUL.
constexpr size_t VERSION_BYTES = 13;
constexpr uint8_t VERSION_INFO[VERSION_BYTES + 1] = "NETCODE 1.02";
// Bytes of a ChaCha20-Poly1305 key.
constexpr size_t KEY_BYTES = 32;
// Bytes of a Poly1305 tag.
constexpr size_t TAG_BYTES = 16;
// Bytes of a ChaCha20-Poly1305-IETF nonce: four zero bytes, then the sequence.
constexpr size_t NONCE_BYTES = 12;
// Bytes of an XChaCha20-Poly1305-IETF nonce, random in every connect token.
constexpr size_t TOKEN_NONCE_BYTES = 24;
// Bytes of user data in a private connect token and in a challenge token.
constexpr size_t USER_DATA_BYTES = 256;
// Server addresses in one connect token: at least one, at most 32.
constexpr uint32_t TOKEN_SERVERS_MAX = 32;
// Bytes of an encoded address: type, four or sixteen bytes, port.
constexpr size_t ADDRESS_BYTES_MAX = 1 + 16 + 2;
// Bytes of a private connect token, its tag included.
constexpr size_t TOKEN_PRIVATE_BYTES = 1024;
// Bytes of a private connect token before it is sealed.
constexpr size_t TOKEN_PRIVATE_PLAIN_BYTES = TOKEN_PRIVATE_BYTES - TAG_BYTES;
// Bytes of a whole connect token, as a backend hands it to a client.
constexpr size_t TOKEN_PUBLIC_BYTES = 2048;
// Bytes of the data a private token's tag covers besides it: version, protocol id, expiry.
constexpr size_t TOKEN_ASSOCIATED_BYTES = VERSION_BYTES + 8 + 8;
// Bytes of a challenge token, its tag included.
constexpr size_t CHALLENGE_TOKEN_BYTES = 300;
// Bytes of a challenge token before it is sealed.
constexpr size_t CHALLENGE_TOKEN_PLAIN_BYTES = CHALLENGE_TOKEN_BYTES - TAG_BYTES;
// Bytes of a connection request, the one packet in the clear: prefix, version, protocol id, expiry,
// nonce, private token. No answer to it is longer, so a forged source address gains nothing.
constexpr size_t REQUEST_BYTES =
    1 + VERSION_BYTES + 8 + 8 + TOKEN_NONCE_BYTES + TOKEN_PRIVATE_BYTES;
// Packet types are below this.
constexpr uint8_t PACKET_TYPES = 7;
// Bytes of a packet's sequence: one at least, high zero bytes left out.
constexpr size_t SEQUENCE_BYTES_MAX = 8;
// Bytes before the sealed body at most: prefix and sequence.
constexpr size_t PACKET_HEADER_BYTES_MAX = 1 + SEQUENCE_BYTES_MAX;
// Bytes of the shortest packet: prefix, one sequence byte, tag.
constexpr size_t PACKET_BYTES_MIN = 1 + 1 + TAG_BYTES;
// Bytes of the data a packet's tag covers besides its body: version, protocol id, prefix byte.
constexpr size_t PACKET_ASSOCIATED_BYTES = VERSION_BYTES + 8 + 1;
// Bytes of a challenge's and a response's body: challenge sequence, challenge token.
constexpr size_t CHALLENGE_BODY_BYTES = 8 + CHALLENGE_TOKEN_BYTES;
// Bytes of a keep-alive's body: client index, most clients.
constexpr size_t KEEP_ALIVE_BODY_BYTES = 4 + 4;
// Bytes of a payload: with headers of IPv6 and UDP it fits 1280 B, which every IPv6 path carries.
constexpr size_t PAYLOAD_BYTES_MAX = 1200;
// Bytes of the longest packet.
constexpr size_t PACKET_BYTES_MAX = PACKET_HEADER_BYTES_MAX + PAYLOAD_BYTES_MAX + TAG_BYTES;
// Packets of the replay window: one second at 256 Hz.
constexpr uint32_t REPLAY_WINDOW_PACKETS = 256;

static_assert(VARINT_MAX == (uint32_t{1} << (7 * VARINT_BYTES_MAX)) - 1, "7 bits in each byte");
static_assert(REQUEST_BYTES == 1078, "the standard's size of a request");
static_assert(PACKET_BYTES_MAX == 1225, "the standard's size of the longest packet");
static_assert(PACKET_BYTES_MAX + 40 + 8 <= 1280, "fits an IPv6 path's least MTU");
static_assert(CHALLENGE_BODY_BYTES + PACKET_HEADER_BYTES_MAX + TAG_BYTES < REQUEST_BYTES,
              "a stranger never gets back more bytes than it sent");
static_assert(8 + 4 + 4 + TOKEN_SERVERS_MAX * ADDRESS_BYTES_MAX + 2 * KEY_BYTES + USER_DATA_BYTES <=
                  TOKEN_PRIVATE_PLAIN_BYTES,
              "the fullest private token fits");
static_assert(VERSION_BYTES + 8 + 8 + 8 + TOKEN_NONCE_BYTES + TOKEN_PRIVATE_BYTES + 4 + 4 +
                      TOKEN_SERVERS_MAX * ADDRESS_BYTES_MAX + 2 * KEY_BYTES <=
                  TOKEN_PUBLIC_BYTES,
              "the fullest connect token fits");
static_assert(8 + USER_DATA_BYTES <= CHALLENGE_TOKEN_PLAIN_BYTES, "a challenge token fits");
static_assert(REPLAY_WINDOW_PACKETS % 32 == 0, "whole words of the replay bitmap");
static_assert((REPLAY_WINDOW_PACKETS & (REPLAY_WINDOW_PACKETS - 1)) == 0, "indexed by a mask");

// ---- Packets between netrt peers (docs/PROTOCOL.md, "Packet layer") ----

// Packets before the latest that one ack can tell about: a second at 256 Hz, eight times Fiedler's
// 32.
constexpr uint32_t ACK_BITS_MAX = 256;
// Microseconds in one unit of the ack delay: 16 bits reach half a second, finer than any timer of
// ours.
constexpr uint64_t ACK_DELAY_UNIT_US = 8;
// The ack delay that says "held for longer than the field can tell".
constexpr uint32_t ACK_DELAY_UNKNOWN = 65535;
// Microseconds that an ack may be held back to ride with data.
constexpr uint64_t ACK_HOLD_US = 20000;
// Packets that may wait for one ack (RFC 9000 section 13.2.2 has the same figure).
constexpr uint32_t ACK_OWED_MAX = 2;
// Records of sent packets: those in flight, and as many decided ones that a late ack may correct.
constexpr uint32_t SENT_PACKETS = 512;
// As many as a connection begins with: a kilobyte, and enough for 60 packets a second over 400 ms.
constexpr uint32_t SENT_PACKETS_FEW = 32;
// Microseconds after its sending for which an ack of a lost packet is still looked at.
constexpr uint64_t LATE_MAX_US = 10000000;
// Packets between two numbers that are left out, at least: acks of them show guesses, and who
// counts gaps sees loss.
constexpr uint32_t OMIT_PACKETS_MIN = 64;
// … and at most; which, nobody knows before.
constexpr uint32_t OMIT_PACKETS_MAX = 512;
// The first comes so many times sooner, before guesses gained much.
constexpr uint32_t OMIT_SOONER = 8;
// Packets without a verdict: what one ack can reach back to.
constexpr uint32_t IN_FLIGHT_MAX = 256;
// Packets without a verdict, of which none asks for an ack, after which the next asks with a ping.
constexpr uint32_t UNASKED_MAX = 128;
// A packet is lost when one sent so many packets later was acked (RFC 9002 section 6.1.1).
constexpr uint32_t REORDER_PACKETS = 3;
// The round-trip time assumed before the first sample (netrt's first design: 100 ms).
constexpr uint64_t RTT_INITIAL_US = 100000;
// A sample above a minute is cut: it keeps every product within 53 bits.
constexpr uint64_t RTT_SAMPLE_MAX_US = 60000000;
// The minimum RTT is forgotten after this long, so that a path that got longer is believed.
constexpr uint64_t RTT_MINIMUM_WINDOW_US = 10000000;
// Retransmission time-out at least: below, a tick's jitter would count as loss.
constexpr uint64_t RTO_MIN_US = 10000;
// Retransmission time-out at most, backoff included.
constexpr uint64_t RTO_MAX_US = 2000000;
// Microseconds of the rate that may go out at once: two ticks at 100 Hz.
constexpr uint64_t PACING_BURST_US = 20000;
// Full packets that may always go out at once, so that a slow rate can still send.
constexpr uint32_t PACING_BURST_PACKETS = 8;
// Bytes per second that a peer's rate can be set to at least.
constexpr uint32_t PACING_RATE_MIN = 1000;
// Bytes per second that a peer's rate can be set to at most: keeps the budget within 53 bits.
constexpr uint32_t PACING_RATE_MAX = 1000000000;
// Bytes that may be on their way unacked at first: what 27 full packets hold, as QUIC stacks have
// it.
constexpr uint32_t CONGESTION_WINDOW_INITIAL = 32768;
// … and at least: two full packets, so that one loss is noticed by the other's ack.
constexpr uint32_t CONGESTION_WINDOW_MIN = 2450;
// … and at most: IN_FLIGHT_MAX full packets.
constexpr uint32_t CONGESTION_WINDOW_MAX = 313600;
// Time after which a packet goes out though the window has no room (µs): Fiedler's 10 packets a
// second.
constexpr uint64_t CONGESTION_FLOOR_US = 100000;
// Bytes a second that go out at least while the window lets them: 30 full packets, as in Fiedler's
// good conditions.
constexpr uint32_t CONGESTION_RATE_MIN = 36750;
// µs between packets while messages wait and time-outs follow each other: 30 a second.
constexpr uint64_t CONGESTION_PING_US = 33333;
// … and no round trip was measured for so long (µs).
constexpr uint64_t CONGESTION_SILENCE_US = 1000000;
// Losses alone make the window no smaller than this: four packets.
constexpr uint32_t CONGESTION_LOSS_FLOOR = 4900;
// Bytes by which the window grows in a round trip at most: one full packet.
constexpr uint32_t CONGESTION_STEP = 1225;
// Queueing delay above the minimum RTT from which on a path counts as congested (µs).
constexpr uint64_t CONGESTION_TARGET_US = 7000;
// Share of packets lost in a round trip, in 65536ths, from which on loss counts as congestion: 10
// %.
constexpr uint32_t CONGESTION_LOSS_SHARE = 6554;
// Packets that a round trip's share of loss is drawn from at least.
constexpr uint32_t CONGESTION_LOSS_PACKETS = 8;
// Round trips without a queue after which the window grows by an eighth each.
constexpr uint32_t CONGESTION_CLEAR_ROUNDS = 4;
// µs after which a queue that never went away is emptied for a round trip: half of
// RTT_MINIMUM_WINDOW_US.
constexpr uint64_t CONGESTION_PROBE_US = 5000000;
// Packets a second in Fiedler's binary mode: good,
constexpr uint32_t BINARY_GOOD_HZ = 30;
// … and bad.
constexpr uint32_t BINARY_BAD_HZ = 10;
// The RTT above which conditions are bad, where it is twice the minimum as well (µs).
constexpr uint64_t BINARY_RTT_US = 250000;
// How long conditions must be good before the mode is (µs): at first,
constexpr uint64_t BINARY_PENALTY_US = 4000000;
// … at least,
constexpr uint64_t BINARY_PENALTY_MIN_US = 1000000;
// … and at most.
constexpr uint64_t BINARY_PENALTY_MAX_US = 60000000;
// Good for so long halves the penalty; bad again within it doubles it (µs).
constexpr uint64_t BINARY_PERIOD_US = 10000000;
// Silence after which a fresh peer gets a keep-alive (NETCODE: 10 Hz).
constexpr uint64_t KEEP_ALIVE_US = 100000;
// The same toward a peer that has been quiet for long: every keep-alive doubles up to here.
constexpr uint64_t KEEP_ALIVE_IDLE_US = 1000000;
// Packets that say goodbye (NETCODE: 10 redundant disconnects).
constexpr uint32_t FAREWELL_PACKETS = 10;
// Goodbyes that answer a peer's goodbye: it only waits to hear that it was heard.
constexpr uint32_t FAREWELL_ANSWERS = 3;
// Microseconds between two of them: spread, so that one burst of losses can't take all.
constexpr uint64_t FAREWELL_INTERVAL_US = 30000;
// Microseconds between two connection requests or responses (NETCODE: 10 Hz).
constexpr uint64_t REQUEST_INTERVAL_US = 100000;

// ---- Session keys (docs/PROTOCOL.md, R-61 to R-64) ----

// Bytes of the prefix and of the low part of the number that a session packet tells.
constexpr size_t SESSION_HEADER_BYTES = 1 + 3;
// The part of a packet number that a session packet tells; a key lasts as long as the rest stays.
// 2^24 packets stay far below the 2^28 that AES-GCM may seal of our size (RFC 9001 appendix B.1).
constexpr uint32_t EPOCH_BITS = 24;
// Random bits of a host's first packet number: six bytes, the top bit of the epoch's left 0.
constexpr uint32_t NUMBER_BITS = 48;
// Bytes of a SHA-256 digest.
constexpr size_t DIGEST_BYTES = 32;

// Suites in a hello, a bit each: ChaCha20-Poly1305, which everybody has,
constexpr uint8_t SUITES_ALWAYS = 1;
// … and AES-256-GCM, for who has the hardware.
constexpr uint8_t SUITES_AES = 2;

static_assert(SESSION_HEADER_BYTES == 1 + EPOCH_BITS / 8, "the number's low part is whole bytes");
static_assert(NUMBER_BITS > EPOCH_BITS && (uint64_t{1} << NUMBER_BITS) < SEQUENCE_MAX / 2,
              "as many numbers again are left to count up");
static_assert(DIGEST_BYTES == KEY_BYTES, "one digest makes one key");

// ---- Moving to another address (docs/PROTOCOL.md, R-68 to R-72) ----

// Bytes by which a server finds a connection whose packets come from elsewhere: nobody meets one by
// chance.
constexpr size_t PATH_ID_BYTES = 8;
// Bytes before the body of a moving packet: those of a session packet, and the path's id.
constexpr size_t MOVING_HEADER_BYTES = SESSION_HEADER_BYTES + PATH_ID_BYTES;
// Bytes that prove who reads at an address: as many as in QUIC (RFC 9000 section 19.17).
constexpr size_t PATH_PROOF_BYTES = 8;
// Bytes of a packet with a challenge: header, no acks, the frame, tag. No shorter packet gets one.
constexpr size_t PATH_PACKET_BYTES = SESSION_HEADER_BYTES + 1 + 1 + PATH_PROOF_BYTES + TAG_BYTES;
// A client that was not answered for so long (µs) may have another address, at least: a tick or two
// are none.
constexpr uint64_t PATH_SILENCE_MIN_US = 250000;
// … and at most; moving packets follow each other as rarely in the end.
constexpr uint64_t PATH_SILENCE_MAX_US = 1000000;
// A challenge may be answered for so long (µs): what is known later proves little.
constexpr uint64_t PATH_PROOF_US = 5000000;

static_assert(MOVING_HEADER_BYTES + PAYLOAD_BYTES_MAX - PATH_ID_BYTES + TAG_BYTES <=
                  PACKET_BYTES_MAX,
              "the longest moving packet is a packet");

// ---- Frames ----

// Version of the protocol inside the payloads; both ends must have the same.
constexpr uint8_t NETRT_VERSION = 3;
// Bytes of a payload that a peer may ask for at least (Tribes: 200 B packets over a modem).
constexpr uint32_t PAYLOAD_BYTES_MIN = 200;
// Bytes of a hello before its channels' hashes.
constexpr uint32_t HELLO_BYTES = 48;
// Bytes of a payload that a hello's channels leave to its head, acks and control frames.
constexpr uint32_t HELLO_ROOM_BYTES = 112;
// A peer that is connected says hello within its time-out, and within this (µs) at the latest.
constexpr uint64_t GREETING_MAX_US = 10000000;
// Channels of a protocol: six bits of a message frame.
constexpr uint32_t CHANNELS_MAX = 64;
// Bytes of what a side says of a channel that differs: beside a hello of 5 channels and a close it
// fits a payload.
constexpr uint32_t LAYOUT_BYTES_MAX = 1024;
// Head of a layout frame: kind, channel, length.
constexpr size_t LAYOUT_HEADER_BYTES_MAX = 4;
// Bytes of the text that a close carries.
constexpr size_t CLOSE_TEXT_BYTES_MAX = 120;
// Bytes of the longest ack header.
constexpr size_t ACK_HEADER_BYTES_MAX = 37;
// Bytes of the longest message frame before its body: type, id, length.
constexpr size_t MESSAGE_HEADER_BYTES_MAX = 5;
// Bytes of a message that fits one packet, with room for acks and a skip beside it.
constexpr size_t MESSAGE_BYTES_MAX = 1100;
// Bytes of a payload that the longest whole message leaves to acks, its head and a skip.
constexpr uint32_t MESSAGE_ROOM_BYTES = 100;
// Bytes of a message in fragments at most: 64 KiB, RDP's and UDP's own bound.
constexpr uint32_t FRAGMENTED_BYTES_MAX = 65536;
// Bytes of a block at most: 16 MiB, a level or a replay, within a varint.
constexpr uint32_t BLOCK_BYTES_MAX = 16777216;
// Bytes of a fragment in a full payload: four pieces of message memory, none of them begun in vain.
constexpr uint32_t FRAGMENT_BYTES_MAX = 1024;
// Fragments of smaller payloads are a multiple of this.
constexpr uint32_t FRAGMENT_UNIT_BYTES = 64;
// Bytes of a payload that a fragment leaves to acks, its head and control frames.
constexpr uint32_t FRAGMENT_ROOM_BYTES = 72;
// Bytes of a fragment's head: type, channel, id, index, total.
constexpr uint32_t FRAGMENT_HEADER_BYTES_MAX = 9;
// Bytes of the head of a block's fragment: the same with longer index and total, and the block's
// number.
constexpr uint32_t BLOCK_HEADER_BYTES_MAX = 13;
// Bytes of a skip and of a window frame: type, channel, id.
constexpr uint32_t SKIP_BYTES = 4;
// Bytes of an age at most: type, and milliseconds as a varint.
constexpr uint32_t AGE_BYTES_MAX = 5;
// Messages that one packet carries: bounds the record of what it carried.
constexpr uint32_t MESSAGES_PER_PACKET_MAX = 64;

// ---- Channels and memory ----

// Messages of an ordered channel between the oldest unacked and the newest sent.
constexpr uint32_t CHANNEL_WINDOW = 512;
// Ids that a receiver accepts from its next one on: twice the window, right edge excluded
// (RFC 1151).
constexpr uint32_t CHANNEL_ACCEPT = 1024;
// Ids of an ordered channel that share one way to what is held of them: what comes out of its turn
// looks at so many at most.
constexpr uint32_t HELD_GROUP_IDS = 128;
// Such groups: all ids that are accepted, wherever they begin.
constexpr uint32_t HELD_GROUPS = 16;
// Sent messages of a sequenced channel that are kept for copies and verdicts.
constexpr uint32_t SEQUENCED_KEPT_MAX = 64;
// A receiver tells what was consumed whenever it is so many messages more: an eighth of the window.
constexpr uint32_t WINDOW_STEP = 64;
// The number of copies that says: as many as the measured loss asks for.
constexpr uint32_t COPIES_ADAPTIVE = 255;
// Extra copies of one message at most.
constexpr uint32_t COPIES_MAX = 15;
// A copy that found no packet to ride in gets its own after this long at least,
constexpr uint64_t COPY_DELAY_MIN_US = 10000;
// … and after this long at most.
constexpr uint64_t COPY_DELAY_MAX_US = 100000;
// The same for a message that isn't part of a steady stream.
constexpr uint64_t COPY_DELAY_LONE_US = 20000;
// A message that was lost so often rides without later ones of its kind, which need memory to be
// held.
constexpr uint32_t LOSSES_ALONE = 3;
// Bytes of one piece of message memory: one holds most inputs and states.
constexpr size_t CHUNK_BYTES = 256;
// A hole is named by a nack after RTT/8, and after this long (µs) at the latest.
constexpr uint64_t NACK_DELAY_MAX_US = 5000;
// A hole that stays is named again after a round trip, and after this long (µs) at least.
constexpr uint64_t NACK_REPEAT_MIN_US = 10000;
// … and after this part of the time for which the peer was silent: 4 for a quarter.
constexpr uint32_t NACK_SILENCE_PART = 4;
// Bytes of a nack's bitmap: 256 ids.
constexpr uint32_t NACK_BITS_BYTES_MAX = 32;
// Bytes of the longest nack frame: type, channel, id, length, bitmap.
constexpr uint32_t NACK_BYTES_MAX = 5 + 32;
// Pieces that holding the messages of one packet may take: its bytes, and one begun for each
// message.
constexpr uint32_t HOLD_CHUNKS = 69;
// Of the memory for messages, one part in so many is not for what waits for its turn on the way in.
constexpr uint32_t HOLD_RESERVE_PART = 4;
// Peers of one host: 16 bits of a handle.
constexpr uint32_t PEERS_MAX = 65536;
// Challenges and refusals that wait to be sent; more are dropped, a stranger asks again.
constexpr uint32_t REPLIES_MAX = 256;
// Datagrams that one turn takes from the socket: bounds the turn under a flood.
constexpr uint32_t DATAGRAMS_PER_TURN_MAX = 1024;
// Room that the completion ring must have before a datagram is taken: what one can bring forth.
constexpr size_t COMPLETION_RESERVE_BYTES = 65536;
// What is held goes to the user only while this much is left: the end of a peer finds room for
// every fate.
constexpr size_t COMPLETION_END_BYTES = 32768;
// What could not be done at its deadline is tried again after this long.
constexpr uint64_t DEADLINE_RETRY_US = 1000;
// A packet that had no room or no record for what wants to ride is followed by another after this
// long.
constexpr uint64_t STALL_RETRY_US = 20000;
// Datagrams of one send or receive call: the knee of recvmmsg's gain.
constexpr uint32_t BATCH_PACKETS = 64;

static_assert(ACK_BITS_MAX % 32 == 0, "whole words of the received bits");
static_assert(ACK_BITS_MAX / 8 <= 0x3f, "six bits of an ack header count its bytes");
static_assert(REPLAY_WINDOW_PACKETS <= ACK_BITS_MAX, "whatever is taken late can still be acked");
static_assert(ACK_DELAY_UNKNOWN == 0xffff, "the greatest value of 16 bits");
static_assert(ACK_HOLD_US < ACK_DELAY_UNKNOWN * ACK_DELAY_UNIT_US, "a held ack tells its delay");
static_assert((SENT_PACKETS & (SENT_PACKETS - 1)) == 0 &&
                  (SENT_PACKETS_FEW & (SENT_PACKETS_FEW - 1)) == 0,
              "indexed by a mask");
static_assert(SENT_PACKETS >= IN_FLIGHT_MAX + ACK_BITS_MAX, "a late ack finds its record");
static_assert(IN_FLIGHT_MAX <= ACK_BITS_MAX, "one ack reaches every packet without a verdict");
static_assert(OMIT_PACKETS_MIN < OMIT_PACKETS_MAX && OMIT_PACKETS_MIN >= 2 * OMIT_SOONER,
              "never two numbers in a row");
static_assert(REORDER_PACKETS < IN_FLIGHT_MAX, "losses show while packets may still go out");
static_assert(RTO_MIN_US < RTT_INITIAL_US && RTT_INITIAL_US < RTO_MAX_US, "a sane first time-out");
static_assert(RTO_MAX_US + ACK_HOLD_US < RTT_SAMPLE_MAX_US, "samples aren't cut before a time-out");
static_assert(PACING_RATE_MIN > 0 && PACING_RATE_MIN < PACING_RATE_MAX, "a range, never zero");
static_assert(PACING_RATE_MAX * (uint64_t{1000000} + PACING_BURST_US) <= SEQUENCE_MAX,
              "a second of credit over a full bucket stays within 53 bits");
static_assert(KEEP_ALIVE_US <= KEEP_ALIVE_IDLE_US, "doubling goes upward");
static_assert(FAREWELL_ANSWERS <= FAREWELL_PACKETS, "answers are the fewer");
static_assert(CHANNELS_MAX == 64, "six bits of a message frame");
static_assert(CLOSE_TEXT_BYTES_MAX <= 0xff, "one byte tells the length of a close's text");
static_assert(ACK_HEADER_BYTES_MAX == 1 + 2 + 2 + ACK_BITS_MAX / 8, "flags, latest, delay, bits");
static_assert(MESSAGE_BYTES_MAX < 0x4000, "two bytes of varint tell a message's length");
static_assert(MESSAGE_HEADER_BYTES_MAX == 1 + 2 + 2, "type, id, length");
static_assert(ACK_HEADER_BYTES_MAX + 4 + MESSAGE_HEADER_BYTES_MAX + MESSAGE_BYTES_MAX <=
                  PAYLOAD_BYTES_MAX,
              "the longest message fits beside acks and a skip");
static_assert(ACK_HEADER_BYTES_MAX + 3 + CLOSE_TEXT_BYTES_MAX <= PAYLOAD_BYTES_MAX, "a close fits");
static_assert(ACK_HEADER_BYTES_MAX + HELLO_BYTES + 4 * CHANNELS_MAX + SKIP_BYTES * CHANNELS_MAX <=
                  PAYLOAD_BYTES_MAX,
              "a hello fits beside acks and a skip of every channel");
static_assert(MESSAGE_BYTES_MAX == PAYLOAD_BYTES_MAX - MESSAGE_ROOM_BYTES, "what a payload holds");
static_assert(FRAGMENT_BYTES_MAX % CHUNK_BYTES == 0, "fragments fill their memory");
static_assert(ACK_HEADER_BYTES_MAX + BLOCK_HEADER_BYTES_MAX + SKIP_BYTES <= FRAGMENT_ROOM_BYTES,
              "a fragment fits beside acks and a skip");
static_assert(ACK_HEADER_BYTES_MAX + HELLO_BYTES <= HELLO_ROOM_BYTES, "a hello fits beside acks");
static_assert(PAYLOAD_BYTES_MIN - FRAGMENT_ROOM_BYTES >= FRAGMENT_UNIT_BYTES,
              "the least payload holds a fragment");
static_assert(BLOCK_BYTES_MAX <= VARINT_MAX, "a varint tells a block's bytes");
static_assert(FRAGMENTED_BYTES_MAX / FRAGMENT_UNIT_BYTES < 0x4000, "two bytes tell an index");
static_assert(WINDOW_STEP * 2 <= CHANNEL_WINDOW, "a mark comes before the window is used up");
static_assert(CONGESTION_WINDOW_MIN <= CONGESTION_LOSS_FLOOR &&
                  CONGESTION_LOSS_FLOOR <= CONGESTION_WINDOW_INITIAL &&
                  CONGESTION_WINDOW_INITIAL <= CONGESTION_WINDOW_MAX,
              "the window's bounds stand in a row");
static_assert(CONGESTION_WINDOW_MAX == IN_FLIGHT_MAX * PACKET_BYTES_MAX, "full packets");
static_assert(MESSAGES_PER_PACKET_MAX * 3 <= PAYLOAD_BYTES_MAX, "that many empty messages fit");
static_assert(CHANNEL_ACCEPT >= 2 * CHANNEL_WINDOW,
              "nothing that a lawful sender sends is refused");
static_assert(HELD_GROUP_IDS * HELD_GROUPS >= CHANNEL_ACCEPT + HELD_GROUP_IDS,
              "no group has ids of two ends");
static_assert(CHANNEL_ACCEPT < 0x8000, "16 bits of an id tell every id that is accepted");
static_assert(COPIES_MAX < 16, "four bits count the copies");
static_assert(COPY_DELAY_MIN_US <= COPY_DELAY_LONE_US && COPY_DELAY_LONE_US <= COPY_DELAY_MAX_US,
              "a lone message's delay is in the range of the others");
static_assert(HOLD_CHUNKS == MESSAGES_PER_PACKET_MAX + PAYLOAD_BYTES_MAX / CHUNK_BYTES + 1,
              "every message begins a chunk, and their bytes fill the rest");
static_assert(PEERS_MAX == 0x10000, "a slot is the low half of a handle");
static_assert(COMPLETION_END_BYTES < COMPLETION_RESERVE_BYTES, "part of the reserve");
static_assert(DATAGRAMS_PER_TURN_MAX % BATCH_PACKETS == 0, "whole batches");

}  // namespace netrt

#endif  // NETRT_CORE_LIMITS_H_
