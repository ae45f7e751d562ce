// Whatever bytes an agent receives as an answer, in either form.
#include <cstdlib>

#include "fleetward/report/answer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward::report;
  std::string_view payload(reinterpret_cast<const char*>(data), size);
  for (Format format : {Format::kJson, Format::kCbor}) {
    auto answer = DecodeAnswer(payload, format);
    if (!answer.ok()) continue;
    std::string out;
    EncodeAnswer(*answer, format, out);
    if (out.size() <= 8192 && !DecodeAnswer(out, format).ok()) std::abort();
  }
  return 0;
}
