// Names of threads, as top, perf and the benchmarks show them.
#pragma once

#include <pthread.h>

namespace fleetward {

/// Names the calling thread; at most 15 characters count.
inline void NameThisThread(const char* name) { pthread_setname_np(pthread_self(), name); }

}  // namespace fleetward
