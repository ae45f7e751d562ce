#include <cstdio>

#include "agent.h"
#include "command_line.h"
#include "fleetward/base/log.h"

namespace {

fleetward::log::Level LevelOf(const std::string& name) {
  using fleetward::log::Level;
  if (name == "debug") return Level::kDebug;
  if (name == "warning") return Level::kWarning;
  return name == "error" ? Level::kError : Level::kInfo;
}

}  // namespace

int main(int argc, char** argv) {
  namespace agent = fleetward::agent;
  auto line = agent::ParseCommandLine(std::vector<std::string>(argv + 1, argv + argc));
  if (!line.ok()) {
    fprintf(stderr, "fleetward-agent: %s\nTry fleetward-agent --help.\n", line.error().message().c_str());
    return 2;
  }
  switch (line->action) {
    case agent::CommandLine::Action::kHelp: fputs(agent::HelpText().c_str(), stdout); return 0;
    case agent::CommandLine::Action::kVersion: puts("fleetward-agent " FLEETWARD_VERSION); return 0;
    case agent::CommandLine::Action::kRun: break;
  }
  fleetward::log::SetLevel(LevelOf(line->options.log_level));
  for (const std::string& flag : line->ignored) fleetward::log::Warning("agent.flag_ignored", {{"flag", flag}});
  return line->options.dry_run ? agent::RunDry(line->options) : agent::RunAgent(line->options);
}
