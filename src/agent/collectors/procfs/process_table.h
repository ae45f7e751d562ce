// Processes from /proc/PID/stat and cmdline (proc(5)), read at most once a report.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"

namespace fleetward::agent {

struct Process {
  std::int32_t pid = 0;
  std::int32_t parent = 0;
  std::string name;      // comm: at most 15 bytes, for scripts the script's name
};

class ProcessTable {
 public:
  explicit ProcessTable(std::string proc_folder) : folder_(std::move(proc_folder)) {}

  /// Forgets the last walk; the next All() walks again.
  void NextReport() { read_ = false; }
  /// Living processes (no zombies), ascending by pid. Processes that end during the walk are left out.
  /// Errors: kIo, kNotFound.
  Result<const std::vector<Process>*> All();

  /// True when the process is called `name`: its comm (first 15 bytes), or the last part of argv[0].
  bool IsCalled(const Process& process, std::string_view name);

 private:
  std::string folder_;
  bool read_ = false;
  std::vector<Process> processes_;
  std::string path_, buffer_;
};

/// Reads a line of /proc/PID/stat. False when it makes no sense or the process is a zombie. The name may hold spaces
/// and parentheses: it ends at the last ')'.
bool ParseStat(std::string_view text, Process& process);

/// Processes that descend from any process called `name`. A process of that name below another of that name counts.
Result<std::int64_t> CountDescendants(ProcessTable& table, std::string_view name);

}  // namespace fleetward::agent
