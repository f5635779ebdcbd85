// What Engine.open() takes, checked at the edge: one schema, from which the JSON Schema in the package is made as well.

import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { RING_CAPACITY_MAX, RING_CAPACITY_MIN, SEGMENT_LENGTH_MAX, SEGMENT_LENGTH_MIN } from '../../layout/limits.ts';
import { PEERS_MAX } from '../../layout/peer.ts';
import { POOL_CAPACITY_MAX, POOL_RECORD_LENGTH_MAX } from '../../layout/pool.ts';
import { QUEUE_CONSUMERS_MAX, QUEUE_LANES_MAX } from '../../layout/queue.ts';
import { CausewayError, messageOf } from '../base/errors.ts';
import { typeFits } from '../event/filter.ts';
import { EVENT_TYPE_NAMES } from '../event/type-name.ts';
import { type ConnectionOptions, checkConnectionOptions } from '../queue/connection.ts';
import { QUEUE_MODES, type QueueOptions } from '../queue/plan.ts';
import type { PoolOptions } from '../queue/pool.ts';
import type { EngineOptions } from './types.ts';

/** A fifth of a second at 300,000 records a second; every page of it is resident. */
const RING_CAPACITY_DEFAULT = 8 * 1024 * 1024;
const SEGMENT_LENGTH_DEFAULT = 64 * 1024 * 1024;
/** Without a journal directory segments only bridge the distance to the slowest subscriber: smaller ones are given back sooner. */
const SEGMENT_LENGTH_EPHEMERAL = 4 * 1024 * 1024;

const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value));

const eventTypePattern = z.string().refine((pattern) => EVENT_TYPE_NAMES.some((name) => typeFits(pattern, name)), {
  error: (issue) => `'${String(issue.input)}' matches none of the 72 event types`,
});
const pid = z
  .int()
  .positive()
  .max(2 ** 22);
const segmentLength = z
  .int()
  .min(SEGMENT_LENGTH_MIN)
  .max(SEGMENT_LENGTH_MAX)
  .multipleOf(4096)
  .describe('Bytes of a journal segment');

// Some of the limits depend on each other and on the mode: checkConnectionOptions knows them all.
const queueOptions = z.strictObject({
  mode: z.enum(QUEUE_MODES).describe('Who produces, who consumes, and who waits for whom'),
  producers: z.int().min(1).max(QUEUE_LANES_MAX).optional().describe('How many there can be at a time'),
  consumers: z.int().min(1).max(QUEUE_CONSUMERS_MAX).optional().describe('The same of consumers'),
  laneCapacity: z
    .int()
    .min(RING_CAPACITY_MIN)
    .max(RING_CAPACITY_MAX)
    .optional()
    .describe('Bytes of each producer’s lane, a power of two'),
  expireAfterMs: z
    .int()
    .nonnegative()
    .optional()
    .describe('broadcast: a consumer that stands still for so long is left behind; 0 = never'),
  recordLengthMax: z.int().nonnegative().optional().describe('Bytes of the longest record'),
});
const poolOptions = z.strictObject({
  capacity: z.int().min(1).max(POOL_CAPACITY_MAX).describe('Records'),
  recordLength: z.int().min(1).max(POOL_RECORD_LENGTH_MAX).describe('Bytes of each'),
});

/** The options that are plain data (all but `signal`). */
export const engineConfigSchema = z.strictObject({
  paths: z.array(z.string().min(1)).default([]).describe('Directories or files to watch'),
  source: z
    .union([
      z.enum(['auto', 'ebpf', 'fanotify', 'inotify', 'none']),
      z.strictObject({
        peer: z.union([z.literal(true), z.string().min(1)]),
        producers: z.int().min(1).max(PEERS_MAX).default(1),
      }),
      z.strictObject({ trace: z.string().min(1), speed: z.enum(['recorded', 'maximum']).default('recorded') }),
    ])
    .default('auto')
    .describe('Where events come from; auto takes the first that works here'),
  journal: z
    .union([
      z.string().min(1),
      z.strictObject({
        directory: z.string().min(1),
        segmentLength: segmentLength.optional(),
        seal: z.boolean().default(true).describe('Whether what is kept is sealed, for causeway verify'),
        signingKey: z.string().min(1).optional().describe('File of the Ed25519 key that signs the seals'),
        headFile: z.string().min(1).optional().describe('File that the last seal’s digest is written to'),
      }),
    ])
    .optional()
    .describe('Directory of the journal; without one, events go with the process'),
  durability: z.enum(['memory', 'process', 'group', 'sync']).default('process').describe('Of captured events'),
  filter: z
    .strictObject({
      types: z.array(eventTypePattern).default([]),
      pids: z.array(pid).max(64).default([]),
      followFork: z.boolean().default(false),
      includeSelf: z.boolean().default(false),
    })
    .prefault({}),
  record: z.string().min(1).optional().describe('File that the source’s records are written to'),
  ringCapacity: z
    .int()
    .min(4096)
    .max(RING_CAPACITY_MAX)
    .refine(isPowerOfTwo, { error: (issue) => `${String(issue.input)} is not a power of two` })
    .default(RING_CAPACITY_DEFAULT)
    .describe('Bytes of the ring between source and wasm'),
  idle: z.enum(['adaptive', 'spin']).default('adaptive').describe('How the ingest worker waits'),
  user: z
    .union([z.string().min(1), z.int().nonnegative()])
    .optional()
    .describe('User to become once everything privileged is set up'),
  queues: z
    .record(z.string(), queueOptions)
    .default({})
    .describe('Queues by name, for worker threads and other processes'),
  pools: z.record(z.string(), poolOptions).default({}).describe('Pools of records by name'),
  share: z
    .union([z.boolean(), z.string().min(1)])
    .default(false)
    .describe('Whether other processes may connect to queues and pools; a path, best in /dev/shm, gives them a name'),
});

export type EngineConfig = z.output<typeof engineConfigSchema> & {
  /** What of it is for queues and pools; undefined when there are none. */
  connection: ConnectionOptions | undefined;
  /** Absolute, without symbolic links. */
  roots: readonly string[];
  journalDirectory: string | undefined;
  segmentLength: number;
  seal: { signingKey: string | undefined; headFile: string | undefined } | undefined;
};

/** JSON Schema (2020-12) of the configuration. */
export function engineConfigJsonSchema(): unknown {
  return z.toJSONSchema(engineConfigSchema, { io: 'input', unrepresentable: 'any' });
}

/**
 * Checks the options and resolves the paths.
 * @throws CausewayError CONFIG_INVALID naming field and value; PATH_MISSING or PATH_DENIED naming the path.
 */
export function parseEngineOptions(options: EngineOptions): EngineConfig {
  const { signal: _signal, onNotice: _onNotice, ...data } = options;
  const result = engineConfigSchema.safeParse(data);
  if (!result.success) {
    const issues = result.error.issues.map((issue) => `${issue.path.join('.') || 'options'}: ${issue.message}`);
    throw new CausewayError('CONFIG_INVALID', `options: ${issues.join('; ')}`);
  }
  const config = result.data;
  const { journal } = config;
  const journalDirectory = typeof journal === 'string' ? journal : journal?.directory;
  const asked = typeof journal === 'object' ? journal.segmentLength : undefined;
  const byDefault = journalDirectory === undefined ? SEGMENT_LENGTH_EPHEMERAL : SEGMENT_LENGTH_DEFAULT;
  return {
    ...config,
    roots: config.paths.map(realPath),
    journalDirectory: journalDirectory === undefined ? undefined : path.resolve(journalDirectory),
    segmentLength: asked ?? byDefault,
    seal: sealOf(journal),
    connection: connectionOf(config),
  };
}

function sealOf(journal: z.output<typeof engineConfigSchema>['journal']): EngineConfig['seal'] {
  if (typeof journal !== 'object')
    return journal === undefined ? undefined : { signingKey: undefined, headFile: undefined };
  const { seal, signingKey, headFile } = journal;
  if (!seal && (signingKey ?? headFile) !== undefined) {
    throw new CausewayError('CONFIG_INVALID', 'options: journal.signingKey and journal.headFile need journal.seal');
  }
  const absolute = (file: string | undefined): string | undefined =>
    file === undefined ? undefined : path.resolve(file);
  return seal ? { signingKey: absolute(signingKey), headFile: absolute(headFile) } : undefined;
}

function connectionOf(config: z.output<typeof engineConfigSchema>): ConnectionOptions | undefined {
  const { share } = config;
  // zod leaves `undefined` in the types of optional fields, not in the objects.
  const queues = config.queues as Record<string, Omit<QueueOptions, 'name'>>;
  const pools: Record<string, PoolOptions> = config.pools;
  if (Object.keys(queues).length + Object.keys(pools).length > 0) {
    checkConnectionOptions({ queues, pools });
    return { queues, pools, share };
  }
  if (share === false) return undefined;
  throw new CausewayError('CONFIG_INVALID', 'options: share: there are neither queues nor pools to share');
}

function realPath(given: string): string {
  try {
    const real = fs.realpathSync.native(given);
    fs.accessSync(real, fs.constants.R_OK);
    return real;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new CausewayError('PATH_MISSING', `no such file or directory: ${given}`);
    }
    if (code === 'EACCES' || code === 'EPERM') {
      throw new CausewayError('PATH_DENIED', `no permission to read: ${given}`, {
        hint: 'Run as its owner, or as root',
      });
    }
    throw new CausewayError('CONFIG_INVALID', `path ${given}: ${messageOf(error)}`);
  }
}
