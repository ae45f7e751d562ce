// The agent's loop: sample, deliver, wait.
#pragma once

#include "agent_options.h"

namespace fleetward::agent {

/// Runs until SIGTERM or SIGINT, or until the given number of reports is done. Returns the exit status.
int RunAgent(const AgentOptions& options);

/// Prints reports to standard output instead of sending them. Returns the exit status.
int RunDry(const AgentOptions& options);

/// Where `spool.directory` leads for this thing; empty: no spool.
std::string SpoolFolder(const AgentOptions& options);

}  // namespace fleetward::agent
