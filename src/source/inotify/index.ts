export { attachInotify } from './host.ts';
export { openInotifyReader } from './reader.ts';
