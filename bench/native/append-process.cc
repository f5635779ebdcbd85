// append-process FILE COUNT: appends COUNT events of 200 bytes with one write(2) each, which is how an event survives kill -9 without a mapping. The event
// is 144 bytes of header and 7 words that follow from its number. Prints how long it took and the sum of the words as they are read back.

#include <fcntl.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "layout.h"
#include "thread.h"

static constexpr size_t PAYLOAD_WORDS = 7;
static constexpr size_t EVENT_LENGTH = ENTRY_HEADER_LENGTH + PAYLOAD_WORDS * 8;

static uint64_t sumOf(const char* path, uint64_t count) {
  const int fd = open(path, O_RDONLY);
  std::vector<uint8_t> events(4096 * EVENT_LENGTH);
  uint64_t sum = 0;
  for (uint64_t done = 0; done < count;) {
    const ssize_t length = read(fd, events.data(), events.size());
    if (length <= 0 || length % EVENT_LENGTH != 0) abort();
    for (size_t at = 0; at < static_cast<size_t>(length); at += EVENT_LENGTH, done++) {
      uint64_t words[PAYLOAD_WORDS];
      memcpy(words, &events[at + ENTRY_HEADER_LENGTH], sizeof(words));
      for (const uint64_t word : words) sum += word;
    }
  }
  close(fd);
  return sum;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const uint64_t count = strtoull(argv[2], nullptr, 10);
  const int fd = open(argv[1], O_CREAT | O_TRUNC | O_WRONLY, 0600);
  if (fd < 0) {
    perror(argv[1]);
    return 1;
  }
  pinThread(0);
  uint8_t event[EVENT_LENGTH] = {};
  const uint64_t begin = nowNs();
  for (uint64_t number = 0; number < count; number++) {
    uint64_t words[PAYLOAD_WORDS];
    words[0] = number;
    for (uint64_t index = 1; index < PAYLOAD_WORDS; index++) words[index] = number * 0x9e3779b97f4a7c15ull + index - 1;
    memcpy(event + ENTRY_HEADER_LENGTH, words, sizeof(words));
    if (write(fd, event, sizeof(event)) != sizeof(event)) {
      perror("write");
      return 1;
    }
  }
  const uint64_t ns = nowNs() - begin;
  close(fd);
  printf("{\"ns\":%" PRIu64 ",\"checksum\":\"%08" PRIx32 "\"}\n", ns, static_cast<uint32_t>(sumOf(argv[1], count)));
  unlink(argv[1]);
}
