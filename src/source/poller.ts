// Blocks a thread until one of some descriptors can be read, or an eventfd was written by whoever wants the thread back.

import { EPOLL_CTL_ADD, EPOLLIN, EPOLLPRI, type Native, systemCallError } from '../arena/native.ts';

const EPOLL_CLOEXEC = 0o2000000;
/** struct epoll_event: u32 events, u64 data; packed on x86 only. */
const EVENT_LENGTH = process.arch === 'x64' ? 12 : 16;
const EVENT_DATA_OFFSET = process.arch === 'x64' ? 4 : 8;
const EVENTS_MAX = 4;

export class Poller {
  readonly #native: Native;
  readonly #epoll: number;
  readonly #wakeFd: number;
  readonly #events = Buffer.alloc(EVENT_LENGTH * EVENTS_MAX);
  readonly #count = Buffer.alloc(8);
  readonly #alarmFd: number;

  /**
   * @param wakeFd A non-blocking eventfd: emptied when it ends a wait.
   * @param alarmFd A file of the kernel's that is said to have changed, as /proc/self/mountinfo; -1 = none.
   */
  constructor(native: Native, fds: readonly number[], wakeFd: number, alarmFd = -1) {
    this.#native = native;
    this.#wakeFd = wakeFd;
    this.#alarmFd = alarmFd;
    this.#epoll = native.epollCreate(EPOLL_CLOEXEC);
    if (this.#epoll < 0) throw systemCallError(native, 'epoll_create1', '');
    for (const fd of [...fds, wakeFd]) this.#add(fd, EPOLLIN);
    if (alarmFd >= 0) this.#add(alarmFd, EPOLLPRI);
  }

  /** Returns at once if something can be read already; on a signal, too. True: what alarmFd stands for has changed since the last call. */
  wait(timeoutMs: number): boolean {
    let isAlarmed = false;
    const count = this.#native.epollWait(this.#epoll, this.#events, EVENTS_MAX, Math.max(0, Math.ceil(timeoutMs)));
    for (let event = 0; event < count; event++) {
      const fd = this.#events.readInt32LE(event * EVENT_LENGTH + EVENT_DATA_OFFSET);
      if (fd === this.#wakeFd) this.#native.read(fd, this.#count, 8);
      if (fd === this.#alarmFd) isAlarmed = true;
    }
    return isAlarmed;
  }

  close(): void {
    this.#native.close(this.#epoll);
  }

  #add(fd: number, events: number): void {
    const event = Buffer.alloc(EVENT_LENGTH);
    event.writeUInt32LE(events, 0);
    event.writeInt32LE(fd, EVENT_DATA_OFFSET);
    if (this.#native.epollControl(this.#epoll, EPOLL_CTL_ADD, fd, event) !== 0) {
      throw systemCallError(this.#native, 'epoll_ctl', `fd=${fd}`);
    }
  }
}
