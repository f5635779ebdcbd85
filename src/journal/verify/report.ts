// What verification found.

export type DamageKind =
  /** An entry is not what was sealed. */
  | 'entry'
  /** A segment's header, or bytes that mean nothing, are not what was written. */
  | 'header'
  /** A seal itself was altered, or is not the successor of the one before. */
  | 'seal'
  | 'signature'
  /** A segment, its seals, or entries at its end are gone. */
  | 'missing'
  /** It lies under another one's name. */
  | 'moved'
  /** Of another journal. */
  | 'foreign'
  /** The published head is not in the chain: the journal was cut short or replaced. */
  | 'head';

export interface Damage {
  kind: DamageKind;
  /** File in the directory. */
  file: string;
  /** In that file. */
  offset: number;
  segment: number;
  /** Of the first record that is concerned; undefined if that is not known. */
  sequence: bigint | undefined;
  block: bigint | undefined;
  message: string;
}

/** Both inclusive. */
export interface Range {
  first: bigint;
  last: bigint;
}

export interface VerifyReport {
  directory: string;
  uuid: string | undefined;
  isIntact: boolean;
  /** In the order of the journal; at most DAMAGE_MAX of them. */
  damage: Damage[];
  damageCount: number;
  /** Entries that are as they were sealed; at most RANGES_MAX, the rest is not told. */
  intact: Range[];
  entries: bigint;
  bytes: bigint;
  segments: number;
  blocks: bigint;
  signedBlocks: bigint;
  /** Ids of the keys that signed, in hex: checked only if a key was given. */
  keyIds: string[];
  isSignatureChecked: boolean;
  /** The last seal's. */
  head: string | undefined;
  sealedAtNs: bigint | undefined;
  /** Entries that no seal covers yet. */
  unsealed: bigint;
  /** Bytes behind the last whole entry and the last whole seal: what a kill leaves, or a writer has in hand. */
  tornBytes: number;
}

export const DAMAGE_MAX = 1000;
export const RANGES_MAX = 1000;

export function emptyReport(directory: string): VerifyReport {
  return {
    directory,
    uuid: undefined,
    isIntact: true,
    damage: [],
    damageCount: 0,
    intact: [],
    entries: 0n,
    bytes: 0n,
    segments: 0,
    blocks: 0n,
    signedBlocks: 0n,
    keyIds: [],
    isSignatureChecked: false,
    head: undefined,
    sealedAtNs: undefined,
    unsealed: 0n,
    tornBytes: 0,
  };
}

export function addDamage(report: VerifyReport, damage: Damage): void {
  report.isIntact = false;
  report.damageCount += 1;
  if (report.damage.length < DAMAGE_MAX) report.damage.push(damage);
}

/** Entries first..last are as they were sealed. */
export function addIntact(report: VerifyReport, first: bigint, last: bigint): void {
  if (last < first) return;
  const before = report.intact.at(-1);
  if (before !== undefined && before.last + 1n === first) before.last = last;
  else if (report.intact.length < RANGES_MAX) report.intact.push({ first, last });
}
