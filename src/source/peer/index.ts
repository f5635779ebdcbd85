export { attachPeer, type PeerChoice } from './host.ts';
export { openPeerReader } from './reader.ts';
