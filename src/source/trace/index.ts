export { generateTrace, TraceGenerator } from './generate.ts';
export { attachTrace } from './host.ts';
export { openTraceReader } from './reader.ts';
export { TraceRecorder } from './recorder.ts';
