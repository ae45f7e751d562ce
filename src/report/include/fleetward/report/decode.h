// Reports as devices send them, JSON and CBOR (reference: agent-protocol.md §2, §5; docs/device-protocol.md). Target
// fleetward::report_decode. Outside input: bounded, never throws.
#pragma once

#include <memory>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/report/metric_report.h"

namespace fleetward::report {

/// Message of every decoding error; Error::detail() says what was wrong and where.
inline constexpr std::string_view kMalformedReport = "Malformed metrics report";

/// So many readable bytes behind a payload spare the JSON decoder a copy; what is in them does not matter.
inline constexpr std::size_t kDecodeSlack = 64;

/// JSON (RFC 8259, UTF-8), long or short names in any mix, optionally ended by one NUL byte. One thread at a time.
class JsonDecoder {
 public:
  JsonDecoder();
  ~JsonDecoder();
  JsonDecoder(JsonDecoder&&) noexcept;
  JsonDecoder& operator=(JsonDecoder&&) noexcept;

  /// Replaces `out` by the report in `payload`, behind which `slack` bytes are readable. Error: kInvalidArgument
  /// "Malformed metrics report"; `out` is then unspecified but for report_id, which is set if the header could be read.
  Status Decode(std::string_view payload, MetricReport& out, std::size_t slack = 0);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// CBOR (RFC 8949) with text keys, definite or indefinite lengths. Results and errors as JsonDecoder's. Stateless.
class CborDecoder {
 public:
  Status Decode(std::string_view payload, MetricReport& out);
};

/// Both, chosen by the topic's last level.
class ReportDecoder {
 public:
  Status Decode(Format format, std::string_view payload, MetricReport& out, std::size_t slack = 0) {
    return format == Format::kJson ? json_.Decode(payload, out, slack) : cbor_.Decode(payload, out);
  }

 private:
  JsonDecoder json_;
  CborDecoder cbor_;
};

}  // namespace fleetward::report
