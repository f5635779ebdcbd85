/*
 * A native producer: works in a directory, and tells Causeway what it does there. A kernel module, a FUSE daemon or a database would do it the same way.
 *
 *   cc -std=c11 -O2 -I ../../bpf producer.c -o producer     (in the npm package: -I node_modules/@causeway/engine/dist/peer)
 *   ./producer HANDLE DIRECTORY [ROUNDS]                     (HANDLE: stats().source.peers[0].handle, or `causeway watch --peer PATH` and its PATH)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "causeway-peer.h"

static struct causeway_peer peer;

/* Tells what was just done to `path`; began: when. A full ring is waited for: what this program does must not be missing. */
static void tell(uint16_t op, uint16_t variant, uint64_t began, int64_t amount, const char *path, const char *path2) {
  int error = amount < 0 ? errno : 0;
  struct stat status;
  if (stat(path2 ? path2 : path, &status)) memset(&status, 0, sizeof status);
  struct causeway_record record;
  memset(&record, 0, sizeof record);
  record.op = op;
  record.variant = variant;
  record.time_ns = causeway_now_ns();
  record.duration_ns = record.time_ns - began;
  record.inode = status.st_ino;
  record.device = status.st_dev;
  record.size = (uint64_t)status.st_size;
  record.mode = status.st_mode;
  record.amount = error ? 0 : amount;
  record.error = (uint32_t)error;
  record.pid = record.tid = (uint32_t)getpid();
  record.uid = geteuid();
  record.gid = getegid();
  record.comm = "producer";
  record.path = path;
  record.path_length = (uint32_t)strlen(path);
  record.path2 = path2;
  record.path2_length = path2 ? (uint32_t)strlen(path2) : 0;
  while (causeway_peer_offer(&peer, &record) && errno == EAGAIN) {
    if (!causeway_peer_wait(&peer, causeway_record_length(&record), 1000) && !causeway_peer_is_heard(&peer)) exit(CAUSEWAY_PEER_FAILED);
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: producer HANDLE DIRECTORY [ROUNDS]\n"), 2;
  int code = causeway_peer_open(&peer, argv[1]);
  if (code) return fprintf(stderr, "producer: %s\n", peer.error), code;
  char path[PATH_LENGTH_MAX + 1], renamed[PATH_LENGTH_MAX + 1];
  for (int round = 0; round < (argc > 3 ? atoi(argv[3]) : 1); round++) {
    snprintf(path, sizeof path, "%s/file-%d", argv[2], round);
    snprintf(renamed, sizeof renamed, "%s/renamed-%d", argv[2], round);
    uint64_t began = causeway_now_ns();
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0) return perror(path), CAUSEWAY_PEER_FAILED;
    tell(KERNEL_OP_FILE_CREATE, KERNEL_VARIANT_OPENAT, began, 0, path, NULL);
    began = causeway_now_ns();
    tell(KERNEL_OP_FILE_WRITE, KERNEL_VARIANT_WRITE, began, write(fd, path, strlen(path)), path, NULL);
    close(fd);
    began = causeway_now_ns();
    if (!rename(path, renamed)) tell(KERNEL_OP_FILE_RENAME, KERNEL_VARIANT_RENAME, began, 0, path, renamed);
    causeway_peer_publish(&peer);
  }
  causeway_peer_close(&peer);
  return 0;
}
