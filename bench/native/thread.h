// Threads that stay on their core, and the clock of every bench.

#pragma once
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <cstdint>

inline void pinThread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  // A machine with one core runs it unpinned.
  (void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

inline uint64_t nowNs() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000ull + static_cast<uint64_t>(time.tv_nsec);
}
