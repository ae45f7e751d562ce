// The agent's flags: those of AWS's Python agent, spelled as there, and a few of our own.
#pragma once

#include <string>
#include <vector>

#include "agent_options.h"

namespace fleetward::agent {

struct CommandLine {
  enum class Action { kRun, kHelp, kVersion } action = Action::kRun;
  AgentOptions options;
  std::vector<std::string> ignored;  // flags of AWS's agent that mean nothing here, to be warned of
};

/// `arguments` without the program's name. `@FILE` stands for the arguments in FILE, one a line. The file given by
/// --config is read first: flags win. Errors: kInvalidArgument and those of reading files.
Result<CommandLine> ParseCommandLine(std::vector<std::string> arguments);

std::string HelpText();

}  // namespace fleetward::agent
