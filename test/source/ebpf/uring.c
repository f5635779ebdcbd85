// Does in the working directory, through io_uring, what the test expects; prints each request's result.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct io_uring_params params;
static char *sq_ring, *cq_ring;
static struct io_uring_sqe *entries;
static int ring;

static unsigned *at(char *base, unsigned offset) {
  return (unsigned *)(base + offset);
}

static int submit(struct io_uring_sqe request) {
  unsigned tail = *at(sq_ring, params.sq_off.tail), mask = *at(sq_ring, params.sq_off.ring_mask);
  entries[tail & mask] = request;
  at(sq_ring, params.sq_off.array)[tail & mask] = tail & mask;
  __atomic_store_n(at(sq_ring, params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) < 0) exit(3);
  unsigned head = *at(cq_ring, params.cq_off.head);
  struct io_uring_cqe *done = (struct io_uring_cqe *)(cq_ring + params.cq_off.cqes);
  int result = done[head & *at(cq_ring, params.cq_off.ring_mask)].res;
  __atomic_store_n(at(cq_ring, params.cq_off.head), head + 1, __ATOMIC_RELEASE);
  printf("%d\n", result);
  return result;
}

#define REQUEST(...) submit((struct io_uring_sqe){__VA_ARGS__})
#define TEXT(text) (unsigned long)(text)

int main(void) {
  ring = syscall(SYS_io_uring_setup, 8, &params);
  if (ring < 0) return 2;
  int protection = PROT_READ | PROT_WRITE;
  sq_ring = mmap(0, params.sq_off.array + params.sq_entries * 4, protection, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  cq_ring = mmap(0, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe), protection, MAP_SHARED, ring, IORING_OFF_CQ_RING);
  entries = mmap(0, params.sq_entries * sizeof(struct io_uring_sqe), protection, MAP_SHARED, ring, IORING_OFF_SQES);
  static char buffer[16], longer[300];
  memset(longer, 'q', 255);
  int fd = REQUEST(.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = TEXT("a"), .open_flags = O_RDWR | O_CREAT, .len = 0644);
  REQUEST(.opcode = IORING_OP_WRITE, .fd = fd, .addr = TEXT("hello"), .len = 5);
  REQUEST(.opcode = IORING_OP_FSYNC, .fd = fd);
  REQUEST(.opcode = IORING_OP_READ, .fd = fd, .addr = TEXT(buffer), .len = 3, .off = 0);
  REQUEST(.opcode = IORING_OP_FALLOCATE, .fd = fd, .addr = 100, .off = 0);
  REQUEST(.opcode = IORING_OP_MKDIRAT, .fd = AT_FDCWD, .addr = TEXT("d"), .len = 0755);
  REQUEST(.opcode = IORING_OP_RENAMEAT, .fd = AT_FDCWD, .addr = TEXT("a"), .len = AT_FDCWD, .addr2 = TEXT("d/b"));
  REQUEST(.opcode = IORING_OP_LINKAT, .fd = AT_FDCWD, .addr = TEXT("d/b"), .len = AT_FDCWD, .addr2 = TEXT("l"));
  REQUEST(.opcode = IORING_OP_SYMLINKAT, .addr = TEXT("to/where"), .fd = AT_FDCWD, .addr2 = TEXT("s"));
  REQUEST(.opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = TEXT("d/b"));
  REQUEST(.opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = TEXT("d"), .unlink_flags = AT_REMOVEDIR);
  REQUEST(.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = TEXT("missing"), .open_flags = O_RDONLY);
  REQUEST(.opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = TEXT(longer));
  REQUEST(.opcode = IORING_OP_WRITE, .fd = 999, .addr = TEXT("hello"), .len = 5);
  REQUEST(.opcode = IORING_OP_CLOSE, .fd = fd);
  return 0;
}
