// The engine's SPSC ring (assembly/ring.ts) in C++, as its rival: the same layout, the same algorithm - an 8-byte header with the length, u64 positions, the
// other side's position cached, one publication per batch - with the memory orders that C++ offers (release and acquire, where wasm has only seq_cst).

#pragma once
#include <atomic>
#include <cstdint>
#include <cstring>

#include "layout.h"

namespace ring {

struct Endpoint {
  uint8_t* ring;
  uint64_t position;
  uint64_t cached;
  uint32_t capacity;
  uint32_t recordLength;
};

inline std::atomic<uint64_t>& word64(uint8_t* ring, uint32_t offset) {
  return *reinterpret_cast<std::atomic<uint64_t>*>(ring + offset);
}

inline std::atomic<uint32_t>& word32(uint8_t* ring, uint32_t offset) {
  return *reinterpret_cast<std::atomic<uint32_t>*>(ring + offset);
}

inline uint32_t recordLengthOf(uint32_t length) { return (length + RING_RECORD_HEADER_LENGTH + 7) & ~7u; }

inline Endpoint producerOf(uint8_t* ring, uint32_t capacity) { return {ring, 0, 0, capacity, 0}; }
inline Endpoint consumerOf(uint8_t* ring, uint32_t capacity) { return {ring, 0, 0, capacity, 0}; }

/** Room for `length` bytes, or null when the ring is full. */
inline uint8_t* reserve(Endpoint& producer, uint32_t length) {
  const uint32_t capacity = producer.capacity;
  if (length > (capacity >> 1) - RING_RECORD_HEADER_LENGTH) return nullptr;
  const uint32_t needed = recordLengthOf(length);
  uint64_t position = producer.position;
  const uint32_t tail = capacity - static_cast<uint32_t>(position & (capacity - 1));
  const uint32_t padding = needed > tail ? tail : 0;
  if (position + padding + needed - producer.cached > capacity) {
    // Pairs with the store in release().
    const uint64_t consumer = word64(producer.ring, RING_CONSUMER_POSITION_OFFSET).load(std::memory_order_acquire);
    if (consumer > position) return nullptr;
    producer.cached = consumer;
    if (position + padding + needed - consumer > capacity) return nullptr;
  }
  if (padding) {
    word32(producer.ring, RING_DATA_OFFSET + (capacity - tail))
        .store(RING_RECORD_DISCARD | (padding - RING_RECORD_HEADER_LENGTH), std::memory_order_relaxed);
    position += padding;
    producer.position = position;
  }
  uint8_t* at = producer.ring + RING_DATA_OFFSET + (position & (capacity - 1));
  reinterpret_cast<std::atomic<uint32_t>*>(at)->store(length, std::memory_order_relaxed);
  return at + RING_RECORD_HEADER_LENGTH;
}

inline void submit(Endpoint& producer, uint32_t length) { producer.position += recordLengthOf(length); }

inline void publish(Endpoint& producer) {
  // Pairs with the load in peek().
  word64(producer.ring, RING_PRODUCER_POSITION_OFFSET).store(producer.position, std::memory_order_release);
}

/** The next record's data, or null when there is none. */
inline uint8_t* peek(Endpoint& consumer) {
  const uint32_t capacity = consumer.capacity;
  uint64_t position = consumer.position;
  while (true) {
    if (position == consumer.cached) {
      // Pairs with the store in publish().
      consumer.cached = word64(consumer.ring, RING_PRODUCER_POSITION_OFFSET).load(std::memory_order_acquire);
      if (position == consumer.cached) return nullptr;
    }
    const uint32_t index = static_cast<uint32_t>(position & (capacity - 1));
    uint8_t* at = consumer.ring + RING_DATA_OFFSET + index;
    const uint32_t header = reinterpret_cast<std::atomic<uint32_t>*>(at)->load(std::memory_order_acquire);
    if (header & RING_RECORD_BUSY) return nullptr;
    const uint32_t length = header & RING_RECORD_LENGTH_MASK;
    const uint32_t taken = recordLengthOf(length);
    if (length > capacity - RING_RECORD_HEADER_LENGTH || taken > consumer.cached - position || index + taken > capacity) return nullptr;
    if (!(header & RING_RECORD_DISCARD)) {
      consumer.recordLength = length;
      return at + RING_RECORD_HEADER_LENGTH;
    }
    position += taken;
    consumer.position = position;
  }
}

inline void advance(Endpoint& consumer) { consumer.position += recordLengthOf(consumer.recordLength); }

inline void release(Endpoint& consumer) {
  // Pairs with the load in reserve().
  word64(consumer.ring, RING_CONSUMER_POSITION_OFFSET).store(consumer.position, std::memory_order_release);
}

// The 64-byte record of the benches: its number, then words that follow from it.

constexpr uint32_t RECORD_LENGTH = 64;

inline void fill(uint8_t* at, uint64_t number) {
  uint64_t* words = reinterpret_cast<uint64_t*>(at);
  const uint64_t mixed = number * 0x9e3779b97f4a7c15ull;
  words[0] = number;
  for (uint64_t index = 1; index < 8; index++) words[index] = mixed + index - 1;
}

inline uint64_t sumOf(const uint8_t* at) {
  const uint64_t* words = reinterpret_cast<const uint64_t*>(at);
  uint64_t sum = 0;
  for (int index = 0; index < 8; index++) sum += words[index];
  return sum;
}

// That of the queues' benches (bench/assembly/record.ts): words of 32 bits.

inline void fillWords(uint8_t* at, uint32_t number) {
  uint32_t* words = reinterpret_cast<uint32_t*>(at);
  const uint32_t mixed = number * 0x9e3779b1u;
  words[0] = number;
  for (uint32_t index = 1; index < 16; index++) words[index] = mixed + index;
}

inline uint32_t sumOfWords(const uint8_t* at) {
  const uint32_t* words = reinterpret_cast<const uint32_t*>(at);
  uint32_t sum = 0;
  for (int index = 0; index < 16; index++) sum += words[index];
  return sum;
}

}  // namespace ring
