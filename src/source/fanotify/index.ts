export { probeFanotify } from './group.ts';
export { attachFanotify } from './host.ts';
export { openFanotifyReader } from './reader.ts';
