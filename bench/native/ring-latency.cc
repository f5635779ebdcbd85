// ring-latency COUNT CAPACITY: a record to the other thread and back, both spinning; prints percentiles of half the round trip, in ns, with the cost of
// reading the clock taken off, and the sum of all words that came back.

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "ring.h"
#include "thread.h"

static uint8_t* makeRing(uint32_t capacity) {
  uint8_t* memory = static_cast<uint8_t*>(aligned_alloc(4096, RING_DATA_OFFSET + capacity));
  memset(memory, 0, RING_DATA_OFFSET + capacity);
  return memory;
}

static void send(ring::Endpoint& producer, uint64_t number) {
  uint8_t* at = ring::reserve(producer, ring::RECORD_LENGTH);
  if (at == nullptr) abort();
  ring::fill(at, number);
  ring::submit(producer, ring::RECORD_LENGTH);
  ring::publish(producer);
}

static uint8_t* await(ring::Endpoint& consumer) {
  uint8_t* at;
  while ((at = ring::peek(consumer)) == nullptr) {
  }
  return at;
}

static double percentile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<size_t>(static_cast<double>(sorted.size() - 1) * share)];
}

static double clockCost() {
  std::vector<double> costs(10001);
  for (double& cost : costs) {
    const uint64_t before = nowNs();
    cost = static_cast<double>(nowNs() - before);
  }
  std::sort(costs.begin(), costs.end());
  return percentile(costs, 0.5);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const uint64_t count = strtoull(argv[1], nullptr, 10);
  const uint32_t capacity = static_cast<uint32_t>(atoi(argv[2]));
  uint8_t* there = makeRing(capacity);
  uint8_t* back = makeRing(capacity);
  std::thread echo([&] {
    pinThread(1);
    ring::Endpoint consumer = ring::consumerOf(there, capacity);
    ring::Endpoint producer = ring::producerOf(back, capacity);
    for (uint64_t taken = 0; taken < count; taken++) {
      uint8_t* at = await(consumer);
      uint64_t number;
      memcpy(&number, at, sizeof(number));
      ring::advance(consumer);
      ring::release(consumer);
      send(producer, number);
    }
  });
  pinThread(0);
  ring::Endpoint producer = ring::producerOf(there, capacity);
  ring::Endpoint consumer = ring::consumerOf(back, capacity);
  const double cost = clockCost();
  std::vector<double> hops(count);
  uint32_t sum = 0;
  for (uint64_t number = 0; number < count; number++) {
    const uint64_t before = nowNs();
    send(producer, number);
    uint8_t* at = await(consumer);
    sum += static_cast<uint32_t>(ring::sumOf(at));
    ring::advance(consumer);
    ring::release(consumer);
    hops[number] = std::max(0.0, static_cast<double>(nowNs() - before) - cost) / 2;
  }
  echo.join();
  std::sort(hops.begin(), hops.end());
  printf("{\"p50\":%.1f,\"p99\":%.1f,\"clockNs\":%.1f,\"checksum\":\"%08" PRIx32 "\"}\n", percentile(hops, 0.5), percentile(hops, 0.99), cost, sum);
}
