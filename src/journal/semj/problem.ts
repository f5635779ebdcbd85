// What is wrong with a SEMJ event or file header, as text with the values in it.

import * as S from '../../../layout/semj.ts';
import { CausewayError } from '../../base/errors.ts';

type Describe = (view: DataView, at: number) => string;

const u32 =
  (name: string, offset: number, rule: string): Describe =>
  (view, at) =>
    `${name}=${view.getUint32(at + offset, true)}, ${rule}`;

const unterminated =
  (name: string, length: number): Describe =>
  () =>
    `${name} has no NUL in its ${length} bytes`;

const PROBLEMS: ReadonlyMap<number, Describe> = new Map<number, Describe>([
  [S.SEMJ_TRUNCATED, () => 'the event goes on behind the end of the file'],
  [S.SEMJ_WRONG_CONTEXT_SIZE, u32('context_size', S.SEMJ_CONTEXT_SIZE_OFFSET, 'not 5280')],
  [S.SEMJ_WRONG_PAYLOAD_SIZE, u32('payload_size', S.SEMJ_PAYLOAD_SIZE_OFFSET, 'at most 65536')],
  [S.SEMJ_WRONG_METADATA_SIZE, u32('metadata_size', S.SEMJ_METADATA_SIZE_OFFSET, 'at most 2048')],
  [S.SEMJ_WRONG_LINK_COUNT, u32('causality_link_count', S.SEMJ_LINK_COUNT_OFFSET, 'at most 256')],
  [S.SEMJ_WRONG_EVENT_SIZE, wrongEventSize],
  [S.SEMJ_WRONG_CHECKSUM, u32('checksum', S.SEMJ_CHECKSUM_OFFSET, 'which is not that of these bytes')],
  [
    S.SEMJ_ZLIB_CHECKSUM,
    u32(
      'checksum',
      S.SEMJ_CHECKSUM_OFFSET,
      "which is zlib's crc32 of these bytes; SEMJ has the kernel's, without inversions",
    ),
  ],
  [S.SEMJ_WRONG_TYPE, u32('event_type', S.SEMJ_EVENT_TYPE_OFFSET, 'none of the 72')],
  [S.SEMJ_UNTERMINATED_PATH, unterminated('path', S.SEMJ_PATH_LENGTH)],
  [S.SEMJ_UNTERMINATED_AGENT_ID, unterminated('agent_id', S.SEMJ_AGENT_ID_LENGTH)],
  [S.SEMJ_UNTERMINATED_AGENT_INTENT, unterminated('agent_intent', S.SEMJ_AGENT_INTENT_LENGTH)],
  [S.SEMJ_UNTERMINATED_SEMANTIC_TAGS, unterminated('semantic_tags', S.SEMJ_SEMANTIC_TAGS_LENGTH)],
  [S.SEMJ_UNTERMINATED_SEMANTIC_INTENT, unterminated('semantic_intent', S.SEMJ_SEMANTIC_INTENT_LENGTH)],
  [S.SEMJ_UNTERMINATED_DESCRIPTION, unterminated("a causality link's description", S.SEMJ_LINK_DESCRIPTION_LENGTH)],
]);

function wrongEventSize(view: DataView, at: number): string {
  const size = view.getUint32(at + S.SEMJ_EVENT_SIZE_OFFSET, true);
  const payload = view.getUint32(at + S.SEMJ_PAYLOAD_SIZE_OFFSET, true);
  const metadata = view.getUint32(at + S.SEMJ_METADATA_SIZE_OFFSET, true);
  const links = view.getUint32(at + S.SEMJ_LINK_COUNT_OFFSET, true);
  const sum = S.SEMJ_PAYLOAD_OFFSET + payload + metadata + links * S.SEMJ_LINK_LENGTH;
  return `event_size=${size}, its parts are ${sum} bytes`;
}

/** The codes of semjCheck that have a text: a test holds them together with the layout. */
export const SEMJ_PROBLEMS: readonly number[] = [...PROBLEMS.keys()];

/** What semjCheck found wrong with the event at `at` of the view. */
export function describeProblem(status: number, view: DataView, at: number): string {
  const describe = PROBLEMS.get(status);
  return describe === undefined ? `status ${status}` : describe(view, at);
}

export function semjCorrupt(file: string, offset: number, why: string): CausewayError {
  return new CausewayError('SEMJ_CORRUPT', `${file}: offset=${offset}: ${why}`, {
    hint: 'causeway import --emergency takes what is whole and lists what is not.',
  });
}

/** Why semjFromEntry refused the entry of this sequence. */
export function exportImpossible(status: number, sequence: bigint): CausewayError {
  if (status === S.SEMJ_ENTRY_CORRUPT) {
    return new CausewayError('JOURNAL_CORRUPT', `entry: sequence=${sequence}: its fields do not fit its length`);
  }
  const why = new Map<number, string>([
    [
      S.SEMJ_ENTRY_TOO_LONG,
      'too long for SEMJ: payload at most 65536 bytes, metadata 2048, 256 links, with what SEMJ has no field for in one of the first two',
    ],
    [S.SEMJ_WRONG_TYPE, 'its type is none of the 72'],
    [S.SEMJ_UNTERMINATED_DESCRIPTION, "a causality link's description has no NUL"],
  ]).get(status);
  return new CausewayError('EXPORT_IMPOSSIBLE', `event: sequence=${sequence}: ${why ?? `status ${status}`}`);
}
