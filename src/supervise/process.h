// Child processes and what /proc says about processes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fleetward/base/file.h"
#include "fleetward/base/result.h"

namespace fleetward::supervise {

/// Whom a child runs as. Unset: as the supervisor itself.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
};

struct Launch {
  std::vector<std::string> command;   // found by PATH when without a slash
  std::string shown_as;               // argv[0], when that is not command[0]
  std::optional<Identity> identity;
  int death_signal = 0;               // sent when the supervisor dies (D17)
  int stdout_fd = -1;                 // becomes the child's stdout and stderr; -1: inherited
  std::vector<std::pair<std::string, std::string>> environment;  // added to the supervisor's own
  bool bind_low_ports = false;        // keeps the right to ports below 1024 after the change of user
};

/// Starts the child in a process group of its own. `before_exec` runs in the parent while the child still waits; when
/// the parent dies in between, or it fails, the program never runs. Error: kIo when it cannot be started.
Result<pid_t> StartProcess(const Launch& launch, const std::function<Status(pid_t)>& before_exec = {});

/// A process as the kernel tells two of the same pid apart: by its start time (field 22 of /proc/PID/stat).
struct ProcessMark {
  pid_t pid = 0;
  std::uint64_t start_time = 0;
};
std::optional<ProcessMark> MarkOf(pid_t pid);
/// The mark in a file ("pid start_time"), if that very process is still alive.
std::optional<ProcessMark> LivingMark(const std::string& file);
/// Overwrites in place, always the same size: works on a full disk once the file is there. No pid: nobody.
Status WriteMark(const std::string& file, const ProcessMark& mark);
/// SIGTERM, then SIGKILL after `grace_ms`; returns when it is gone or after two more seconds.
void EndProcess(const ProcessMark& mark, int grace_ms);

/// "name (pid 12)" of the process that listens on a TCP port, as far as /proc shows it; empty if unknown.
std::string PortOwner(std::uint16_t port);
/// kUnavailable when something listens there already. Error text names the process and `setting`.
Status CheckPortFree(const std::string& address, std::uint16_t port, const std::string& setting);

/// `user`'s ids when the supervisor is root, the user exists and can reach all of `paths`; nothing otherwise, with the
/// reason in `why` (empty when not root).
std::optional<Identity> ResolveIdentity(const std::string& user, const std::vector<std::string>& paths,
                                        std::string& why);

}  // namespace fleetward::supervise
