// An independent NETCODE 1.02 for use as a test peer, written from the facts of the standard and from nothing of
// this library: it is there to catch mistakes in it, so nothing here may import from lib/ or native/.
//
//   const server = await ReferenceServer.listen({ protocolId, privateKey, maxClients: 64 });
//   const client = await ReferenceClient.open();
//   client.connect(mintReferenceToken({ protocolId, privateKey, clientId: 1n, servers: server.addresses }));
//
// Without sockets and with simulated time: give both a `send`, hand datagrams to `receive(from, bytes)`, and call
// `update(timeSeconds)`. For hostile tests: `sealPacket` builds any packet, `openPacket` opens any.

export { canonicalAddress } from "./netcode-address.js";
export { hchacha20, KEY_BYTES, TAG_BYTES } from "./netcode-cipher.js";
export { CLIENT_STATES, type ClientState, ReferenceClient } from "./netcode-client.js";
export type { EndpointOptions, OutgoingPacket, PacketCounts, Send } from "./netcode-endpoint.js";
export {
  encodeChallengeBody,
  encodeKeepAliveBody,
  encodeRequest,
  type OpenedPacket,
  openPacket,
  PACKET_NAMES,
  PACKET_TYPES,
  PAYLOAD_BYTES_MAX,
  type PacketName,
  peekPacket,
  REQUEST_BYTES,
  ReplayWindow,
  readPacket,
  type SealOptions,
  sealPacket,
} from "./netcode-packet.js";
export {
  type DisconnectReason,
  ReferenceServer,
  type ServerOptions,
  type Slot,
} from "./netcode-server.js";
export {
  CHALLENGE_TOKEN_BYTES,
  decodePrivateToken,
  decodePublicToken,
  encodeChallengeToken,
  encodePrivateToken,
  encodePublicToken,
  type MintOptions,
  mintReferenceToken,
  NEVER,
  openChallengeToken,
  openPrivateToken,
  PRIVATE_TOKEN_BYTES,
  type PrivateToken,
  type PublicToken,
  sealChallengeToken,
  sealPrivateToken,
  TOKEN_BYTES,
  USER_DATA_BYTES,
  VERSION_INFO,
} from "./netcode-token.js";
