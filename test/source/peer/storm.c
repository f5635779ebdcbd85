/*
 * storm HANDLE COUNT BATCH wait|drop [PROGRESS]: writes COUNT records (0 = for ever), published in batches. Every field follows from the record's number, so that
 * a torn or foreign one shows. PROGRESS: a file of 16 bytes that gets the highest number before and after each publication, to be read when this was killed.
 * Prints how many records were accepted and dropped.
 */
#define _GNU_SOURCE
#include "causeway-peer.h"

static struct causeway_peer peer;
static uint64_t *progress;

static void fill(struct causeway_record *record, char *path, uint64_t number) {
  int length = snprintf(path, 64, "/storm/%llu/", (unsigned long long)number);
  uint32_t tail = (uint32_t)(number % 200);
  memset(path + length, 'a' + (int)(number % 26), tail);
  memset(record, 0, sizeof *record);
  record->op = (uint16_t)(number % KERNEL_OP_COUNT);
  record->variant = (uint16_t)(number % KERNEL_VARIANT_COUNT);
  record->time_ns = causeway_now_ns();
  record->inode = number * UINT64_C(0x9e3779b97f4a7c15);
  record->size = number;
  record->pid = (uint32_t)getpid();
  record->comm = "storm";
  record->path = path;
  record->path_length = (uint32_t)length + tail;
}

static void publish(void) {
  if (progress) __atomic_store_n(&progress[0], peer.sequence, __ATOMIC_SEQ_CST);
  causeway_peer_publish(&peer);
  if (progress) __atomic_store_n(&progress[1], peer.sequence, __ATOMIC_SEQ_CST);
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  uint64_t count = strtoull(argv[2], NULL, 10), batch = strtoull(argv[3], NULL, 10), accepted = 0, dropped = 0;
  int code = causeway_peer_open(&peer, argv[1]), is_waiting = !strcmp(argv[4], "wait");
  if (code) return fprintf(stderr, "storm: %s\n", peer.error), code;
  if (argc > 5) {
    int fd = open(argv[5], O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, 16)) return CAUSEWAY_PEER_FAILED;
    progress = (uint64_t *)mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  for (uint64_t turn = 0; !count || turn < count; turn++) {
    struct causeway_record record;
    char path[512];
    fill(&record, path, peer.sequence + 1);
    while (is_waiting && causeway_peer_offer(&peer, &record) && errno == EAGAIN) {
      publish();
      if (!causeway_peer_wait(&peer, causeway_record_length(&record), 1000) && !causeway_peer_is_heard(&peer)) return CAUSEWAY_PEER_FAILED;
    }
    if (is_waiting || !causeway_peer_write(&peer, &record)) accepted++;
    else dropped++;
    if (peer.sequence % batch == 0) publish();
  }
  publish();
  causeway_peer_close(&peer);
  printf("{\"accepted\":%llu,\"dropped\":%llu}\n", (unsigned long long)accepted, (unsigned long long)dropped);
  return 0;
}
