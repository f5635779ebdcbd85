// Which event ids a file has, and under each a checksum of its event: an open hash table over typed arrays, 20 bytes an id and more room, because a Map of
// bigints would take five times as much.

export const ID_NEW = 1;
/** The journal has this very event. */
export const ID_KNOWN = 2;
/** The journal has another event under this id. */
export const ID_CONFLICT = 3;

const CAPACITY_MIN = 1024;
const IDS_MAX = 1 << 28;

export class EventIds {
  #ids = new BigUint64Array(CAPACITY_MIN);
  #checksums = new Uint32Array(CAPACITY_MIN);
  /** 0 = free. */
  #states = new Uint8Array(CAPACITY_MIN);
  size = 0;

  /** Index of the id's row; negative if it has none. */
  find(id: bigint): number {
    const index = this.#locate(id);
    return this.#states[index] === 0 ? -1 : index;
  }

  /** Adds an id that is not there yet. */
  add(id: bigint, checksum: number, state: number): void {
    if (this.size * 2 >= this.#ids.length) this.#grow();
    this.#put(this.#locate(id), id, checksum, state);
    this.size += 1;
  }

  checksum(index: number): number {
    return this.#checksums[index] as number;
  }

  state(index: number): number {
    return this.#states[index] as number;
  }

  setState(index: number, state: number): void {
    this.#states[index] = state;
  }

  #locate(id: bigint): number {
    const mask = this.#ids.length - 1;
    const low = Number(id & 0xffffffffn);
    const high = Number(id >> 32n);
    let index = Math.imul(Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) ^ (low >>> 15), 0x27d4eb2f) & mask;
    while (this.#states[index] !== 0 && this.#ids[index] !== id) index = (index + 1) & mask;
    return index;
  }

  #put(index: number, id: bigint, checksum: number, state: number): void {
    this.#ids[index] = id;
    this.#checksums[index] = checksum;
    this.#states[index] = state;
  }

  #grow(): void {
    const [ids, checksums, states] = [this.#ids, this.#checksums, this.#states];
    const capacity = ids.length * 2;
    if (capacity > IDS_MAX) throw new RangeError(`event ids: count=${this.size}, at most ${IDS_MAX / 2}`);
    this.#ids = new BigUint64Array(capacity);
    this.#checksums = new Uint32Array(capacity);
    this.#states = new Uint8Array(capacity);
    for (let index = 0; index < ids.length; index++) {
      const state = states[index] as number;
      if (state === 0) continue;
      const id = ids[index] as bigint;
      this.#put(this.#locate(id), id, checksums[index] as number, state);
    }
  }
}
