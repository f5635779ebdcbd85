// kernel-latency MAP_ID CPU SECONDS CALL: consumes the BPF ring buffer of that id as libbpf's users do, with ring_buffer__poll (CALL = poll; timeout 0: it never
// sleeps) or ring_buffer__consume (CALL = consume: no epoll at all) in a loop, and prints percentiles of the time from the kernel's hand-over of a record to its callback, in ns, once SECONDS are over or
// standard input ends.

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "layout.h"
#include "thread.h"

static std::vector<uint32_t> latencies;
static uint64_t checksum = 0;

static int take(void*, void* data, size_t length) {
  const uint64_t now = nowNs();
  if (length < KERNEL_RECORD_HEADER_LENGTH) return 0;
  const uint8_t* record = static_cast<const uint8_t*>(data);
  // Other processes' calls come too: a sync of everything, a name whose place the kernel could not tell.
  if (memcmp(record + KERNEL_RECORD_COMM_OFFSET, "stor", 4) != 0) return 0;
  uint64_t time;
  uint32_t delay;
  memcpy(&time, record + KERNEL_RECORD_TIME_NS_OFFSET, sizeof(time));
  memcpy(&delay, record + KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET, sizeof(delay));
  latencies.push_back(now > time + delay ? static_cast<uint32_t>(std::min<uint64_t>(now - time - delay, UINT32_MAX)) : 0);
  checksum += record[KERNEL_RECORD_OP_OFFSET] + 1;
  return 0;
}

static bool isInputOver() {
  pollfd input = {STDIN_FILENO, POLLIN, 0};
  return poll(&input, 1, 0) > 0;
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const int map = bpf_map_get_fd_by_id(static_cast<uint32_t>(atoi(argv[1])));
  if (map < 0) {
    perror("bpf_map_get_fd_by_id");
    return 1;
  }
  pinThread(atoi(argv[2]));
  const uint64_t limitNs = static_cast<uint64_t>(atof(argv[3]) * 1e9);
  const bool polls = strcmp(argv[4], "poll") == 0;
  latencies.reserve(4 << 20);
  ring_buffer* ring = ring_buffer__new(map, take, nullptr, nullptr);
  if (ring == nullptr) {
    perror("ring_buffer__new");
    return 1;
  }
  fprintf(stderr, "ready\n");
  const uint64_t begin = nowNs();
  for (uint64_t turn = 0;; turn++) {
    if (polls) ring_buffer__poll(ring, 0);
    else ring_buffer__consume(ring);
    if (turn % 1024 == 0 && (nowNs() - begin > limitNs || isInputOver())) break;
  }
  while (ring_buffer__consume(ring) > 0) {
  }
  ring_buffer__free(ring);
  std::sort(latencies.begin(), latencies.end());
  const auto at = [](double share) {
    return latencies.empty() ? 0u : latencies[static_cast<size_t>(static_cast<double>(latencies.size() - 1) * share)];
  };
  printf("{\"count\":%zu,\"p50\":%u,\"p99\":%u,\"max\":%u,\"checksum\":\"%016" PRIx64 "\"}\n", latencies.size(), at(0.5), at(0.99), at(1), checksum);
}
