// Rows of `detect score`: any bytes; every answered row has a score in 0..1, and ends in its own line.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fleetward/detect/score_filter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  fleetward::detect::ScoreFilter filter({.fleet = (data[0] & 1) != 0, .step_s = data[0] >> 1, .max_series = 8});
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  while (!rest.empty()) {
    std::size_t end = rest.find('\n');
    std::string out;
    if (!filter.Line(rest.substr(0, end), out).ok()) return 0;
    if (out.empty() || out.back() != '\n' || out.find('\n') != out.size() - 1) std::abort();
    std::string_view score = std::string_view(out).substr(out.rfind(',') + 1);
    if (score != "score\n") {
      double value = std::strtod(score.data(), nullptr);
      if (!(value >= 0 && value <= 1)) std::abort();
    }
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return 0;
}
