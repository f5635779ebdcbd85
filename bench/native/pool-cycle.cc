// pool-cycle THREADS COUNT CAPACITY KIND: threads take records of 64 bytes from one free list, four at a time, write into them, and give them back. KIND: treiber, a stack
// whose head has a tag against ABA; mutex, a stack under std::mutex.
// Goal: the best of the two usual ways. Non-goals: caches for each thread; knowing who has a record, so that it comes back when its owner dies: both lose it.

#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "thread.h"

static constexpr uint32_t NONE = 0xffffffff;
static constexpr uint32_t HELD = 4;

struct alignas(128) Record {
  uint64_t words[8];
};

class Treiber {
 public:
  explicit Treiber(uint32_t capacity) : next_(capacity) {
    for (uint32_t index = 0; index < capacity; index++) next_[index].store(index + 1 < capacity ? index + 1 : NONE);
    head_.store(0);
  }
  uint32_t take() {
    uint64_t head = head_.load(std::memory_order_acquire);
    while (true) {
      const uint32_t index = static_cast<uint32_t>(head);
      if (index == NONE) return NONE;
      const uint64_t next = next_[index].load(std::memory_order_relaxed);
      const uint64_t tagged = ((head >> 32) + 1) << 32 | next;
      if (head_.compare_exchange_weak(head, tagged, std::memory_order_acquire)) return index;
    }
  }
  void give(uint32_t index) {
    uint64_t head = head_.load(std::memory_order_relaxed);
    while (true) {
      next_[index].store(static_cast<uint32_t>(head), std::memory_order_relaxed);
      const uint64_t tagged = ((head >> 32) + 1) << 32 | index;
      if (head_.compare_exchange_weak(head, tagged, std::memory_order_release)) return;
    }
  }

 private:
  alignas(128) std::atomic<uint64_t> head_;
  alignas(128) std::vector<std::atomic<uint32_t>> next_;
};

class Locked {
 public:
  explicit Locked(uint32_t capacity) {
    free_.reserve(capacity);
    for (uint32_t index = capacity; index > 0; index--) free_.push_back(index - 1);
  }
  uint32_t take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) return NONE;
    const uint32_t index = free_.back();
    free_.pop_back();
    return index;
  }
  void give(uint32_t index) {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(index);
  }

 private:
  std::mutex mutex_;
  std::vector<uint32_t> free_;
};

template <typename Pool>
static uint64_t cycle(Pool& pool, Record* records, uint64_t count) {
  uint64_t sum = 0;
  uint32_t held[HELD];
  for (uint64_t done = 0; done < count; done += HELD) {
    for (uint32_t index = 0; index < HELD; index++) {
      uint32_t record;
      while ((record = pool.take()) == NONE) {
      }
      *const_cast<volatile uint64_t*>(&records[record].words[0]) = done + index;
      held[index] = record;
    }
    for (uint32_t index = 0; index < HELD; index++) {
      sum += *const_cast<volatile uint64_t*>(&records[held[index]].words[0]);
      pool.give(held[index]);
    }
  }
  return sum;
}

template <typename Pool>
static void run(int threads, uint64_t count, uint32_t capacity) {
  Pool pool(capacity);
  std::vector<Record> records(capacity);
  std::atomic<int> ready{0};
  std::vector<uint64_t> sums(threads), ns(threads);
  std::vector<std::thread> workers;
  for (int thread = 0; thread < threads; thread++) {
    workers.emplace_back([&, thread] {
      pinThread(thread);
      ready.fetch_add(1);
      while (ready.load() < threads) {
      }
      const uint64_t begin = nowNs();
      sums[thread] = cycle(pool, records.data(), count);
      ns[thread] = nowNs() - begin;
    });
  }
  uint64_t sum = 0, longest = 0;
  for (int thread = 0; thread < threads; thread++) {
    workers[thread].join();
    sum += sums[thread];
    if (ns[thread] > longest) longest = ns[thread];
  }
  printf("{\"ns\":%" PRIu64 ",\"checksum\":\"%016" PRIx64 "\"}\n", longest, sum);
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const int threads = atoi(argv[1]);
  const uint64_t count = strtoull(argv[2], nullptr, 10);
  const uint32_t capacity = static_cast<uint32_t>(atoi(argv[3]));
  if (strcmp(argv[4], "mutex") == 0) run<Locked>(threads, count, capacity);
  else run<Treiber>(threads, count, capacity);
}
