// `causeway verify`: is the journal what was written?

import fs from 'node:fs';
import path from 'node:path';
import { CausewayError, EXIT_INTEGRITY, EXIT_OK, messageOf } from '../base/errors.ts';
import type { Damage, VerifyReport } from '../journal/verify/report.ts';
import { verifyJournal } from '../journal/verify/verify.ts';
import { type Context, settleOutput } from './context.ts';
import { formatBytes, formatCount, plural } from './format.ts';
import { jsonLine } from './json.ts';
import { StopSignal } from './signals.ts';

export interface VerifyCommandOptions {
  key?: string;
  head?: string;
}

const PROGRESS_MS = 200;
const RANGES_SHOWN_MAX = 20;
const DAMAGE_SHOWN_MAX = 20;
const HEAD_FILE_LENGTH_MAX = 65536;

/** @returns the exit code. */
export async function runVerify(name: string, options: VerifyCommandOptions, context: Context): Promise<number> {
  const directory = path.resolve(name);
  const stop = new StopSignal();
  context.out.onClosed = () => stop.stop();
  const isShown = process.stderr.isTTY === true;
  let shownMs = 0;
  const started = process.hrtime.bigint();
  try {
    const report = await verifyJournal(directory, {
      ...(options.key === undefined ? {} : { key: path.resolve(options.key) }),
      ...(options.head === undefined ? {} : { head: readHead(options.head) }),
      signal: stop.signal,
      onProgress: (done, total) => {
        if (!isShown || (Date.now() - shownMs < PROGRESS_MS && done < total)) return;
        shownMs = Date.now();
        const percent = total === 0 ? 100 : Math.floor((100 * done) / total);
        process.stderr.write(done < total ? `\r\x1b[Kverified ${percent} %, ${formatBytes(BigInt(done))}` : '\r\x1b[K');
      },
    });
    if (stop.signal.aborted) {
      await settleOutput(context, stop.received);
      context.say('ended before all was verified');
      return 1;
    }
    const durationMs = Number(process.hrtime.bigint() - started) / 1e6;
    if (context.json) showJson(report, durationMs, context);
    else show(report, context);
    tell(report, durationMs, context);
    await settleOutput(context, stop.received);
    return report.isIntact ? EXIT_OK : EXIT_INTEGRITY;
  } finally {
    stop.dispose();
  }
}

/** 64 hexadecimal digits, or a file that has them (alone, or as the engine's headFile). */
function readHead(text: string): string {
  const isHead = (candidate: unknown): candidate is string =>
    typeof candidate === 'string' && /^[0-9a-f]{64}$/.test(candidate);
  if (isHead(text.toLowerCase())) return text.toLowerCase();
  let content: string;
  try {
    content = fs.readFileSync(text, 'utf8').slice(0, HEAD_FILE_LENGTH_MAX).trim();
  } catch (error) {
    throw new CausewayError('PATH_MISSING', `--head ${text}: ${messageOf(error)}`, {
      hint: 'Give 64 hexadecimal digits, or a file with them.',
    });
  }
  if (isHead(content)) return content;
  try {
    const { head } = JSON.parse(content) as { head?: unknown };
    if (isHead(head)) return head;
  } catch {
    // Said below.
  }
  throw new CausewayError('CONFIG_INVALID', `--head ${text}: holds no head (64 hexadecimal digits)`);
}

function showJson(report: VerifyReport, durationMs: number, context: Context): void {
  const { damage, intact, ...rest } = report;
  for (const range of intact) context.out.push(jsonLine('intact', { ...range }));
  for (const { sequence = null, block = null, ...found } of damage) {
    context.out.push(jsonLine('damage', { ...found, sequence, block }));
  }
  const { uuid = null, head = null, sealedAtNs = null, ...counts } = rest;
  context.out.push(jsonLine('summary', { ...counts, uuid, head, sealedAtNs, durationMs: Math.round(durationMs) }));
}

function show(report: VerifyReport, context: Context): void {
  const { paint } = context;
  const rows: [string, string][] = [
    ['journal', report.directory],
    ['uuid', report.uuid ?? 'unknown'],
    ['seals', `${formatCount(report.blocks)}, ${signatures(report)}`],
    ['head', report.head ?? 'none'],
    ['not sealed yet', `${formatCount(report.unsealed)} entries`],
  ];
  for (const [label, value] of rows) context.out.push(`${paint('bold', label.padEnd(20))}${value}\n`);
  for (const { first, last } of report.intact.slice(0, RANGES_SHOWN_MAX)) {
    context.out.push(`${paint('green', 'intact'.padEnd(20))}sequence ${formatCount(first)} to ${formatCount(last)}\n`);
  }
  for (const damage of report.damage.slice(0, DAMAGE_SHOWN_MAX)) {
    context.out.push(`${paint('red', 'damaged'.padEnd(20))}${describe(damage)}\n`);
  }
  const more = report.damageCount - DAMAGE_SHOWN_MAX;
  if (more > 0) context.out.push(`${paint('red', 'damaged'.padEnd(20))}and ${formatCount(more)} more: see --json\n`);
}

function describe({ kind, file, offset, sequence, message }: Damage): string {
  const where = sequence === undefined ? '' : `sequence ${formatCount(sequence)}, `;
  return `${kind}: ${where}${file} at ${formatCount(offset)}: ${message}`;
}

function signatures(report: VerifyReport): string {
  if (report.signedBlocks === 0n) return 'not signed';
  const keys = `${formatCount(report.signedBlocks)} signed by ${report.keyIds.join(', ')}`;
  return report.isSignatureChecked ? keys : `${keys}, not checked: give --key`;
}

function tell(report: VerifyReport, durationMs: number, context: Context): void {
  const { paintError: paint } = context;
  const [first] = report.damage;
  const verdict =
    first === undefined
      ? paint('green', report.blocks === 0n ? 'nothing is sealed' : 'intact')
      : paint('red', `damaged: first ${describe(first)}`);
  const amount = `${plural(report.entries, 'entry')} as sealed`;
  context.say(`${paint('bold', amount)} · ${verdict} · ${Math.round(durationMs)} ms`);
}
