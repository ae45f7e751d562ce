// Names of threads, as top, perf and the benchmarks show them, and their rank.
#pragma once

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace fleetward {

/// Names the calling thread; at most 15 characters count.
inline void NameThisThread(const char* name) { pthread_setname_np(pthread_self(), name); }

/// For work that nobody waits for: of a processor that others want the calling thread gets a tenth.
inline void LowerThisThread() { setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 10); }

}  // namespace fleetward
