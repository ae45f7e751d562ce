// Signed calls: "METHOD TARGET\nName: value\n...\n\nbody". Whatever parses must canonicalise, and must not verify
// under a secret that never signed it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/crypto/sigv4.h"

namespace {

std::string_view Line(std::string_view& rest) {
  std::size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::string_view first = Line(rest);
  std::size_t blank = first.find(' ');
  std::vector<std::pair<std::string, std::string>> headers;
  while (!rest.empty()) {
    std::string_view line = Line(rest);
    if (line.empty()) break;
    std::size_t colon = line.find(": ");
    headers.emplace_back(line.substr(0, colon), colon == std::string_view::npos ? "" : line.substr(colon + 2));
  }
  crypto::HttpCall call{first.substr(0, blank), blank == std::string_view::npos ? "" : first.substr(blank + 1), headers,
                        rest};
  Result<crypto::SignatureClaim> claim = crypto::ParseSignature(call);
  if (!claim.ok()) return 0;
  if (crypto::CanonicalRequest(*claim, call).empty()) std::abort();
  (void)crypto::CheckSignatureTime(*claim, FromMillis(1'440'938'160'000));
  if (crypto::VerifySignature(*claim, call, "a secret that signed nothing")) std::abort();
  return 0;
}
