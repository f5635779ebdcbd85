// futex-hop COUNT PAUSE_NS WHERE: one word changed and woken by futex(2), one way, to a thread ("threads", FUTEX_PRIVATE_FLAG) or a process ("processes") that sleeps on it,
// each on its core; prints the median in ns. Nothing is handed over but the word.
// Goal: what of a parked hop is the kernel's. Non-goal: a ring.

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "thread.h"

struct Shared {
  alignas(128) std::atomic<uint32_t> word;
  alignas(128) std::atomic<uint32_t> taken;
  alignas(128) std::atomic<uint64_t> sentNs;
  alignas(128) std::atomic<uint64_t> medianNs;
};

static long futex(std::atomic<uint32_t>& word, int operation, uint32_t value) {
  return syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), operation, value, nullptr, nullptr, 0);
}

static void receive(Shared& shared, uint32_t count, int flag) {
  pinThread(1);
  std::vector<uint64_t> hops(count);
  for (uint32_t number = 0; number < count; number++) {
    while (shared.word.load() == number) futex(shared.word, FUTEX_WAIT | flag, number);
    hops[number] = nowNs() - shared.sentNs.load();
    shared.taken.store(number + 1);
  }
  std::sort(hops.begin(), hops.end());
  shared.medianNs.store(hops[count / 2]);
}

static void send(Shared& shared, uint32_t count, uint64_t pauseNs, int flag) {
  pinThread(0);
  for (uint32_t number = 0; number < count; number++) {
    while (shared.taken.load() != number) {
    }
    const uint64_t asleep = nowNs() + pauseNs;
    while (nowNs() < asleep) {
    }
    shared.sentNs.store(nowNs());
    shared.word.store(number + 1);
    futex(shared.word, FUTEX_WAKE | flag, 1);
  }
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const uint32_t count = static_cast<uint32_t>(atoi(argv[1]));
  const uint64_t pauseNs = strtoull(argv[2], nullptr, 10);
  const bool isShared = strcmp(argv[3], "processes") == 0;
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  Shared& shared = *new (memory) Shared{};
  if (isShared) {
    const pid_t receiver = fork();
    if (receiver < 0) return 1;
    if (receiver == 0) {
      receive(shared, count, 0);
      _exit(0);
    }
    send(shared, count, pauseNs, 0);
    if (waitpid(receiver, nullptr, 0) != receiver) return 1;
  } else {
    std::thread receiver([&] { receive(shared, count, FUTEX_PRIVATE_FLAG); });
    send(shared, count, pauseNs, FUTEX_PRIVATE_FLAG);
    receiver.join();
  }
  printf("{\"p50\":%llu}\n", static_cast<unsigned long long>(shared.medianNs.load()));
}
