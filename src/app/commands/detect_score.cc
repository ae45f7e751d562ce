// detect score: the ML detector as a filter.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>

#include "commands.h"
#include "fleetward/detect/score_filter.h"

namespace fleetward::app {
namespace {

bool Write(std::string& out) {
  std::string_view rest = out;
  while (!rest.empty()) {
    ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      std::perror("fleetward: standard output");
      return false;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  out.clear();
  return true;
}

}  // namespace

int RunDetectScore(const DetectScoreArguments& arguments) {
  detect::ScoreFilter filter({.fleet = arguments.fleet, .step_s = arguments.step_seconds});
  auto answer = [&filter](std::string_view line, std::string& out) {
    Status status = filter.Line(line, out);
    if (status.ok()) return true;
    Write(out);
    std::fprintf(stderr, "fleetward: %s\n", status.error().message().c_str());
    return false;
  };
  std::string pending, out;
  char buffer[1 << 16];
  for (;;) {
    ssize_t size = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      std::perror("fleetward: standard input");
      return 1;
    }
    if (size == 0) break;
    pending.append(buffer, static_cast<std::size_t>(size));
    std::size_t from = 0, end = 0;
    for (; (end = pending.find('\n', from)) != std::string::npos; from = end + 1) {
      if (!answer(std::string_view(pending).substr(from, end - from), out)) return 2;
    }
    pending.erase(0, from);
    // A line that cannot end within bounds is refused now.
    if (pending.size() > detect::ScoreFilter::kMaxLine + 2 && !answer(pending, out)) return 2;
    if (!Write(out)) return 1;  // before waiting for more: a live pipe sees its scores
  }
  if (!pending.empty() && !answer(pending, out)) return 2;
  return Write(out) ? 0 : 1;
}

}  // namespace fleetward::app
