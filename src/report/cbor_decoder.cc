#include <algorithm>

#include "cbor_value.h"
#include "fleetward/report/decode.h"
#include "grammar.h"

namespace fleetward::report {
namespace {

Error Malformed(const char* detail) {
  return Error(Code::kInvalidArgument, std::string(kMalformedReport)).WithDetail(detail);
}

/// The walk would wait for each line of memory in turn when the payload is not in the cache.
void Prefetch(std::string_view payload) {
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kMost = 4096;
  for (std::size_t at = 0; at < std::min(payload.size(), kMost); at += kLine) __builtin_prefetch(payload.data() + at);
}

/// For the answer to a refused report: looks at the header alone.
void FindReportId(std::string_view payload, MetricReport& out) {
  CborValue root(payload);
  ReportGrammar grammar(out);
  (void)root.Object([&](auto& key, CborValue& value) {
    if (key.template Match<kDocumentNames>() != kHeader) return value.Skip();
    (void)grammar.Header(value);
    return false;
  });
}

}  // namespace

Status CborDecoder::Decode(std::string_view payload, MetricReport& out) {
  out.Clear();
  if (payload.size() > kMaxPayloadBytes) return Malformed("longer than 128 KB");
  Prefetch(payload);
  CborValue root(payload);
  ReportGrammar grammar(out);
  bool ok = grammar.Document(root);
  if (ok && root.AtEnd()) return {};
  const char* fault = ok ? "something follows the report" : root.broken() ? root.broken() : grammar.fault();
  if (!out.report_id) FindReportId(payload, out);
  return Malformed(fault);
}

}  // namespace fleetward::report
