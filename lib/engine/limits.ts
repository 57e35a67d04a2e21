/*
 * Owns every limit of the core, with its unit and its reason.
 * Never holds a variable.
 * Invariants: native/core/limits.h has the same names with the same values; the relations between
 * the limits are asserted there, when the core is compiled.
 */

// ---- Integers on the wire ----

/** Bytes of the longest varint: 4 x 7 bits hold every length and count the protocol has. */
export const VARINT_BYTES_MAX = 4;
/** The greatest number a varint holds: 28 bits. */
export const VARINT_MAX = 0x0fffffff;
/** Bits that one call writes or reads: what both languages hold in one integer. */
export const BITS_MAX = 32;
/**
 * The greatest packet number netrt gives out: the last integer a TypeScript number holds exactly.
 * At one packet a microsecond it lasts 285 years, so it is never reached.
 */
export const SEQUENCE_MAX = Number.MAX_SAFE_INTEGER;

// ---- NETCODE 1.02: constants of the standard, not ours to change ----

/** "NETCODE 1.02" with its terminating NUL. */
export const VERSION_BYTES = 13;
export const VERSION_INFO: Uint8Array = Uint8Array.from("NETCODE 1.02\0", (c) => c.charCodeAt(0));
/** Bytes of a ChaCha20-Poly1305 key. */
export const KEY_BYTES = 32;
/** Bytes of a Poly1305 tag. */
export const TAG_BYTES = 16;
/** Bytes of a ChaCha20-Poly1305-IETF nonce: four zero bytes, then the sequence. */
export const NONCE_BYTES = 12;
/** Bytes of an XChaCha20-Poly1305-IETF nonce, random in every connect token. */
export const TOKEN_NONCE_BYTES = 24;
/** Bytes of user data in a private connect token and in a challenge token. */
export const USER_DATA_BYTES = 256;
/** Server addresses in one connect token: at least one, at most 32. */
export const TOKEN_SERVERS_MAX = 32;
/** Bytes of an encoded address: type, four or sixteen bytes, port. */
export const ADDRESS_BYTES_MAX = 1 + 16 + 2;
/** Bytes of a private connect token, its tag included. */
export const TOKEN_PRIVATE_BYTES = 1024;
/** Bytes of a private connect token before it is sealed. */
export const TOKEN_PRIVATE_PLAIN_BYTES = TOKEN_PRIVATE_BYTES - TAG_BYTES;
/** Bytes of a whole connect token, as a backend hands it to a client. */
export const TOKEN_PUBLIC_BYTES = 2048;
/** Bytes of the data a private token's tag covers besides it: version, protocol id, expiry. */
export const TOKEN_ASSOCIATED_BYTES = VERSION_BYTES + 8 + 8;
/** Bytes of a challenge token, its tag included. */
export const CHALLENGE_TOKEN_BYTES = 300;
/** Bytes of a challenge token before it is sealed. */
export const CHALLENGE_TOKEN_PLAIN_BYTES = CHALLENGE_TOKEN_BYTES - TAG_BYTES;
/**
 * Bytes of a connection request, the one packet in the clear: prefix, version, protocol id, expiry,
 * nonce, private token. No answer to it is longer, so a forged source address gains nothing.
 */
export const REQUEST_BYTES = 1 + VERSION_BYTES + 8 + 8 + TOKEN_NONCE_BYTES + TOKEN_PRIVATE_BYTES;
/** Packet types are below this. */
export const PACKET_TYPES = 7;
/** Bytes of a packet's sequence: one at least, high zero bytes left out. */
export const SEQUENCE_BYTES_MAX = 8;
/** Bytes before the sealed body at most: prefix and sequence. */
export const PACKET_HEADER_BYTES_MAX = 1 + SEQUENCE_BYTES_MAX;
/** Bytes of the shortest packet: prefix, one sequence byte, tag. */
export const PACKET_BYTES_MIN = 1 + 1 + TAG_BYTES;
/** Bytes of the data a packet's tag covers besides its body: version, protocol id, prefix byte. */
export const PACKET_ASSOCIATED_BYTES = VERSION_BYTES + 8 + 1;
/** Bytes of a challenge's and a response's body: challenge sequence, challenge token. */
export const CHALLENGE_BODY_BYTES = 8 + CHALLENGE_TOKEN_BYTES;
/** Bytes of a keep-alive's body: client index, most clients. */
export const KEEP_ALIVE_BODY_BYTES = 4 + 4;
/** Bytes of a payload: with headers of IPv6 and UDP it fits 1280 B, which every IPv6 path carries. */
export const PAYLOAD_BYTES_MAX = 1200;
/** Bytes of the longest packet. */
export const PACKET_BYTES_MAX = PACKET_HEADER_BYTES_MAX + PAYLOAD_BYTES_MAX + TAG_BYTES;
/** Packets of the replay window: one second at 256 Hz. */
export const REPLAY_WINDOW_PACKETS = 256;

// ---- Packets between netrt peers (docs/PROTOCOL.md, "Packet layer") ----

/** Packets before the latest that one ack can tell about: a second at 256 Hz, eight times Fiedler's 32. */
export const ACK_BITS_MAX = 256;
/** Microseconds in one unit of the ack delay: 16 bits reach half a second, finer than any timer here. */
export const ACK_DELAY_UNIT_US = 8;
/** The ack delay that says "held for longer than the field can tell". */
export const ACK_DELAY_UNKNOWN = 65535;
/** Microseconds that an ack may be held back to ride with data. */
export const ACK_HOLD_US = 20000;
/** Packets that may wait for one ack (RFC 9000 section 13.2.2 has the same figure). */
export const ACK_OWED_MAX = 2;
/** Records of sent packets: those in flight, and as many decided ones that a late ack may correct. */
export const SENT_PACKETS = 512;
/** As many as a connection begins with: a kilobyte, and enough for 60 packets a second over 400 ms. */
export const SENT_PACKETS_FEW = 32;
/** Microseconds after its sending for which an ack of a lost packet is still looked at. */
export const LATE_MAX_US = 10000000;
/** Packets between two numbers that are left out, at least: acks of them show guesses, and who counts gaps sees loss. */
export const OMIT_PACKETS_MIN = 64;
/** … and at most; which, nobody knows before. */
export const OMIT_PACKETS_MAX = 512;
/** The first comes so many times sooner, before guesses gained much. */
export const OMIT_SOONER = 8;
/** Packets without a verdict: what one ack can reach back to. */
export const IN_FLIGHT_MAX = 256;
/** Packets without a verdict, of which none asks for an ack, after which the next asks with a ping. */
export const UNASKED_MAX = 128;
/** A packet is lost when one sent so many packets later was acked (RFC 9002 section 6.1.1). */
export const REORDER_PACKETS = 3;
/** The round-trip time assumed before the first sample (netrt's first design: 100 ms). */
export const RTT_INITIAL_US = 100000;
/** A sample above a minute is cut: it keeps every product within 53 bits. */
export const RTT_SAMPLE_MAX_US = 60000000;
/** The minimum RTT is forgotten after this long, so that a path that got longer is believed. */
export const RTT_MINIMUM_WINDOW_US = 10000000;
/** Retransmission time-out at least: below, a tick's jitter would count as loss. */
export const RTO_MIN_US = 10000;
/** Retransmission time-out at most, backoff included. */
export const RTO_MAX_US = 2000000;
/** Microseconds of the rate that may go out at once: two ticks at 100 Hz. */
export const PACING_BURST_US = 20000;
/** Full packets that may always go out at once, so that a slow rate can still send. */
export const PACING_BURST_PACKETS = 8;
/** Bytes per second that a peer's rate can be set to at least. */
export const PACING_RATE_MIN = 1000;
/** Bytes per second that a peer's rate can be set to at most: keeps the budget within 53 bits. */
export const PACING_RATE_MAX = 1000000000;
/** Bytes that may be on their way unacked at first: what 27 full packets hold, as QUIC stacks have it. */
export const CONGESTION_WINDOW_INITIAL = 32768;
/** … and at least: two full packets, so that one loss is noticed by the other's ack. */
export const CONGESTION_WINDOW_MIN = 2450;
/** … and at most: IN_FLIGHT_MAX full packets. */
export const CONGESTION_WINDOW_MAX = 313600;
/** Time after which a packet goes out though the window has no room (µs): Fiedler's 10 packets a second. */
export const CONGESTION_FLOOR_US = 100000;
/** Bytes a second that go out at least while the window lets them: 30 full packets, as in Fiedler's good conditions. */
export const CONGESTION_RATE_MIN = 36750;
/** µs between packets while messages wait and time-outs follow each other: 30 a second. */
export const CONGESTION_PING_US = 33333;
/** … and no round trip was measured for so long (µs). */
export const CONGESTION_SILENCE_US = 1000000;
/** Losses alone make the window no smaller than this: four packets. */
export const CONGESTION_LOSS_FLOOR = 4900;
/** Bytes by which the window grows in a round trip at most: one full packet. */
export const CONGESTION_STEP = 1225;
/** Queueing delay above the minimum RTT from which on a path counts as congested (µs). */
export const CONGESTION_TARGET_US = 7000;
/** Share of packets lost in a round trip, in 65536ths, from which on loss counts as congestion: 10 %. */
export const CONGESTION_LOSS_SHARE = 6554;
/** Packets that a round trip's share of loss is drawn from at least. */
export const CONGESTION_LOSS_PACKETS = 8;
/** Round trips without a queue after which the window grows by an eighth each. */
export const CONGESTION_CLEAR_ROUNDS = 4;
/** µs after which a queue that never went away is emptied for a round trip: half of RTT_MINIMUM_WINDOW_US. */
export const CONGESTION_PROBE_US = 5000000;
/** Packets a second in Fiedler's binary mode: good, */
export const BINARY_GOOD_HZ = 30;
/** … and bad. */
export const BINARY_BAD_HZ = 10;
/** The RTT above which conditions are bad, where it is twice the minimum as well (µs). */
export const BINARY_RTT_US = 250000;
/** How long conditions must be good before the mode is (µs): at first, */
export const BINARY_PENALTY_US = 4000000;
/** … at least, */
export const BINARY_PENALTY_MIN_US = 1000000;
/** … and at most. */
export const BINARY_PENALTY_MAX_US = 60000000;
/** Good for so long halves the penalty; bad again within it doubles it (µs). */
export const BINARY_PERIOD_US = 10000000;
/** Silence after which a fresh peer gets a keep-alive (NETCODE: 10 Hz). */
export const KEEP_ALIVE_US = 100000;
/** The same toward a peer that has been quiet for long: every keep-alive doubles up to here. */
export const KEEP_ALIVE_IDLE_US = 1000000;
/** Packets that say goodbye (NETCODE: 10 redundant disconnects). */
export const FAREWELL_PACKETS = 10;
/** Goodbyes that answer a peer's goodbye: it only waits to hear that it was heard. */
export const FAREWELL_ANSWERS = 3;
/** Microseconds between two of them: spread, so that one burst of losses can't take all. */
export const FAREWELL_INTERVAL_US = 30000;
/** Microseconds between two connection requests or responses (NETCODE: 10 Hz). */
export const REQUEST_INTERVAL_US = 100000;

// ---- Session keys (docs/PROTOCOL.md, R-61 to R-64) ----

/** Bytes of the prefix and of the low part of the number that a session packet tells. */
export const SESSION_HEADER_BYTES = 4;
/**
 * The part of a packet number that a session packet tells; a key lasts as long as the rest stays.
 * 2^24 packets stay far below the 2^28 that AES-GCM may seal of our size (RFC 9001 appendix B.1).
 */
export const EPOCH_BITS = 24;
/** Random bits of a host's first packet number: six bytes, the top bit of the epoch's left 0. */
export const NUMBER_BITS = 48;
/** Bytes of a SHA-256 digest. */
export const DIGEST_BYTES = 32;
/** Suites in a hello, a bit each: ChaCha20-Poly1305, which everybody has, */
export const SUITES_ALWAYS = 1;
/** … and AES-256-GCM, for who has the hardware. */
export const SUITES_AES = 2;

// ---- Moving to another address (docs/PROTOCOL.md, R-68 to R-72) ----

/** Bytes by which a server finds a connection whose packets come from elsewhere: nobody meets one by chance. */
export const PATH_ID_BYTES = 8;
/** Bytes before the body of a moving packet: those of a session packet, and the path's id. */
export const MOVING_HEADER_BYTES = SESSION_HEADER_BYTES + PATH_ID_BYTES;
/** Bytes that prove who reads at an address: as many as in QUIC (RFC 9000 section 19.17). */
export const PATH_PROOF_BYTES = 8;
/** Bytes of a packet with a challenge: header, no acks, the frame, tag. No shorter packet gets one. */
export const PATH_PACKET_BYTES = SESSION_HEADER_BYTES + 1 + 1 + PATH_PROOF_BYTES + TAG_BYTES;
/** A client that was not answered for so long (µs) may have another address, at least: a tick or two are none. */
export const PATH_SILENCE_MIN_US = 250000;
/** … and at most; moving packets follow each other as rarely in the end. */
export const PATH_SILENCE_MAX_US = 1000000;
/** A challenge may be answered for so long (µs): what is known later proves little. */
export const PATH_PROOF_US = 5000000;

// ---- Frames ----

/** Version of the protocol inside the payloads; both ends must have the same. */
export const NETRT_VERSION = 3;
/** Bytes of a payload that a peer may ask for at least (Tribes: 200 B packets over a modem). */
export const PAYLOAD_BYTES_MIN = 200;
/** Bytes of a hello before its channels' hashes. */
export const HELLO_BYTES = 48;
/** Bytes of a payload that a hello's channels leave to its head, acks and control frames. */
export const HELLO_ROOM_BYTES = 112;
/** A peer that is connected says hello within its time-out, and within this (µs) at the latest. */
export const GREETING_MAX_US = 10000000;
/** Channels of a protocol: six bits of a message frame. */
export const CHANNELS_MAX = 64;
/** Bytes of what a side says of a channel that differs: beside a hello of 5 channels and a close it fits a payload. */
export const LAYOUT_BYTES_MAX = 1024;
/** Head of a layout frame: kind, channel, length. */
export const LAYOUT_HEADER_BYTES_MAX = 4;
/** Bytes of the text that a close carries. */
export const CLOSE_TEXT_BYTES_MAX = 120;
/** Bytes of the longest ack header. */
export const ACK_HEADER_BYTES_MAX = 37;
/** Bytes of the longest message frame before its body: type, id, length. */
export const MESSAGE_HEADER_BYTES_MAX = 5;
/** Bytes of a message that fits one packet, with room for acks and a skip beside it. */
export const MESSAGE_BYTES_MAX = 1100;
/** Bytes of a payload that the longest whole message leaves to acks, its head and a skip. */
export const MESSAGE_ROOM_BYTES = 100;
/** Bytes of a message in fragments at most: 64 KiB, RDP's and UDP's own bound. */
export const FRAGMENTED_BYTES_MAX = 65536;
/** Bytes of a block at most: 16 MiB, a level or a replay, within a varint. */
export const BLOCK_BYTES_MAX = 16777216;
/** Bytes of a fragment in a full payload: four pieces of message memory, none of them begun in vain. */
export const FRAGMENT_BYTES_MAX = 1024;
/** Fragments of smaller payloads are a multiple of this. */
export const FRAGMENT_UNIT_BYTES = 64;
/** Bytes of a payload that a fragment leaves to acks, its head and control frames. */
export const FRAGMENT_ROOM_BYTES = 72;
/** Bytes of a fragment's head: type, channel, id, index, total. */
export const FRAGMENT_HEADER_BYTES_MAX = 9;
/** Bytes of the head of a block's fragment: the same with longer index and total, and the block's number. */
export const BLOCK_HEADER_BYTES_MAX = 13;
/** Bytes of a skip and of a window frame: type, channel, id. */
export const SKIP_BYTES = 4;
/** Bytes of an age at most: type, and milliseconds as a varint. */
export const AGE_BYTES_MAX = 5;
/** Messages that one packet carries: bounds the record of what it carried. */
export const MESSAGES_PER_PACKET_MAX = 64;

// ---- Channels and memory ----

/** Messages of an ordered channel between the oldest unacked and the newest sent. */
export const CHANNEL_WINDOW = 512;
/** Ids that a receiver accepts from its next one on: twice the window, right edge excluded (RFC 1151). */
export const CHANNEL_ACCEPT = 1024;
/**
 * Ids of an ordered channel that share one way to what is held of them: what comes out of its turn
 * looks at so many at most.
 */
export const HELD_GROUP_IDS = 128;
/** Such groups: all ids that are accepted, wherever they begin. */
export const HELD_GROUPS = 16;
/** Sent messages of a sequenced channel that are kept for copies and verdicts. */
export const SEQUENCED_KEPT_MAX = 64;
/** A receiver tells what was consumed whenever it is so many messages more: an eighth of the window. */
export const WINDOW_STEP = 64;
/** The number of copies that says: as many as the measured loss asks for. */
export const COPIES_ADAPTIVE = 255;
/** Extra copies of one message at most. */
export const COPIES_MAX = 15;
/** A copy that found no packet to ride in gets its own after this long at least, */
export const COPY_DELAY_MIN_US = 10000;
/** … and after this long at most. */
export const COPY_DELAY_MAX_US = 100000;
/** The same for a message that isn't part of a steady stream. */
export const COPY_DELAY_LONE_US = 20000;
/** A message that was lost so often rides without later ones of its kind, which need memory to be held. */
export const LOSSES_ALONE = 3;
/** Bytes of one piece of message memory: one holds most inputs and states. */
export const CHUNK_BYTES = 256;
/** A hole is named by a nack after RTT/8, and after this long (µs) at the latest. */
export const NACK_DELAY_MAX_US = 5000;
/** A hole that stays is named again after a round trip, and after this long (µs) at least. */
export const NACK_REPEAT_MIN_US = 10000;
/** … and after this part of the time for which the peer was silent: 4 for a quarter. */
export const NACK_SILENCE_PART = 4;
/** Bytes of a nack's bitmap: 256 ids. */
export const NACK_BITS_BYTES_MAX = 32;
/** Bytes of the longest nack frame: type, channel, id, length, bitmap. */
export const NACK_BYTES_MAX = 5 + 32;
/** Pieces that holding the messages of one packet may take: its bytes, and one begun for each message. */
export const HOLD_CHUNKS = 69;
/** Of the memory for messages, one part in so many is not for what waits for its turn on the way in. */
export const HOLD_RESERVE_PART = 4;
/** Peers of one host: 16 bits of a handle. */
export const PEERS_MAX = 65536;
/** Challenges and refusals that wait to be sent; more are dropped, a stranger asks again. */
export const REPLIES_MAX = 256;
/** Datagrams that one turn takes from the socket: bounds the turn under a flood. */
export const DATAGRAMS_PER_TURN_MAX = 1024;
/** Room that the completion ring must have before a datagram is taken: what one can bring forth. */
export const COMPLETION_RESERVE_BYTES = 65536;
/** What is held goes to the user only while this much is left: the end of a peer finds room for every fate. */
export const COMPLETION_END_BYTES = 32768;
/** What could not be done at its deadline is tried again after this long. */
export const DEADLINE_RETRY_US = 1000;
/** A packet that had no room or no record for what wants to ride is followed by another after this long. */
export const STALL_RETRY_US = 20000;
/** Datagrams of one send or receive call: the knee of recvmmsg's gain. */
export const BATCH_PACKETS = 64;
