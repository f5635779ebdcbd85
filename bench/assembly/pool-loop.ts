// Takes records from a pool, writes into them, and gives them back: what a pipeline in wasm does with a pool, with nothing else in it.

import { poolGive, poolTake } from "../../assembly/pool";
import { STATUS_FULL } from "../../layout/status";

/** Records that are held at a time. */
// @ts-ignore: decorator
@inline
const HELD: u32 = 4;

/** `count` takes and gives, a multiple of HELD; `held`: HELD u32 of the caller's own. Answers the sum of what it wrote and read back. */
export function cycleChunk(state: usize, held: usize, first: u64, count: u32): u64 {
  let sum: u64 = 0;
  for (let done: u32 = 0; done < count; done += HELD) {
    for (let index: u32 = 0; index < HELD; index++) {
      let record = poolTake(state);
      while (record == STATUS_FULL) record = poolTake(state);
      store<u64>(record as u32 as usize, first + done + index);
      store<u32>(held + (index << 2), record as u32);
    }
    for (let index: u32 = 0; index < HELD; index++) {
      const record = load<u32>(held + (index << 2));
      sum += load<u64>(record as usize);
      poolGive(state, record);
    }
  }
  return sum;
}
