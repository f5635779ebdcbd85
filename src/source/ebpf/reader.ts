// The half of the eBPF source that lives in the ingest worker: it waits. The kernel writes into the ring by itself.

import { GAP_CAUSE_TABLE_FULL } from '../../../layout/entry.ts';
import {
  KERNEL_COUNTER_DROPPED_NESTED_OFFSET,
  KERNEL_COUNTER_DROPPED_TABLE_FULL_OFFSET,
  KERNEL_SETTINGS_PARKED_OFFSET,
} from '../../../layout/kernel-control.ts';
import { PAGE_LENGTH } from '../../../layout/limits.ts';
import { RING_CONSUMER_POSITION_OFFSET, RING_PRODUCER_POSITION_OFFSET } from '../../../layout/ring.ts';
import type { Arena } from '../../arena/arena.ts';
import { EPOLL_CTL_ADD, EPOLLIN, errnoName, type Native, systemCallError } from '../../arena/native.ts';
import { CausewayError } from '../../base/errors.ts';
import type { SourceLoss, SourcePlan, SourceReader } from '../source.ts';

/** linux/eventpoll.h: packed on x86-64 only. */
const EPOLL_EVENT_LENGTH = process.arch === 'x64' ? 12 : 16;
const EVENTS_MAX = 2;
const EVENTFD_LENGTH = 8;
const COUNTERS_AT = PAGE_LENGTH;

/** @throws CausewayError SOURCE_FAILED when the plan is of another kind, SYSTEM_CALL_FAILED. */
export function openEbpfReader(arena: Arena, plan: SourcePlan): SourceReader {
  const { ringFd, wakeFd, controlAddress } = plan.details;
  if (
    plan.kind !== 'ebpf' ||
    typeof ringFd !== 'number' ||
    typeof wakeFd !== 'number' ||
    typeof controlAddress !== 'number'
  ) {
    throw new CausewayError('SOURCE_FAILED', `not a plan of the eBPF source: kind=${plan.kind}`);
  }
  if (arena.native === undefined) throw new CausewayError('CAPABILITY_MISSING', 'koffi is not available here');
  return new EbpfReader(arena, arena.native, { ringAddress: plan.ringAddress, ringFd, wakeFd, controlAddress });
}

interface Places {
  ringAddress: number;
  ringFd: number;
  wakeFd: number;
  controlAddress: number;
}

class EbpfReader implements SourceReader {
  readonly finished = false;
  private readonly arena: Arena;
  private readonly native: Native;
  private readonly places: Places;
  private readonly parkedIndex: number;
  private readonly epoll: number;
  private readonly events = Buffer.alloc(EVENTS_MAX * EPOLL_EVENT_LENGTH);
  private readonly wakeCount = Buffer.alloc(EVENTFD_LENGTH);
  private unseenBefore: bigint;
  private closed = false;

  constructor(arena: Arena, native: Native, places: Places) {
    this.arena = arena;
    this.native = native;
    this.places = places;
    this.parkedIndex = (places.controlAddress + KERNEL_SETTINGS_PARKED_OFFSET) / 4;
    this.unseenBefore = this.unseen();
    this.epoll = native.epollCreate(0o2000000);
    if (this.epoll < 0) throw systemCallError(native, 'epoll_create1', 'eBPF reader');
    for (const fd of [places.ringFd, places.wakeFd]) {
      const event = Buffer.alloc(EPOLL_EVENT_LENGTH);
      event.writeUInt32LE(EPOLLIN, 0);
      event.writeInt32LE(fd, EPOLL_EVENT_LENGTH - 8);
      if (native.epollControl(this.epoll, EPOLL_CTL_ADD, fd, event) < 0) {
        throw systemCallError(native, 'epoll_ctl', `fd=${fd}`);
      }
    }
  }

  poll(): number {
    return 0;
  }

  /** Steps (1) to (3) of the argument in bpf/emit.h: say that we sleep, look once more, sleep. */
  wait(timeoutMs: number): void {
    if (this.closed) return;
    const { arena, native, epoll } = this;
    Atomics.store(arena.i32, this.parkedIndex, 1);
    if (this.isEmpty()) {
      const ready = native.epollWait(epoll, this.events, EVENTS_MAX, timeoutMs);
      if (ready < 0 && errnoName(native.errno()) !== 'EINTR') {
        Atomics.store(arena.i32, this.parkedIndex, 0);
        throw systemCallError(native, 'epoll_wait', 'eBPF reader');
      }
      // Resets the eventfd; EAGAIN when it was not the one that woke us.
      if (ready > 0) native.read(this.places.wakeFd, this.wakeCount, EVENTFD_LENGTH);
    }
    Atomics.store(arena.i32, this.parkedIndex, 0);
  }

  takeLosses(): SourceLoss[] {
    const unseen = this.unseen();
    const count = unseen - this.unseenBefore;
    this.unseenBefore = unseen;
    return count === 0n ? [] : [{ cause: GAP_CAUSE_TABLE_FULL, from: 0n, to: 0n, count }];
  }

  /** A program hands its record over before the system call returns: what happened before this call is below the producer's position. */
  mark(): bigint {
    return Atomics.load(this.arena.u64, (this.places.ringAddress + RING_PRODUCER_POSITION_OFFSET) / 8);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.native.close(this.epoll);
  }

  private isEmpty(): boolean {
    const consumer = Atomics.load(this.arena.u64, (this.places.ringAddress + RING_CONSUMER_POSITION_OFFSET) / 8);
    return this.mark() === consumer;
  }

  /** Drops that took no lane sequence, so that no gap in a lane shows them. */
  private unseen(): bigint {
    const at = this.places.controlAddress + COUNTERS_AT;
    const load = (offset: number) => Atomics.load(this.arena.u64, (at + offset) / 8);
    return load(KERNEL_COUNTER_DROPPED_TABLE_FULL_OFFSET) + load(KERNEL_COUNTER_DROPPED_NESTED_OFFSET);
  }
}
