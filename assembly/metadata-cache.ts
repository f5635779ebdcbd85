// A bounded cache that threads and processes share (layout/metadata-cache.ts). Reading takes no lock and waits for nobody.
//
//   get:        G1. Load the sequence; odd: a miss.   G2. Load key, expiry and value, word by word.   G3. Load the sequence again; if it differs: once more, then a miss.
//   put:        M1. Choose a slot of the set: the one that has the key, an empty one, an expired one, one that was not used of late.
//               M2. Compare-and-swap its owner from 0 to the own token. If somebody writes it: the same key: M8; else another slot.
//               M3. Make the sequence odd.   M4. Write tag, key, expiry, value.
//               M5. Compare-and-swap the sequence to the next even one. If it has changed the value is dropped: it was invalidated meanwhile.
//               M6. Compare-and-swap the owner from the own token to 0.   M7. The same key in other slots of the set (two puts at once): M8.
//   invalidate: M8. For each slot with the key's tag: compare-and-swap the sequence to the next odd one. It is empty then, and a put between M3 and M5 fails.
//
// Why a value is never torn: a writer changes the sequence before (M3) and after (M5), and it never returns to an old value; all loads between G1 and G3 are of one state.
// M4's stores and G2's loads are atomic, so that this holds off x86 as well.
//
// Why nothing stale comes back: if two puts of one key use two slots, whoever comes to M7 last sees the other's M5, and empties it. In the worst case both are emptied.
//
// What a death leaves: a slot whose owner is dead; its sequence is odd (M3 to M5: empty) or even (before or after: whole). metadataReclaim sets the owner to 0, and that is all.

import {
  METADATA_COUNT_DROPPED_OFFSET,
  METADATA_COUNT_EVICTED_OFFSET,
  METADATA_COUNT_EXPIRED_OFFSET,
  METADATA_COUNT_HITS_OFFSET,
  METADATA_COUNT_INVALIDATED_OFFSET,
  METADATA_COUNT_MISSES_OFFSET,
  METADATA_COUNT_STORED_OFFSET,
  METADATA_DROPPED,
  METADATA_HIT,
  METADATA_LENGTH_OFFSET,
  METADATA_MAGIC,
  METADATA_MAGIC_OFFSET,
  METADATA_SEED_OFFSET,
  METADATA_SETS_OFFSET,
  METADATA_SLOT_EXPIRES_OFFSET,
  METADATA_SLOT_KEY_OFFSET,
  METADATA_SLOT_OWNER_OFFSET,
  METADATA_SLOT_SEQUENCE_OFFSET,
  METADATA_SLOT_USED_OFFSET,
  METADATA_SLOT_VALUE_OFFSET,
  METADATA_STATE_HAND_OFFSET,
  METADATA_STATE_ROW_OFFSET,
  METADATA_STATE_SEED_OFFSET,
  METADATA_STATE_SETS_OFFSET,
  METADATA_STATE_SLOT_LENGTH_OFFSET,
  METADATA_STATE_TABLE_OFFSET,
  METADATA_STATE_TOKEN_OFFSET,
  METADATA_STATE_VALUE_LENGTH_OFFSET,
  METADATA_STORED,
  METADATA_TAGS_LENGTH,
  METADATA_VALUE_LENGTH_OFFSET,
  METADATA_WAYS,
} from "../layout/metadata-cache";
import { STATUS_EMPTY, STATUS_FULL } from "../layout/status";
import { countMore, countUp } from "./user-row";

/** Every attempt that fails is another's success: so many are a peer that scribbles. */
// @ts-ignore: decorator
@inline
const WAYS: u32 = METADATA_WAYS;
// @ts-ignore: decorator
@inline
const ATTEMPTS_MAX: u32 = 16;
// @ts-ignore: decorator
@inline
const READS_MAX: u32 = 4;
// @ts-ignore: decorator
@inline
const NONE: i32 = -1;

/** Makes an empty cache in a region of zeros. */
export function metadataInit(cache: usize, table: usize, sets: u32, valueLength: u32, slotLength: u32, length: u32, seed: u64): void {
  const setLength = METADATA_TAGS_LENGTH + WAYS * slotLength;
  for (let set: u32 = 0; set < sets; set++) {
    const slots = table + set * setLength + METADATA_TAGS_LENGTH;
    for (let way: u32 = 0; way < WAYS; way++) store<u64>(slots + way * slotLength, 1, METADATA_SLOT_SEQUENCE_OFFSET);
  }
  store<u32>(cache, sets, METADATA_SETS_OFFSET);
  store<u32>(cache, valueLength, METADATA_VALUE_LENGTH_OFFSET);
  store<u32>(cache, length, METADATA_LENGTH_OFFSET);
  store<u64>(cache, seed, METADATA_SEED_OFFSET);
  // Last. Pairs with the load in MetadataCache.open (src/queue/metadata-cache.ts).
  atomic.store<u32>(cache, METADATA_MAGIC, METADATA_MAGIC_OFFSET);
}

/** Begins a user's state. Everything that the header says comes from the caller, who has checked it. */
export function metadataUserInit(
  state: usize,
  table: u32,
  sets: u32,
  valueLength: u32,
  slotLength: u32,
  row: u32,
  token: u64,
  seed: u64,
): void {
  store<u64>(state, token, METADATA_STATE_TOKEN_OFFSET);
  store<u64>(state, seed, METADATA_STATE_SEED_OFFSET);
  store<u32>(state, table, METADATA_STATE_TABLE_OFFSET);
  store<u32>(state, sets, METADATA_STATE_SETS_OFFSET);
  store<u32>(state, valueLength, METADATA_STATE_VALUE_LENGTH_OFFSET);
  store<u32>(state, slotLength, METADATA_STATE_SLOT_LENGTH_OFFSET);
  store<u32>(state, row, METADATA_STATE_ROW_OFFSET);
  store<u32>(state, 0, METADATA_STATE_HAND_OFFSET);
}

/** Copies the value of the 16 bytes at `key` to `value`: METADATA_HIT, or STATUS_EMPTY. */
export function metadataGet(state: usize, key: usize, value: usize, nowMs: f64): i32 {
  const row = load<u32>(state, METADATA_STATE_ROW_OFFSET) as usize;
  const hash = hashOf(state, key);
  const set = setAddress(state, hash);
  for (let way: u32 = 0; way < WAYS; way++) {
    // Pairs with M4.
    if (atomic.load<u64>(set + (way << 3)) != tagOf(hash)) continue;
    const slot = slotAddress(state, set, way);
    const expires = readSlot(state, slot, key, value);
    if (expires == 1) continue;
    if (expires != 0 && (nowMs as u64) >= expires) {
      countUp(row, METADATA_COUNT_EXPIRED_OFFSET);
      continue;
    }
    // Only the first reader writes: the others find it set.
    if (!load<u32>(slot, METADATA_SLOT_USED_OFFSET)) store<u32>(slot, 1, METADATA_SLOT_USED_OFFSET);
    countUp(row, METADATA_COUNT_HITS_OFFSET);
    return METADATA_HIT;
  }
  countUp(row, METADATA_COUNT_MISSES_OFFSET);
  return STATUS_EMPTY;
}

/** G1 to G3: when it expires, the value being copied; 1 when it is not there. */
function readSlot(state: usize, slot: usize, key: usize, value: usize): u64 {
  const length = load<u32>(state, METADATA_STATE_VALUE_LENGTH_OFFSET);
  for (let read: u32 = 0; read < READS_MAX; read++) {
    // G1. Pairs with M5.
    const sequence = atomic.load<u64>(slot, METADATA_SLOT_SEQUENCE_OFFSET);
    if (sequence & 1) return 1;
    // G2. Pairs with M4.
    const isSame = hasKey(slot, key);
    const expires = atomic.load<u64>(slot, METADATA_SLOT_EXPIRES_OFFSET);
    for (let at: u32 = 0; at < length; at += 8) {
      store<u64>(value + at, atomic.load<u64>(slot + at, METADATA_SLOT_VALUE_OFFSET));
    }
    // G3. Pairs with M3.
    if (atomic.load<u64>(slot, METADATA_SLOT_SEQUENCE_OFFSET) == sequence) return isSame ? expires : 1;
  }
  return 1;
}

/**
 * Keeps the value for ttlMs (0 = until it is evicted or invalidated): METADATA_STORED; METADATA_DROPPED when the same key was written or invalidated at the same time; STATUS_FULL when every
 * slot of the set is being written, perhaps by one that died.
 */
export function metadataPut(state: usize, key: usize, value: usize, nowMs: f64, ttlMs: u32): i32 {
  const row = load<u32>(state, METADATA_STATE_ROW_OFFSET) as usize;
  const hash = hashOf(state, key);
  const set = setAddress(state, hash);
  for (let attempt: u32 = 0; attempt < ATTEMPTS_MAX; attempt++) {
    // M1.
    const way = choose(state, set, key, tagOf(hash), nowMs as u64);
    if (way == NONE) break;
    const slot = slotAddress(state, set, way);
    // M2. Pairs with M6.
    if (atomic.cmpxchg<u64>(slot, 0, load<u64>(state, METADATA_STATE_TOKEN_OFFSET), METADATA_SLOT_OWNER_OFFSET) != 0) {
      if (!isOf(set, slot, way, key, tagOf(hash))) continue;
      empty(slot);
      countUp(row, METADATA_COUNT_DROPPED_OFFSET);
      return METADATA_DROPPED;
    }
    const isStored = write(state, set, way, key, value, tagOf(hash), nowMs as u64, ttlMs);
    // M6. Pairs with M2.
    atomic.cmpxchg<u64>(slot, load<u64>(state, METADATA_STATE_TOKEN_OFFSET), 0, METADATA_SLOT_OWNER_OFFSET);
    // M7.
    invalidateOthers(state, set, key, tagOf(hash), way);
    countUp(row, isStored ? METADATA_COUNT_STORED_OFFSET : METADATA_COUNT_DROPPED_OFFSET);
    return isStored ? METADATA_STORED : METADATA_DROPPED;
  }
  countUp(row, METADATA_COUNT_DROPPED_OFFSET);
  return STATUS_FULL;
}

/** Nobody gets the value of this key any more that was put before: how many slots had it. */
export function metadataInvalidate(state: usize, key: usize): i32 {
  const hash = hashOf(state, key);
  const count = invalidateOthers(state, setAddress(state, hash), key, tagOf(hash), NONE);
  countMore(load<u32>(state, METADATA_STATE_ROW_OFFSET) as usize, METADATA_COUNT_INVALIDATED_OFFSET, count);
  return count as i32;
}

/** Frees the slots that an owner who has died was writing: how many. */
export function metadataReclaim(state: usize, dead: u64): i32 {
  if (dead == 0) return 0;
  const sets = load<u32>(state, METADATA_STATE_SETS_OFFSET);
  let count = 0;
  for (let set: u32 = 0; set < sets; set++) {
    const address = setAddress(state, set);
    for (let way: u32 = 0; way < WAYS; way++) {
      const slot = slotAddress(state, address, way);
      if (atomic.load<u64>(slot, METADATA_SLOT_OWNER_OFFSET) != dead) continue;
      // Pairs with M2 of the dead.
      if (atomic.cmpxchg<u64>(slot, dead, 0, METADATA_SLOT_OWNER_OFFSET) == dead) count += 1;
    }
  }
  return count;
}

/** M1: a way, or NONE when all are being written. */
function choose(state: usize, set: usize, key: usize, tag: u64, nowMs: u64): i32 {
  let free = NONE;
  for (let way: u32 = 0; way < WAYS; way++) {
    const slot = slotAddress(state, set, way);
    if (isOf(set, slot, way, key, tag)) return way as i32;
    if (free != NONE || atomic.load<u64>(slot, METADATA_SLOT_OWNER_OFFSET) != 0) continue;
    if (atomic.load<u64>(slot, METADATA_SLOT_SEQUENCE_OFFSET) & 1 || hasExpired(slot, nowMs)) free = way as i32;
  }
  return free == NONE ? chooseVictim(state, set) : free;
}

/** The clock: who was read since the hand came by last gets another turn. */
function chooseVictim(state: usize, set: usize): i32 {
  let hand = load<u32>(state, METADATA_STATE_HAND_OFFSET);
  let chosen = NONE;
  for (let turn: u32 = 0; turn < 2 * WAYS && chosen == NONE; turn++) {
    const way = hand & (WAYS - 1);
    const slot = slotAddress(state, set, way);
    hand += 1;
    if (atomic.load<u64>(slot, METADATA_SLOT_OWNER_OFFSET) != 0) continue;
    if (load<u32>(slot, METADATA_SLOT_USED_OFFSET)) store<u32>(slot, 0, METADATA_SLOT_USED_OFFSET);
    else chosen = way as i32;
  }
  store<u32>(state, hand, METADATA_STATE_HAND_OFFSET);
  return chosen;
}

/** M3 to M5 on a slot whose owner we are: whether the value is there. */
function write(state: usize, set: usize, way: u32, key: usize, value: usize, tag: u64, nowMs: u64, ttlMs: u32): bool {
  const slot = slotAddress(state, set, way);
  const row = load<u32>(state, METADATA_STATE_ROW_OFFSET) as usize;
  let sequence = atomic.load<u64>(slot, METADATA_SLOT_SEQUENCE_OFFSET);
  if (!(sequence & 1)) {
    if (!hasExpired(slot, nowMs) && !hasKey(slot, key)) countUp(row, METADATA_COUNT_EVICTED_OFFSET);
    // M3. Pairs with G1, G3. An invalidation that comes first makes it odd as well.
    const found = atomic.cmpxchg<u64>(slot, sequence, sequence + 1, METADATA_SLOT_SEQUENCE_OFFSET);
    sequence = found == sequence ? sequence + 1 : found;
    if (!(sequence & 1)) return false;
  }
  // M4. Pairs with G2.
  atomic.store<u64>(set + (way << 3), tag);
  atomic.store<u64>(slot, load<u64>(key), METADATA_SLOT_KEY_OFFSET);
  atomic.store<u64>(slot, load<u64>(key, 8), METADATA_SLOT_KEY_OFFSET + 8);
  // 1 means something else to readSlot.
  atomic.store<u64>(slot, ttlMs == 0 ? 0 : max<u64>(nowMs + ttlMs, 2), METADATA_SLOT_EXPIRES_OFFSET);
  store<u32>(slot, 1, METADATA_SLOT_USED_OFFSET);
  const length = load<u32>(state, METADATA_STATE_VALUE_LENGTH_OFFSET);
  for (let at: u32 = 0; at < length; at += 8) {
    atomic.store<u64>(slot + at, load<u64>(value + at), METADATA_SLOT_VALUE_OFFSET);
  }
  // M5. Pairs with G1; fails after M8.
  return atomic.cmpxchg<u64>(slot, sequence, sequence + 1, METADATA_SLOT_SEQUENCE_OFFSET) == sequence;
}

/** M8 on every slot with this key but `except`. */
function invalidateOthers(state: usize, set: usize, key: usize, tag: u64, except: i32): u32 {
  let count: u32 = 0;
  for (let way: u32 = 0; way < WAYS; way++) {
    const slot = slotAddress(state, set, way);
    if ((way as i32) != except && isOf(set, slot, way, key, tag) && empty(slot)) count += 1;
  }
  return count;
}

/** M8: whether it held something. An odd sequence goes to the next odd one, so that a put in its middle fails. */
function empty(slot: usize): bool {
  for (let attempt: u32 = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const sequence = atomic.load<u64>(slot, METADATA_SLOT_SEQUENCE_OFFSET);
    const next = sequence + 1 + (sequence & 1);
    // Pairs with M5, G1.
    if (atomic.cmpxchg<u64>(slot, sequence, next, METADATA_SLOT_SEQUENCE_OFFSET) == sequence) return !(sequence & 1);
  }
  return false;
}

/** Whether the slot holds this key, or somebody is just writing it there. */
// @ts-ignore: decorator
@inline
function isOf(set: usize, slot: usize, way: u32, key: usize, tag: u64): bool {
  return atomic.load<u64>(set + (way << 3)) == tag && hasKey(slot, key);
}

// @ts-ignore: decorator
@inline
function hasKey(slot: usize, key: usize): bool {
  return (
    atomic.load<u64>(slot, METADATA_SLOT_KEY_OFFSET) == load<u64>(key) &&
    atomic.load<u64>(slot, METADATA_SLOT_KEY_OFFSET + 8) == load<u64>(key, 8)
  );
}

// @ts-ignore: decorator
@inline
function hasExpired(slot: usize, nowMs: u64): bool {
  const expires = atomic.load<u64>(slot, METADATA_SLOT_EXPIRES_OFFSET);
  return expires != 0 && nowMs >= expires;
}

/** Two rounds of multiply and fold: every bit of the key reaches the set and the tag. */
// @ts-ignore: decorator
@inline
function hashOf(state: usize, key: usize): u64 {
  let hash = (load<u64>(key) ^ load<u64>(state, METADATA_STATE_SEED_OFFSET)) * 0x9e3779b185ebca87;
  hash = (rotl<u64>(hash, 29) ^ load<u64>(key, 8)) * 0xc2b2ae3d27d4eb4f;
  hash = (hash ^ (hash >> 32)) * 0x165667b19e3779f9;
  return hash ^ (hash >> 29);
}

/** Never 0, which is the tag of no key. */
// @ts-ignore: decorator
@inline
function tagOf(hash: u64): u64 {
  return hash | 1;
}

// @ts-ignore: decorator
@inline
function setAddress(state: usize, hash: u64): usize {
  const set = (hash as u32) & (load<u32>(state, METADATA_STATE_SETS_OFFSET) - 1);
  const setLength = METADATA_TAGS_LENGTH + WAYS * load<u32>(state, METADATA_STATE_SLOT_LENGTH_OFFSET);
  return (load<u32>(state, METADATA_STATE_TABLE_OFFSET) as usize) + set * setLength;
}

// @ts-ignore: decorator
@inline
function slotAddress(state: usize, set: usize, way: u32): usize {
  return set + METADATA_TAGS_LENGTH + way * load<u32>(state, METADATA_STATE_SLOT_LENGTH_OFFSET);
}
