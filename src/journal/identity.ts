// journal.json: which journal a directory is. Replaced as a whole, so that it is always the one before or the one after.
//
//   {"format": "causeway-journal", "version": 1, "uuid": "...", "epoch": "3", "closed": false}
//
// epoch counts how often the journal was opened for writing; closed says that recovery has nothing to look for. Missing or damaged, it is made again from
// the segments' headers, which hold uuid and epoch too.

import path from 'node:path';
import { CausewayError } from '../base/errors.ts';
import { type FileLayer, NodeFileLayer, readAll, writeAll } from './file-layer.ts';
import { formatUuid, parseUuid } from './segment.ts';

export interface JournalIdentity {
  uuid: Uint8Array;
  epoch: bigint;
  closed: boolean;
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
  let content: Partial<Record<'format' | 'version' | 'uuid' | 'epoch' | 'closed', unknown>>;
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
  return { uuid, epoch: BigInt(epoch), closed: content.closed === true };
}

export function writeIdentity(directory: string, files: FileLayer, identity: JournalIdentity): void {
  const { epoch, closed } = identity;
  const content = { format: FORMAT, version: VERSION, uuid: formatUuid(identity.uuid), epoch: String(epoch), closed };
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
