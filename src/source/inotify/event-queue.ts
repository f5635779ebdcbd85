// The inotify descriptor as a queue of events that can be looked into: the two halves of a rename are found before anything in between is handled.

import { type Native, systemCallError } from '../../arena/native.ts';
import { CausewayError } from '../../base/errors.ts';
import {
  FIONREAD,
  IN_CLOEXEC,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_NONBLOCK,
  INOTIFY_EVENT_COOKIE_OFFSET,
  INOTIFY_EVENT_HEADER_LENGTH,
  INOTIFY_EVENT_MASK_OFFSET,
  INOTIFY_EVENT_NAME_LENGTH_OFFSET,
  INOTIFY_EVENT_WD_OFFSET,
  INOTIFY_NAME_LENGTH_MAX,
} from './abi.ts';

const EAGAIN = 11;
const EINTR = 4;
const BUFFER_LENGTH = 256 * 1024;
/** The kernel refuses a read into less room than one event needs. */
const EVENT_LENGTH_MAX = INOTIFY_EVENT_HEADER_LENGTH + INOTIFY_NAME_LENGTH_MAX;

export interface InotifyEvent {
  wd: number;
  mask: number;
  cookie: number;
  /** Byte string; empty when the event is about the watched object itself. */
  name: string;
}

export class EventQueue {
  readonly fd: number;
  readonly #native: Native;
  readonly #buffer = Buffer.alloc(BUFFER_LENGTH);
  #start = 0;
  #end = 0;
  /** Bytes that were read in all, and offsets (in that count) of events in the buffer that were taken out of turn. */
  #readTotal = 0;
  readonly #taken = new Set<number>();
  readonly #ioctlResult = Buffer.alloc(4);

  /** @throws CausewayError SYSTEM_CALL_FAILED (EMFILE: max_user_instances reached). */
  constructor(native: Native) {
    this.#native = native;
    this.fd = native.inotifyInit(IN_NONBLOCK | IN_CLOEXEC);
    if (this.fd < 0) throw systemCallError(native, 'inotify_init1', 'see fs.inotify.max_user_instances');
  }

  close(): void {
    this.#native.close(this.fd);
  }

  /** Something is in the buffer already. */
  get hasBuffered(): boolean {
    return this.#start < this.#end;
  }

  /** Place of the next event in the stream of all bytes that the kernel queues. */
  get position(): number {
    return this.#readTotal - (this.#end - this.#start);
  }

  /** Place behind the last event that is queued now, here or in the kernel. */
  tailPosition(): number {
    this.#native.ioctl(this.fd, FIONREAD, this.#ioctlResult);
    return this.#readTotal + this.#ioctlResult.readInt32LE(0);
  }

  /**
   * Reads what the kernel has, behind what is still here. False: there was nothing to read, or no room for it.
   * @throws CausewayError SOURCE_FAILED
   */
  fill(): boolean {
    if (this.#start > 0 && BUFFER_LENGTH - this.#end < EVENT_LENGTH_MAX) this.#compact();
    const room = BUFFER_LENGTH - this.#end;
    if (room < EVENT_LENGTH_MAX) return false;
    const count = Number(this.#native.read(this.fd, this.#buffer.subarray(this.#end), room));
    if (count < 0) {
      const errno = this.#native.errno();
      if (errno === EAGAIN || errno === EINTR) return false;
      throw systemCallError(this.#native, 'read', `inotify, fd=${this.fd}`);
    }
    if (count > room) throw new CausewayError('SOURCE_FAILED', `inotify: read ${count} bytes into ${room}`);
    this.#end += count;
    this.#readTotal += count;
    return count > 0;
  }

  /** The next event, which stays: advance() takes it. undefined: the buffer is empty. */
  peek(): InotifyEvent | undefined {
    while (this.#start < this.#end) {
      const length = this.#lengthAt(this.#start);
      if (!this.#taken.delete(this.position)) return this.#eventAt(this.#start);
      this.#start += length;
    }
    this.#start = 0;
    this.#end = 0;
    return undefined;
  }

  advance(): void {
    this.#start += this.#lengthAt(this.#start);
  }

  /**
   * The MOVED_TO with this cookie behind the next event, taken out of the buffer.
   * 'absent': it is not in the buffer (but may come). Only for a cookie of the event that peek() shows.
   */
  takeMovedTo(cookie: number): InotifyEvent | 'absent' {
    let at = this.#start + this.#lengthAt(this.#start);
    while (at < this.#end) {
      const length = this.#lengthAt(at);
      if (this.#maskAt(at) & IN_MOVED_TO && this.#buffer.readUInt32LE(at + INOTIFY_EVENT_COOKIE_OFFSET) === cookie) {
        this.#taken.add(this.#readTotal - (this.#end - at));
        return this.#eventAt(at);
      }
      at += length;
    }
    return 'absent';
  }

  /**
   * After a rename from -> to: whether the next event but one begins the rename to -> from, as renameat2(RENAME_EXCHANGE) queues them. Its two
   * halves are taken out if so.
   */
  takeInverse(from: InotifyEvent, to: InotifyEvent): boolean {
    const isHalf = (event: InotifyEvent, like: InotifyEvent) => event.wd === like.wd && event.name === like.name;
    let at = this.#start + this.#lengthAt(this.#start);
    while (at < this.#end && this.#taken.has(this.#readTotal - (this.#end - at))) at += this.#lengthAt(at);
    const next = at + (at < this.#end ? this.#lengthAt(at) : 0);
    if (next >= this.#end) return false;
    const [first, second] = [this.#eventAt(at), this.#eventAt(next)];
    if (!(first.mask & IN_MOVED_FROM) || !isHalf(first, to)) return false;
    if (!(second.mask & IN_MOVED_TO) || !isHalf(second, from) || second.cookie !== first.cookie) return false;
    this.#taken.add(this.#readTotal - (this.#end - at));
    this.#taken.add(this.#readTotal - (this.#end - next));
    return true;
  }

  #compact(): void {
    this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
  }

  #maskAt(at: number): number {
    return this.#buffer.readUInt32LE(at + INOTIFY_EVENT_MASK_OFFSET);
  }

  /** Bytes of the event at `at`, checked against what was read. */
  #lengthAt(at: number): number {
    const available = this.#end - at;
    const nameLength =
      available < INOTIFY_EVENT_HEADER_LENGTH ? 0 : this.#buffer.readUInt32LE(at + INOTIFY_EVENT_NAME_LENGTH_OFFSET);
    const length = INOTIFY_EVENT_HEADER_LENGTH + nameLength;
    if (length > available || nameLength > INOTIFY_NAME_LENGTH_MAX) {
      const place = this.#readTotal - available;
      throw new CausewayError(
        'SOURCE_FAILED',
        `inotify: event at ${place}: nameLength=${nameLength}, nameLengthMax=${INOTIFY_NAME_LENGTH_MAX}, available=${available}`,
      );
    }
    return length;
  }

  #eventAt(at: number): InotifyEvent {
    const nameStart = at + INOTIFY_EVENT_HEADER_LENGTH;
    let nameEnd = at + this.#lengthAt(at);
    // Filled up with NULs, of which a name has none.
    while (nameEnd > nameStart && this.#buffer[nameEnd - 1] === 0) nameEnd -= 1;
    return {
      wd: this.#buffer.readInt32LE(at + INOTIFY_EVENT_WD_OFFSET),
      mask: this.#maskAt(at),
      cookie: this.#buffer.readUInt32LE(at + INOTIFY_EVENT_COOKIE_OFFSET),
      name: this.#buffer.toString('latin1', nameStart, nameEnd),
    };
  }
}
