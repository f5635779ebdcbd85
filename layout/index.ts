// Every layout in one import, for TypeScript. (AssemblyScript imports the files it needs.)
export * from './arena.ts';
export * from './entry.ts';
export * from './event-type.ts';
export * from './ingest.ts';
export * from './kernel-call.ts';
export * from './kernel-control.ts';
export * from './kernel-record.ts';
export * from './limits.ts';
export * from './log.ts';
export * from './queue.ts';
export * from './ring.ts';
export * from './segment.ts';
export * from './status.ts';
export * from './trace-file.ts';
export * from './trace-replay.ts';
