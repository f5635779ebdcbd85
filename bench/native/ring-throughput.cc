// ring-throughput COUNT BATCH CAPACITY [words]: two threads, one ring of 64-byte records; prints what it took and the sum of all words read. `words`: of 32 bits.
// Goal: the best that C++ makes of the same ring. Non-goal: another ring (slots of fixed size, huge pages).

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "ring.h"
#include "thread.h"

template <bool isWords>
static void produce(uint8_t* memory, uint32_t capacity, uint64_t count, uint32_t batch) {
  ring::Endpoint producer = ring::producerOf(memory, capacity);
  uint32_t pending = 0;
  for (uint64_t number = 0; number < count; number++) {
    uint8_t* at;
    while ((at = ring::reserve(producer, ring::RECORD_LENGTH)) == nullptr) {
      if (pending) ring::publish(producer);
      pending = 0;
    }
    if constexpr (isWords) ring::fillWords(at, static_cast<uint32_t>(number));
    else ring::fill(at, number);
    ring::submit(producer, ring::RECORD_LENGTH);
    if (++pending == batch) {
      ring::publish(producer);
      pending = 0;
    }
  }
  ring::publish(producer);
}

template <bool isWords>
static uint64_t consume(uint8_t* memory, uint32_t capacity, uint64_t count, uint32_t batch) {
  ring::Endpoint consumer = ring::consumerOf(memory, capacity);
  uint64_t sum = 0;
  uint32_t pending = 0;
  for (uint64_t taken = 0; taken < count; taken++) {
    uint8_t* at;
    while ((at = ring::peek(consumer)) == nullptr) {
      if (pending) ring::release(consumer);
      pending = 0;
    }
    if constexpr (isWords) sum += ring::sumOfWords(at);
    else sum += ring::sumOf(at);
    ring::advance(consumer);
    if (++pending == batch) {
      ring::release(consumer);
      pending = 0;
    }
  }
  ring::release(consumer);
  return sum;
}

template <bool isWords>
static void run(char** argv) {
  const uint64_t count = strtoull(argv[1], nullptr, 10);
  const uint32_t batch = static_cast<uint32_t>(atoi(argv[2]));
  const uint32_t capacity = static_cast<uint32_t>(atoi(argv[3]));
  uint8_t* memory = static_cast<uint8_t*>(aligned_alloc(4096, RING_DATA_OFFSET + capacity));
  memset(memory, 0, RING_DATA_OFFSET + capacity);
  std::atomic<int> ready{0};
  const auto meet = [&ready] {
    ready.fetch_add(1);
    while (ready.load() < 2) {
    }
  };
  std::thread producer([&] {
    pinThread(0);
    meet();
    produce<isWords>(memory, capacity, count, batch);
  });
  uint64_t sum = 0;
  uint64_t ns = 0;
  std::thread consumer([&] {
    pinThread(1);
    meet();
    const uint64_t begin = nowNs();
    sum = consume<isWords>(memory, capacity, count, batch);
    ns = nowNs() - begin;
  });
  producer.join();
  consumer.join();
  if (isWords) printf("{\"ns\":%" PRIu64 ",\"checksum\":\"%08" PRIx32 "\"}\n", ns, static_cast<uint32_t>(sum));
  else printf("{\"ns\":%" PRIu64 ",\"checksum\":\"%016" PRIx64 "\"}\n", ns, sum);
}

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) return 2;
  if (argc == 5) run<true>(argv);
  else run<false>(argv);
}
