// A fanotify group: opened and marked by the host, read by the reader. A mark is on a whole file system: nothing falls between mkdir and mark, and what
// is outside of the roots is left out here, in user space.

import os from 'node:os';
import { errnoName, loadNative, type Native, nativeFailure } from '../../arena/native.ts';
import { CausewayError } from '../../base/errors.ts';
import { toBytes } from '../tree/look.ts';
import * as abi from './abi.ts';

const INIT_FLAGS =
  abi.FAN_CLASS_NOTIF |
  abi.FAN_CLOEXEC |
  abi.FAN_NONBLOCK |
  abi.FAN_REPORT_FID |
  abi.FAN_REPORT_DIR_FID |
  abi.FAN_REPORT_NAME |
  abi.FAN_REPORT_TARGET_FID;
/** Of the descriptors in events, which a group that reports handles does not open. */
const EVENT_FLAGS = 0;

export interface FanotifyProbe {
  ok: boolean;
  /** What is missing, one line each. */
  reasons: string[];
}

/** Whether a group can be opened and may mark file systems; which of them it can shows when they are. */
export function probeFanotify(): FanotifyProbe {
  const native = loadNative();
  if (native === undefined) return { ok: false, reasons: [`koffi: ${nativeFailure()}`] };
  const fd = native.fanotifyInit(INIT_FLAGS, EVENT_FLAGS);
  if (fd < 0) return { ok: false, reasons: [initReason(native.errno())] };
  // Since Linux 5.13 anybody may open a group, but not mark with it what is not his.
  const errno = markFilesystem(native, fd, os.tmpdir(), abi.FAN_CREATE);
  native.close(fd);
  return errnoName(errno) === 'EPERM' ? { ok: false, reasons: [markReason(errno)] } : { ok: true, reasons: [] };
}

/** @throws CausewayError CAPABILITY_MISSING with what the machine lacks. */
export function openGroup(native: Native): number {
  const fd = native.fanotifyInit(INIT_FLAGS, EVENT_FLAGS);
  if (fd >= 0) return fd;
  throw new CausewayError('CAPABILITY_MISSING', initReason(native.errno()), {
    hint: 'causeway doctor says what each source needs',
  });
}

/** Asks for these events of the whole file system that the path is on: 0, or the errno. */
export function markFilesystem(native: Native, group: number, path: string, mask: number): number {
  const bytes = Buffer.concat([toBytes(path), Buffer.of(0)]);
  const flags = abi.FAN_MARK_ADD | abi.FAN_MARK_FILESYSTEM;
  // As unsigned: the mask has 64 bits, of which ours are in the low half.
  const done = native.fanotifyMark(group, flags, BigInt(mask >>> 0), abi.AT_FDCWD, bytes);
  return done === 0 ? 0 : native.errno();
}

/** Why a file system cannot be marked. */
export function markReason(errno: number): string {
  const name = errnoName(errno);
  switch (name) {
    case 'EPERM':
      return 'fanotify_mark: EPERM: needs root (CAP_SYS_ADMIN)';
    case 'ENODEV':
    case 'ENOTSUP':
    case 'EXDEV':
      return `fanotify_mark: ${name}: its file system has no file handles, or no number of its own`;
    default:
      return `fanotify_mark: ${name}`;
  }
}

function initReason(errno: number): string {
  const name = errnoName(errno);
  switch (name) {
    case 'EPERM':
      return 'fanotify_init: EPERM: needs root (CAP_SYS_ADMIN)';
    case 'EINVAL':
      return 'fanotify_init: EINVAL: needs Linux 5.17, which names what was renamed and what a name stands for';
    case 'ENOSYS':
      return 'fanotify_init: ENOSYS: needs a kernel with CONFIG_FANOTIFY';
    case 'EMFILE':
      return 'fanotify_init: EMFILE: too many groups or files are open (fs.fanotify.max_user_groups)';
    default:
      return `fanotify_init: ${name}`;
  }
}
