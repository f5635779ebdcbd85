/*
 * hostile HANDLE SECONDS records|positions|wakes|all: a producer that breaks every rule, for that long, with a child that helps.
 *   records: keeps to positions and lengths, while the child writes over what is in the records. The engine has no reason to detach.
 *   positions: honest for a while, then positions, owners, capacity, magic are anything.
 *   wakes: ends the engine's sleep in a loop, with nothing to tell.
 *   all: any byte of the mapping at any time.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include "causeway-peer.h"

static struct causeway_peer peer;
static uint64_t seed = 88172645463325252u;

static uint64_t any(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

#define PATH "/hostile/looks/like/a/path"
#define LENGTH (KERNEL_RECORD_HEADER_LENGTH + (uint32_t)sizeof PATH - 1)

/* All records have one length, and the ring is padded at its end: so they are at the same places every time around. */
static void scribble_record(void) {
  uint32_t taken = causeway_taken(LENGTH), at = (uint32_t)(any() % LENGTH);
  uint64_t record = any() % (peer.capacity / taken);
  /* A number that is too high would make duplicates of all that follow. */
  if (at / 8 == KERNEL_RECORD_LANE_SEQUENCE_OFFSET / 8) return;
  *(volatile uint8_t *)(peer.ring + RING_DATA_OFFSET + record * taken + RING_RECORD_HEADER_LENGTH + at) = (uint8_t)any();
}

static void scribble_header(void) {
  static const uint32_t words[] = {RING_PRODUCER_POSITION_OFFSET, RING_CONSUMER_POSITION_OFFSET, RING_PRODUCER_OWNER_OFFSET, RING_CONSUMER_OWNER_OFFSET,
                                   RING_MAGIC_OFFSET,             RING_DROPPED_OFFSET,           RING_NUMBERED_OFFSET,       RING_HANDED_OVER_OFFSET};
  uint64_t value = any() % 4 ? peer.position + any() % 4096 : any();
  __atomic_store_n(causeway_word64(&peer, words[any() % 8]), value, __ATOMIC_SEQ_CST);
}

static void write_honestly(uint64_t number) {
  struct causeway_record record;
  memset(&record, 0, sizeof record);
  record.op = KERNEL_OP_FILE_WRITE;
  record.time_ns = causeway_now_ns();
  record.size = number;
  record.path = PATH;
  record.path_length = sizeof PATH - 1;
  if (causeway_peer_offer(&peer, &record)) causeway_peer_wait(&peer, causeway_record_length(&record), 10);
  else causeway_peer_publish(&peer);
}

static void wake(void) {
  uint32_t *parked = causeway_word32(&peer, RING_CONSUMER_PARKED_OFFSET);
  __atomic_store_n(parked, 0, __ATOMIC_SEQ_CST);
  causeway_wake(parked);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int code = causeway_peer_open(&peer, argv[1]);
  if (code) return fprintf(stderr, "hostile: %s\n", peer.error), code;
  uint64_t end = causeway_now_ns() + strtoull(argv[2], NULL, 10) * UINT64_C(1000000000);
  const char kind = argv[3][0];
  pid_t child = kind == 'r' || kind == 'a' ? fork() : -1;
  for (uint64_t number = 1; causeway_now_ns() < end; number++) {
    if (child == 0) {
      scribble_record();
      if (kind == 'a') *(volatile uint8_t *)(peer.ring + any() % (RING_DATA_OFFSET + peer.capacity)) = (uint8_t)any();
    } else if (kind == 'w') {
      wake();
    } else {
      write_honestly(number);
      if (kind == 'p' && number > 1000) scribble_header();
      /* Not so many that the test spends its time reading them. */
      if (kind == 'r' && number % 64 == 0) usleep(1000);
    }
  }
  if (child > 0) kill(child, SIGKILL), waitpid(child, NULL, 0);
  return 0;
}
