// The fanotify group as a queue of events that can be looked into.

import { type Native, systemCallError } from '../../arena/native.ts';
import { CausewayError } from '../../base/errors.ts';
import { FAN_RENAME, FANOTIFY_METADATA_LENGTH, FIONREAD } from './abi.ts';
import { type FanotifyEvent, parseEvents } from './events.ts';

const EAGAIN = 11;
const EINTR = 4;
/** The kernel refuses a read into less room than one event needs: two names and three handles, with their headers. */
const BUFFER_LENGTH = 64 * 1024;
/** How far behind the first half of an exchange the second one may be: other processes' events come in between. */
const INVERSE_DISTANCE_MAX = 64;

export class EventQueue {
  readonly #native: Native;
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(BUFFER_LENGTH);
  #events: (FanotifyEvent | undefined)[] = [];
  #next = 0;
  /** Events that were read in all. */
  #readTotal = 0;
  /** What the last fill() has read. */
  fresh: readonly FanotifyEvent[] = [];
  readonly #ioctlResult = Buffer.alloc(4);

  constructor(native: Native, fd: number) {
    this.#native = native;
    this.#fd = fd;
  }

  /** Something was read and not taken yet. */
  get hasBuffered(): boolean {
    return this.#next < this.#events.length;
  }

  /** How many events were taken of all that the kernel queued. */
  get position(): number {
    return this.#readTotal - (this.#events.length - this.#next);
  }

  /** The position behind the last event that is queued now, here or in the kernel. */
  tailPosition(): number {
    if (this.#native.ioctl(this.#fd, FIONREAD, this.#ioctlResult) !== 0) return this.#readTotal;
    return this.#readTotal + Math.ceil(this.#ioctlResult.readInt32LE(0) / FANOTIFY_METADATA_LENGTH);
  }

  /**
   * Reads what the kernel has, as far as there is room. False: there was nothing to read.
   * @param malformed Gets the number of events that could not be understood, if any.
   * @throws CausewayError SOURCE_FAILED, SYSTEM_CALL_FAILED
   */
  fill(malformed: (count: number) => void): boolean {
    const length = Number(this.#native.read(this.#fd, this.#buffer, BUFFER_LENGTH));
    if (length < 0) {
      const errno = this.#native.errno();
      if (errno === EAGAIN || errno === EINTR) return false;
      throw systemCallError(this.#native, 'read', `fanotify, fd=${this.#fd}`);
    }
    if (length > BUFFER_LENGTH) throw new CausewayError('SOURCE_FAILED', `fanotify: read ${length} bytes`);
    const parsed = parseEvents(this.#buffer, length);
    this.fresh = parsed.events;
    this.#events = this.hasBuffered ? [...this.#events.slice(this.#next), ...parsed.events] : parsed.events;
    this.#next = 0;
    this.#readTotal += parsed.events.length + parsed.malformed;
    if (parsed.malformed > 0) malformed(parsed.malformed);
    return length > 0;
  }

  /** The next event; undefined: nothing is buffered. */
  take(): FanotifyEvent | undefined {
    while (this.hasBuffered) {
      const event = this.#events[this.#next];
      this.#next += 1;
      if (event !== undefined) return event;
    }
    return undefined;
  }

  /**
   * After the rename `event`: whether the same process renamed another file the other way round, as renameat2(RENAME_EXCHANGE) tells it. That event
   * is taken out if so.
   */
  takeInverse(event: FanotifyEvent): boolean {
    const end = Math.min(this.#events.length, this.#next + INVERSE_DISTANCE_MAX);
    for (let at = this.#next; at < end; at++) {
      const other = this.#events[at];
      if (other === undefined || other.pid !== event.pid || !(other.mask & FAN_RENAME)) continue;
      const isInverse =
        other.directory === event.newDirectory &&
        other.name === event.newName &&
        other.newDirectory === event.directory &&
        other.newName === event.name;
      if (!isInverse || other.target === event.target) return false;
      this.#events[at] = undefined;
      return true;
    }
    return false;
  }
}
