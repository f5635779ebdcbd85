// journal.json: which journal a directory is. Replaced as a whole, so that it is always the one before or the one after.
//
//   {"format": "causeway-journal", "version": 1, "uuid": "...", "epoch": "3", "closed": false, "sealed": {"block": "7", "sequence": "500", "head": "..."}}
//
// epoch counts how often the journal was opened for writing; closed says that recovery has nothing to look for; sealed is the last seal when the journal
// was closed the last time. Missing or damaged, it is made again from
// the segments' headers, which hold uuid and epoch too.

import path from 'node:path';
import { CausewayError } from '../base/errors.ts';
import { type FileLayer, NodeFileLayer, readAll, writeAll } from './file-layer.ts';
import type { SealedHead } from './seal.ts';
import { formatUuid, parseUuid } from './segment.ts';

export interface JournalIdentity {
  uuid: Uint8Array;
  epoch: bigint;
  closed: boolean;
  sealed?: SealedHead | undefined;
}

const NAME = 'journal.json';
const FORMAT = 'causeway-journal';
const VERSION = 1;
const LENGTH_MAX = 65536;

/**
 * undefined when there is none, or it is damaged.
 * @throws CausewayError JOURNAL_INCOMPATIBLE when a later version of the engine wrote it.
 */
export function readIdentity(
  directory: string,
  files: FileLayer = new NodeFileLayer(undefined),
): JournalIdentity | undefined {
  let content: Partial<Record<'format' | 'version' | 'uuid' | 'epoch' | 'closed' | 'sealed', unknown>>;
  try {
    content = JSON.parse(readText(path.join(directory, NAME), files)) ?? {};
  } catch {
    return undefined;
  }
  if (content.format !== FORMAT) return undefined;
  if (content.version !== VERSION) {
    throw new CausewayError(
      'JOURNAL_INCOMPATIBLE',
      `journal ${directory}: version=${String(content.version)}, this engine reads ${VERSION}`,
    );
  }
  const uuid = parseUuid(String(content.uuid));
  const epoch = String(content.epoch);
  if (uuid === undefined || !/^\d{1,19}$/.test(epoch)) return undefined;
  return { uuid, epoch: BigInt(epoch), closed: content.closed === true, sealed: parseSealed(content.sealed) };
}

function parseSealed(content: unknown): SealedHead | undefined {
  const { block, sequence, head } = (content ?? {}) as Partial<Record<keyof SealedHead, unknown>>;
  const isNumber = (text: unknown): text is string => typeof text === 'string' && /^\d{1,19}$/.test(text);
  if (!isNumber(block) || !isNumber(sequence) || typeof head !== 'string' || !/^[0-9a-f]{64}$/.test(head))
    return undefined;
  return { block: BigInt(block), sequence: BigInt(sequence), head: new Uint8Array(Buffer.from(head, 'hex')) };
}

export function writeIdentity(directory: string, files: FileLayer, identity: JournalIdentity): void {
  const { epoch, closed } = identity;
  const uuid = formatUuid(identity.uuid);
  const sealed = identity.sealed === undefined ? {} : { sealed: formatSealed(identity.sealed) };
  const content = { format: FORMAT, version: VERSION, uuid, epoch: String(epoch), closed, ...sealed };
  const file = path.join(directory, NAME);
  const draft = `${file}.new`;
  const fd = files.open(draft, 'w', 0o600);
  try {
    writeAll(files, fd, Buffer.from(`${JSON.stringify(content)}\n`), 0);
    files.fdatasync(fd);
  } finally {
    files.close(fd);
  }
  files.rename(draft, file);
  files.syncDirectory(directory);
}

function readText(file: string, files: FileLayer): string {
  const fd = files.open(file, 'r');
  try {
    const bytes = Buffer.alloc(LENGTH_MAX);
    return bytes.toString('utf8', 0, readAll(files, fd, bytes, 0));
  } finally {
    files.close(fd);
  }
}

function formatSealed({ block, sequence, head }: SealedHead): Record<keyof SealedHead, string> {
  return { block: String(block), sequence: String(sequence), head: Buffer.from(head).toString('hex') };
}
