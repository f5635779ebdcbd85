/*
 * A producer for Causeway's peer source, in C11 or C++: one header over layout.h, which has every offset and number (generated from layout/ in the sources).
 *
 *   struct causeway_peer peer;
 *   int code = causeway_peer_open(&peer, handle);      // a path, or /proc/PID/fd/N, as the engine's stats().source.peers says
 *   if (code) { fprintf(stderr, "%s\n", peer.error); exit(code); }
 *   struct causeway_record record = {0};
 *   record.op = KERNEL_OP_FILE_WRITE; record.path = "/srv/a"; record.path_length = 6; ...
 *   causeway_peer_write(&peer, &record);               // or offer, and wait when it is full
 *   causeway_peer_publish(&peer);                      // once per batch: now the engine sees it, and is woken if it sleeps
 *   causeway_peer_close(&peer);
 *
 * One thread uses a peer. Rules of the ring: layout/peer.ts and layout/ring.ts. What happens when this process is killed, at any place: all that was published
 * is delivered; numbers that were given and not published are told as a gap; the next producer takes the ring over where this one published last:
 *   1. `numbered` is stored, then the position, then `handedOver` (causeway_peer_publish). A successor numbers on behind `numbered`.
 *   2. Nothing of a record is seen before the position is beyond it.
 */
#ifndef CAUSEWAY_PEER_H
#define CAUSEWAY_PEER_H

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE before the first include: file seals and futexes are Linux's"
#endif

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "layout.h"

/* What causeway_peer_open answers, the same numbers as the exit codes of the command line. */
#define CAUSEWAY_PEER_OK 0
#define CAUSEWAY_PEER_FAILED 1       /* a system call failed, or a living producer has the ring */
#define CAUSEWAY_PEER_INCOMPATIBLE 3 /* no such file, or of another version or layout */
#define CAUSEWAY_PEER_DENIED 4
#define CAUSEWAY_PEER_CORRUPT 5 /* not an arena with a peer's ring, or one that may shrink under us */

struct causeway_peer {
  uint8_t *ring;
  uint32_t capacity;
  /* The ring's number: the cpu of its records. */
  uint32_t lane;
  /* Where the next reservation goes. */
  uint64_t position;
  /* The engine's position as last seen. */
  uint64_t cached;
  /* laneSequence of the last record. */
  uint64_t sequence;
  uint64_t owner;
  char error[512];
};

/* The fields of layout/kernel-record.ts. What is 0 is not known. Paths are bytes without a NUL. */
struct causeway_record {
  uint16_t op, variant, flags;
  uint64_t time_ns, duration_ns, inode, device, size;
  int64_t amount;
  uint64_t argument;
  uint32_t pid, tid, uid, gid, error, mode, submit_delay_ns;
  /* At most COMM_LENGTH bytes. */
  const char *comm;
  const void *path, *path2;
  uint32_t path_length, path2_length;
};

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "records are little-endian"
#endif

static inline uint64_t *causeway_word64(const struct causeway_peer *peer, uint32_t offset) {
  return (uint64_t *)(void *)(peer->ring + offset);
}

static inline uint32_t *causeway_word32(const struct causeway_peer *peer, uint32_t offset) {
  return (uint32_t *)(void *)(peer->ring + offset);
}

/* Bytes that a record of this length takes in the ring. */
static inline uint32_t causeway_taken(uint32_t length) { return (length + RING_RECORD_HEADER_LENGTH + 7) & ~7u; }

/* --- the record -------------------------------------------------------------------------------------------------------------- */

static inline uint32_t causeway_record_length(const struct causeway_record *record) {
  return KERNEL_RECORD_HEADER_LENGTH + record->path_length + record->path2_length;
}

#define CAUSEWAY_PUT(offset, type, value) \
  do { \
    type causeway_value = (type)(value); \
    memcpy(at + (offset), &causeway_value, sizeof causeway_value); \
  } while (0)

/* Writes the record at `at`, which has room for causeway_record_length bytes. */
static inline void causeway_record_encode(uint8_t *at, const struct causeway_record *record, uint32_t lane, uint64_t sequence) {
  CAUSEWAY_PUT(KERNEL_RECORD_LENGTH_OFFSET, uint32_t, causeway_record_length(record));
  CAUSEWAY_PUT(KERNEL_RECORD_VERSION_OFFSET, uint16_t, KERNEL_RECORD_VERSION);
  CAUSEWAY_PUT(KERNEL_RECORD_OP_OFFSET, uint16_t, record->op);
  CAUSEWAY_PUT(KERNEL_RECORD_VARIANT_OFFSET, uint16_t, record->variant);
  CAUSEWAY_PUT(KERNEL_RECORD_FLAGS_OFFSET, uint16_t, record->flags);
  CAUSEWAY_PUT(KERNEL_RECORD_CPU_OFFSET, uint32_t, lane);
  CAUSEWAY_PUT(KERNEL_RECORD_TIME_NS_OFFSET, uint64_t, record->time_ns);
  CAUSEWAY_PUT(KERNEL_RECORD_DURATION_NS_OFFSET, uint64_t, record->duration_ns);
  CAUSEWAY_PUT(KERNEL_RECORD_LANE_SEQUENCE_OFFSET, uint64_t, sequence);
  CAUSEWAY_PUT(KERNEL_RECORD_INODE_OFFSET, uint64_t, record->inode);
  CAUSEWAY_PUT(KERNEL_RECORD_DEVICE_OFFSET, uint64_t, record->device);
  CAUSEWAY_PUT(KERNEL_RECORD_SIZE_OFFSET, uint64_t, record->size);
  CAUSEWAY_PUT(KERNEL_RECORD_AMOUNT_OFFSET, int64_t, record->amount);
  CAUSEWAY_PUT(KERNEL_RECORD_ARGUMENT_OFFSET, uint64_t, record->argument);
  CAUSEWAY_PUT(KERNEL_RECORD_PID_OFFSET, uint32_t, record->pid);
  CAUSEWAY_PUT(KERNEL_RECORD_TID_OFFSET, uint32_t, record->tid);
  CAUSEWAY_PUT(KERNEL_RECORD_UID_OFFSET, uint32_t, record->uid);
  CAUSEWAY_PUT(KERNEL_RECORD_GID_OFFSET, uint32_t, record->gid);
  CAUSEWAY_PUT(KERNEL_RECORD_ERROR_OFFSET, uint32_t, record->error);
  CAUSEWAY_PUT(KERNEL_RECORD_MODE_OFFSET, uint32_t, record->mode);
  CAUSEWAY_PUT(KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET, uint32_t, record->submit_delay_ns);
  CAUSEWAY_PUT(KERNEL_RECORD_PATH_LENGTH_OFFSET, uint16_t, record->path_length);
  CAUSEWAY_PUT(KERNEL_RECORD_PATH2_LENGTH_OFFSET, uint16_t, record->path2_length);
  memset(at + KERNEL_RECORD_COMM_OFFSET, 0, COMM_LENGTH);
  if (record->comm) memcpy(at + KERNEL_RECORD_COMM_OFFSET, record->comm, strnlen(record->comm, COMM_LENGTH));
  if (record->path_length) memcpy(at + KERNEL_RECORD_HEADER_LENGTH, record->path, record->path_length);
  if (record->path2_length) memcpy(at + KERNEL_RECORD_HEADER_LENGTH + record->path_length, record->path2, record->path2_length);
}

#undef CAUSEWAY_PUT

/* CLOCK_MONOTONIC: the time of records. */
static inline uint64_t causeway_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- writing ----------------------------------------------------------------------------------------------------------------- */

static inline int causeway_has_room(struct causeway_peer *peer, uint32_t needed) {
  if (peer->position + needed - peer->cached <= peer->capacity) return 1;
  /* Pairs with the store in peerRelease (assembly/peer.ts). A position ahead of ours would be a lie: then the ring counts as full. */
  uint64_t consumer = __atomic_load_n(causeway_word64(peer, RING_CONSUMER_POSITION_OFFSET), __ATOMIC_ACQUIRE);
  if (consumer > peer->position) return 0;
  peer->cached = consumer;
  return peer->position + needed - consumer <= peer->capacity;
}

/* Room for `length` bytes, or NULL: EAGAIN = full now, EMSGSIZE = never fits. What is reserved and not submitted is reserved again the next time. */
static inline uint8_t *causeway_peer_reserve(struct causeway_peer *peer, uint32_t length) {
  if (length > KERNEL_RECORD_LENGTH_MAX || length > peer->capacity / 2 - RING_RECORD_HEADER_LENGTH) {
    errno = EMSGSIZE;
    return NULL;
  }
  uint32_t needed = causeway_taken(length);
  uint32_t index = (uint32_t)(peer->position & (peer->capacity - 1));
  uint32_t padding = needed > peer->capacity - index ? peer->capacity - index : 0;
  if (!causeway_has_room(peer, padding + needed)) {
    errno = EAGAIN;
    return NULL;
  }
  if (padding) {
    *causeway_word32(peer, RING_DATA_OFFSET + index) = RING_RECORD_DISCARD | (padding - RING_RECORD_HEADER_LENGTH);
    peer->position += padding;
    index = 0;
  }
  *causeway_word32(peer, RING_DATA_OFFSET + index) = length;
  return peer->ring + RING_DATA_OFFSET + index + RING_RECORD_HEADER_LENGTH;
}

/* The reserved record, whose laneSequence is peer->sequence + 1 and whose cpu is peer->lane, is filled in. */
static inline void causeway_peer_submit(struct causeway_peer *peer, uint32_t length) {
  peer->position += causeway_taken(length);
  peer->sequence += 1;
}

static inline void causeway_wake(uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0); }

/* Shows the engine what was submitted, and wakes it if it sleeps. */
static inline void causeway_peer_publish(struct causeway_peer *peer) {
  __atomic_store_n(causeway_word64(peer, RING_NUMBERED_OFFSET), peer->sequence, __ATOMIC_RELEASE);
  /* Pairs with the load in peerLook. Sequentially consistent: the load of parked below must not come before it. */
  __atomic_store_n(causeway_word64(peer, RING_PRODUCER_POSITION_OFFSET), peer->position, __ATOMIC_SEQ_CST);
  __atomic_store_n(causeway_word64(peer, RING_HANDED_OVER_OFFSET), peer->sequence, __ATOMIC_RELEASE);
  uint32_t *parked = causeway_word32(peer, RING_CONSUMER_PARKED_OFFSET);
  /* Pairs with the store in PeerReader.wait (src/source/peer/reader.ts). The word is changed before the call: a sleeper that is on its way stays awake. */
  if (__atomic_load_n(parked, __ATOMIC_SEQ_CST) && __atomic_exchange_n(parked, 0, __ATOMIC_SEQ_CST)) causeway_wake(parked);
}

/* Gives up `count` records that found no room: they get numbers, and the engine tells the gap. */
static inline void causeway_peer_drop(struct causeway_peer *peer, uint64_t count) {
  peer->sequence += count;
  __atomic_fetch_add(causeway_word64(peer, RING_DROPPED_OFFSET), count, __ATOMIC_RELAXED);
  /* What was submitted before them first: handedOver must not be ahead of what is in the ring. */
  causeway_peer_publish(peer);
}

/* 0, or -1 with EAGAIN (full: wait, or drop it) or EMSGSIZE. */
static inline int causeway_peer_offer(struct causeway_peer *peer, const struct causeway_record *record) {
  if (record->path_length > PATH_LENGTH_MAX || record->path2_length > PATH_LENGTH_MAX) {
    errno = EMSGSIZE;
    return -1;
  }
  uint32_t length = causeway_record_length(record);
  uint8_t *at = causeway_peer_reserve(peer, length);
  if (!at) return -1;
  causeway_record_encode(at, record, peer->lane, peer->sequence + 1);
  causeway_peer_submit(peer, length);
  return 0;
}

/* As causeway_peer_offer, but what does not fit is given up and counted. */
static inline int causeway_peer_write(struct causeway_peer *peer, const struct causeway_record *record) {
  if (!causeway_peer_offer(peer, record)) return 0;
  int reason = errno;
  causeway_peer_drop(peer, 1);
  errno = reason;
  return -1;
}

/* Publishes, then sleeps until there may be room for `length` bytes, at most timeout_ms: whether there is. */
static inline int causeway_peer_wait(struct causeway_peer *peer, uint32_t length, uint32_t timeout_ms) {
  causeway_peer_publish(peer);
  uint32_t *parked = causeway_word32(peer, RING_PRODUCER_PARKED_OFFSET);
  struct timespec timeout = {(time_t)(timeout_ms / 1000), (long)(timeout_ms % 1000) * 1000000L};
  /* Pairs with the load in peerRelease: it stores its position, then looks at parked; we store parked, then look at its position. */
  __atomic_store_n(parked, 1, __ATOMIC_SEQ_CST);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  int has_room = causeway_peer_reserve(peer, length) != NULL;
  if (!has_room) syscall(SYS_futex, parked, FUTEX_WAIT, 1, &timeout, NULL, 0);
  __atomic_store_n(parked, 0, __ATOMIC_SEQ_CST);
  return has_room || causeway_peer_reserve(peer, length) != NULL;
}

/* --- opening ----------------------------------------------------------------------------------------------------------------- */

#define CAUSEWAY_FAIL(code, ...) \
  do { \
    snprintf(peer->error, sizeof peer->error, __VA_ARGS__); \
    return code; \
  } while (0)

/* State and start time of a thread (proc_pid_stat(5)): 0, or -1 when there is none. */
static inline int causeway_thread_stat(uint64_t tid, char *state, uint64_t *start) {
  char path[64], line[1024];
  snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)tid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t length = read(fd, line, sizeof line - 1);
  close(fd);
  if (length <= 0) return -1;
  line[length] = 0;
  /* The name may hold blanks and parentheses: fields are counted from the last one. */
  char *field = strrchr(line, ')');
  if (!field || sscanf(field + 1, " %c", state) != 1) return -1;
  for (int number = 2; number < 22 && field; number++) field = strchr(field + 1, ' ');
  if (!field) return -1;
  *start = strtoull(field + 1, NULL, 10);
  return 0;
}

#define CAUSEWAY_START_MASK ((UINT64_C(1) << ARENA_OWNER_START_BITS) - 1)

/* In doubt it is alive, as in src/arena/owner.ts: a ring that is taken from a living owner breaks. */
static inline int causeway_is_alive(uint64_t owner) {
  uint64_t tid = owner >> ARENA_OWNER_TID_SHIFT, start;
  char state;
  if (causeway_thread_stat(tid, &state, &start)) return syscall(SYS_tkill, (pid_t)tid, 0) == 0 || errno != ESRCH;
  uint64_t known = (owner >> ARENA_OWNER_START_SHIFT) & CAUSEWAY_START_MASK;
  return (start & CAUSEWAY_START_MASK) == known && state != 'Z' && state != 'X';
}

static inline uint64_t causeway_new_owner(void) {
  uint64_t tid = (uint64_t)syscall(SYS_gettid), start = 0;
  char state;
  causeway_thread_stat(tid, &state, &start);
  return tid << ARENA_OWNER_TID_SHIFT | (start & CAUSEWAY_START_MASK) << ARENA_OWNER_START_SHIFT | 1;
}

/* Whether an engine listens: it may have ended, or have found this ring corrupt. */
static inline int causeway_peer_is_heard(const struct causeway_peer *peer) {
  uint64_t owner = __atomic_load_n(causeway_word64(peer, RING_CONSUMER_OWNER_OFFSET), __ATOMIC_ACQUIRE);
  return owner != 0 && causeway_is_alive(owner);
}

/* The file cannot shrink while it is mapped: a memfd is sealed; a named one is ours, and nobody else may write it. */
static inline int causeway_check_file(struct causeway_peer *peer, int fd, const char *handle, off_t *length) {
  struct stat status;
  if (fstat(fd, &status)) CAUSEWAY_FAIL(CAUSEWAY_PEER_FAILED, "%s: %s", handle, strerror(errno));
  if (!S_ISREG(status.st_mode)) CAUSEWAY_FAIL(CAUSEWAY_PEER_CORRUPT, "%s: not a regular file", handle);
  *length = status.st_size;
  int seals = fcntl(fd, F_GET_SEALS), needed = F_SEAL_SHRINK | F_SEAL_GROW;
  if (seals >= 0 && (seals & needed) == needed) return CAUSEWAY_PEER_OK;
  if (!strncmp(handle, "/proc/", 6)) {
    CAUSEWAY_FAIL(CAUSEWAY_PEER_CORRUPT, "%s: its length is not sealed: seals=%d, needed=%d", handle, seals, needed);
  }
  if (status.st_uid != geteuid() || (status.st_mode & 022)) {
    CAUSEWAY_FAIL(CAUSEWAY_PEER_DENIED, "%s: owner=%u, mode=%o, expected owner=%u, mode=600: others could shrink it", handle,
                  status.st_uid, status.st_mode & 07777, geteuid());
  }
  return CAUSEWAY_PEER_OK;
}

static inline uint64_t causeway_get(const uint8_t *at, size_t length) {
  uint64_t value = 0;
  memcpy(&value, at, length);
  return value;
}

/* Header and region table, from a private copy: address and length of the one ring that a peer's arena has. */
static inline int causeway_find_ring(struct causeway_peer *peer, const uint8_t *header, const char *handle, off_t file_length, uint64_t *address) {
  uint32_t magic = (uint32_t)causeway_get(header + ARENA_MAGIC_OFFSET, 4), version = (uint32_t)causeway_get(header + ARENA_ABI_VERSION_OFFSET, 4);
  uint32_t hash = (uint32_t)causeway_get(header + ARENA_LAYOUT_HASH_OFFSET, 4), count = (uint32_t)causeway_get(header + ARENA_REGION_COUNT_OFFSET, 4);
  uint64_t end = causeway_get(header + ARENA_SHARED_END_OFFSET, 8), pids = causeway_get(header + ARENA_PID_NAMESPACE_OFFSET, 8);
  struct stat own;
  if (magic != ARENA_MAGIC) CAUSEWAY_FAIL(CAUSEWAY_PEER_CORRUPT, "%s: magic=%u, expected %u", handle, magic, ARENA_MAGIC);
  if (version != ARENA_ABI_VERSION) {
    CAUSEWAY_FAIL(CAUSEWAY_PEER_INCOMPATIBLE, "%s: abiVersion=%u, expected %u", handle, version, ARENA_ABI_VERSION);
  }
  if (hash != ARENA_LAYOUT_HASH) {
    CAUSEWAY_FAIL(CAUSEWAY_PEER_INCOMPATIBLE, "%s: layoutHash=%u, expected %u: compile with the engine's layout.h", handle, hash, ARENA_LAYOUT_HASH);
  }
  if (stat("/proc/self/ns/pid", &own) || own.st_ino != pids) {
    CAUSEWAY_FAIL(CAUSEWAY_PEER_INCOMPATIBLE, "%s: pidNamespace=%llu, ours=%llu", handle, (unsigned long long)pids, (unsigned long long)own.st_ino);
  }
  if (end != (uint64_t)file_length) {
    CAUSEWAY_FAIL(CAUSEWAY_PEER_CORRUPT, "%s: length=%llu, expected %llu", handle, (unsigned long long)file_length, (unsigned long long)end);
  }
  for (uint32_t row = 0; row < count && row < ARENA_REGIONS_MAX; row++) {
    const uint8_t *region = header + ARENA_REGION_TABLE_OFFSET + row * ARENA_REGION_LENGTH;
    if (causeway_get(region + ARENA_REGION_KIND_OFFSET, 4) != ARENA_REGION_RING) continue;
    uint64_t length = causeway_get(region + ARENA_REGION_LENGTH_OFFSET, 4), capacity = length - RING_DATA_OFFSET;
    peer->lane = (uint32_t)causeway_get(region + ARENA_REGION_NUMBER_OFFSET, 4);
    *address = causeway_get(region + ARENA_REGION_ADDRESS_OFFSET, 4);
    if (length <= RING_DATA_OFFSET || capacity < RING_CAPACITY_MIN || capacity & (capacity - 1) || *address % PAGE_LENGTH ||
        *address < ARENA_REGIONS_OFFSET || *address + length > end || peer->lane >= PEERS_MAX) {
      CAUSEWAY_FAIL(CAUSEWAY_PEER_CORRUPT, "%s: ring %u: address=%llu, length=%llu", handle, peer->lane, (unsigned long long)*address, (unsigned long long)length);
    }
    peer->capacity = (uint32_t)capacity;
    return CAUSEWAY_PEER_OK;
  }
  CAUSEWAY_FAIL(CAUSEWAY_PEER_CORRUPT, "%s: no ring of a peer", handle);
}

/* Takes the producer's end, also from one that died there. */
static inline int causeway_take(struct causeway_peer *peer, const char *handle) {
  uint64_t *word = causeway_word64(peer, RING_PRODUCER_OWNER_OFFSET), holder = 0;
  peer->owner = causeway_new_owner();
  /* 1. We and another find the same dead owner. 2. One of the two exchanges succeeds. 3. The other sees the new one, who lives. */
  while (!__atomic_compare_exchange_n(word, &holder, peer->owner, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    if (holder && causeway_is_alive(holder)) {
      CAUSEWAY_FAIL(CAUSEWAY_PEER_FAILED, "%s: the ring has a producer: thread=%llu", handle, (unsigned long long)(holder >> ARENA_OWNER_TID_SHIFT));
    }
  }
  peer->position = __atomic_load_n(causeway_word64(peer, RING_PRODUCER_POSITION_OFFSET), __ATOMIC_ACQUIRE);
  peer->cached = __atomic_load_n(causeway_word64(peer, RING_CONSUMER_POSITION_OFFSET), __ATOMIC_ACQUIRE);
  peer->sequence = __atomic_load_n(causeway_word64(peer, RING_NUMBERED_OFFSET), __ATOMIC_ACQUIRE);
  if (peer->position & 7 || peer->cached > peer->position || peer->position - peer->cached > peer->capacity) {
    __atomic_store_n(word, 0, __ATOMIC_SEQ_CST);
    CAUSEWAY_FAIL(CAUSEWAY_PEER_CORRUPT, "%s: producerPosition=%llu, consumerPosition=%llu", handle, (unsigned long long)peer->position,
                  (unsigned long long)peer->cached);
  }
  /* What a dead predecessor numbered and did not publish will not come any more. */
  __atomic_store_n(causeway_word64(peer, RING_HANDED_OVER_OFFSET), peer->sequence, __ATOMIC_RELEASE);
  return CAUSEWAY_PEER_OK;
}

static inline int causeway_map(struct causeway_peer *peer, int fd, const char *handle) {
  static const size_t header_length = ARENA_REGION_TABLE_OFFSET + ARENA_REGIONS_MAX * ARENA_REGION_LENGTH;
  uint8_t header[ARENA_REGION_TABLE_OFFSET + ARENA_REGIONS_MAX * ARENA_REGION_LENGTH];
  off_t length = 0;
  uint64_t address = 0;
  int code = causeway_check_file(peer, fd, handle, &length);
  if (code) return code;
  if (pread(fd, header, header_length, 0) != (ssize_t)header_length) CAUSEWAY_FAIL(CAUSEWAY_PEER_CORRUPT, "%s: no header", handle);
  code = causeway_find_ring(peer, header, handle, length, &address);
  if (code) return code;
  void *ring = mmap(NULL, RING_DATA_OFFSET + (size_t)peer->capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)address);
  if (ring == MAP_FAILED) CAUSEWAY_FAIL(CAUSEWAY_PEER_FAILED, "%s: mmap: %s", handle, strerror(errno));
  peer->ring = (uint8_t *)ring;
  uint32_t magic = __atomic_load_n(causeway_word32(peer, RING_MAGIC_OFFSET), __ATOMIC_ACQUIRE);
  if (magic != RING_MAGIC) CAUSEWAY_FAIL(CAUSEWAY_PEER_CORRUPT, "%s: ring magic=%u, expected %u", handle, magic, RING_MAGIC);
  return causeway_take(peer, handle);
}

/* Opens the ring: CAUSEWAY_PEER_OK, or another CAUSEWAY_PEER_ with a sentence in peer->error. */
static inline int causeway_peer_open(struct causeway_peer *peer, const char *handle) {
  memset(peer, 0, sizeof *peer);
  /* O_NONBLOCK: a FIFO must not hold us up. In /proc the handle is a link by nature; elsewhere somebody else may have put one there. */
  int fd = open(handle, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (strncmp(handle, "/proc/", 6) ? O_NOFOLLOW : 0));
  if (fd < 0) {
    int is_missing = errno == ENOENT || errno == ENOTDIR || errno == ESRCH;
    int is_denied = errno == EACCES || errno == EPERM || errno == ELOOP || errno == EROFS;
    CAUSEWAY_FAIL(is_missing ? CAUSEWAY_PEER_INCOMPATIBLE : is_denied ? CAUSEWAY_PEER_DENIED : CAUSEWAY_PEER_FAILED, "%s: %s", handle, strerror(errno));
  }
  int code = causeway_map(peer, fd, handle);
  close(fd);
  if (code && peer->ring) munmap(peer->ring, RING_DATA_OFFSET + (size_t)peer->capacity);
  if (code) peer->ring = NULL;
  return code;
}

/* Publishes, and leaves the ring to the next producer. */
static inline void causeway_peer_close(struct causeway_peer *peer) {
  if (!peer->ring) return;
  causeway_peer_publish(peer);
  uint64_t owner = peer->owner;
  __atomic_compare_exchange_n(causeway_word64(peer, RING_PRODUCER_OWNER_OFFSET), &owner, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  munmap(peer->ring, RING_DATA_OFFSET + (size_t)peer->capacity);
  peer->ring = NULL;
}

#undef CAUSEWAY_FAIL
#endif
