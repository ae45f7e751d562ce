// Custom metrics from a command's output. The command is started directly, never through a shell, as a user of its
// own, with an empty environment but PATH and LANG, no inherited descriptors and no way to gain rights (threats.md j).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "collectors/custom/custom_metric.h"
#include "fleetward/base/file.h"

namespace fleetward::agent {

struct Command {
  std::vector<std::string> arguments;  // [0] is an absolute path
  std::string user;                    // whom to run as; empty: nobody when the agent is root, else the agent's user
  int timeout_seconds = 10;
};

/// Errors: kPermissionDenied when a program (or a folder above it) could be changed by anybody but root and the
/// agent's own user, or when the user cannot be taken on; kInvalidArgument for relative paths, kNotFound.
Status CheckCommand(const Command& command);

/// Runs the commands of one report side by side, so that they take the longest one's time, not their sum.
class CommandBatch {
 public:
  using Ticket = std::size_t;
  static constexpr std::size_t kMaxOutput = 64 * 1024;

  CommandBatch() = default;
  ~CommandBatch() { Clear(); }
  CommandBatch(const CommandBatch&) = delete;
  CommandBatch& operator=(const CommandBatch&) = delete;

  Ticket Start(const Command& command);
  /// The standard output. The first call waits for all commands that were started; a command that takes longer than
  /// its timeout is killed with everything it has started. Errors: kTimeout, kIo (could not start, exit status not 0),
  /// kInvalidArgument (more output than kMaxOutput).
  Result<std::string> Output(Ticket ticket);
  /// Forgets all; what still runs is killed.
  void Clear();

 private:
  struct Run {
    pid_t pid = -1;
    Fd output;
    std::string text;
    std::int64_t deadline_ms = 0;
    int timeout_seconds = 0;
    Status result;
  };
  void WaitForAll();
  void Finish(Run& run);
  static void Kill(Run& run);
  std::vector<Run> runs_;
};

/// A command's output as a value of the given type: a number, or one value a line.
class CommandMetric : public CustomMetric {
 public:
  CommandMetric(std::string name, Command command, model::CustomMetricType type)
      : CustomMetric(std::move(name)), command_(std::move(command)), type_(type) {}
  void Prepare(Surroundings& surroundings) override;
  Status Measure(Surroundings& surroundings, report::CustomMetrics& out) override;

 private:
  Command command_;
  model::CustomMetricType type_;
  CommandBatch::Ticket ticket_ = 0;
};

}  // namespace fleetward::agent
