// storm DIRECTORY CPU COUNT SECONDS PAUSE_NS CHANGE_EVERY: opens and closes files in the directory, on one core, until COUNT cycles (0 = no limit) or SECONDS
// are over, waiting PAUSE_NS (busy) between cycles; every CHANGE_EVERY-th cycle (0 = never) writes a file, and every second of those is deleted again.
// Prints how many file operations (system calls on files in the directory) and changes it made: what a watcher should have seen.

#include <fcntl.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "thread.h"

static constexpr int FILES = 64;

struct Counts {
  uint64_t operations = 0;
  uint64_t changes = 0;
};

static int openCounted(const std::string& path, int flags, Counts& counts) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) {
    perror(path.c_str());
    exit(1);
  }
  counts.operations += 1;
  return fd;
}

static void closeCounted(int fd, Counts& counts) {
  close(fd);
  counts.operations += 1;
}

static void change(const std::string& path, bool removed, Counts& counts) {
  const int fd = openCounted(path, O_CREAT | O_EXCL | O_WRONLY, counts);
  if (write(fd, "sixteen bytes ..", 16) != 16) exit(1);
  closeCounted(fd, counts);
  counts.operations += 1;
  counts.changes += 2;  // created, written
  if (!removed) return;
  if (unlink(path.c_str()) != 0) exit(1);
  counts.operations += 1;
  counts.changes += 1;
}

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  const std::string directory = argv[1];
  pinThread(atoi(argv[2]));
  const uint64_t countMax = strtoull(argv[3], nullptr, 10);
  const uint64_t limitNs = static_cast<uint64_t>(atof(argv[4]) * 1e9);
  const uint64_t pauseNs = strtoull(argv[5], nullptr, 10);
  const uint64_t changeEvery = strtoull(argv[6], nullptr, 10);

  Counts counts;
  std::vector<std::string> paths;
  for (int file = 0; file < FILES; file++) {
    paths.push_back(directory + "/file-" + std::to_string(file));
    closeCounted(openCounted(paths.back(), O_CREAT | O_EXCL | O_RDONLY, counts), counts);
    counts.changes += 1;
  }
  const uint64_t begin = nowNs();
  uint64_t now = begin;
  uint64_t cycle = 0;
  for (; (countMax == 0 || cycle < countMax) && now - begin < limitNs; cycle++) {
    closeCounted(openCounted(paths[cycle % FILES], O_RDONLY, counts), counts);
    if (changeEvery != 0 && cycle % changeEvery == 0) {
      change(directory + "/changed-" + std::to_string(cycle), cycle / changeEvery % 2 == 1, counts);
    }
    now = nowNs();
    for (const uint64_t until = now + pauseNs; pauseNs != 0 && now < until;) now = nowNs();
  }
  printf("{\"operations\":%" PRIu64 ",\"changes\":%" PRIu64 ",\"cycles\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"pid\":%d}\n", counts.operations,
         counts.changes, cycle, now - begin, getpid());
}
