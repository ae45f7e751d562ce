#include "options.h"

#include <charconv>

namespace fleetward::plugin {
namespace {

Status ParseNumber(const std::string& name, const std::string& text, std::uint64_t least, std::uint64_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size() || out < least || out > (std::uint64_t{1} << 40)) {
    return Error(Code::kInvalidArgument, "plugin option " + name + ": not a number in range: " + text);
  }
  return {};
}

Status ParseSwitch(const std::string& name, const std::string& text, bool& out) {
  if (text != "true" && text != "false") {
    return Error(Code::kInvalidArgument, "plugin option " + name + ": not true or false: " + text);
  }
  out = text == "true";
  return {};
}

Status Set(Options& o, const std::string& name, const std::string& value) {
  struct Text { const char* name; std::string& target; };
  struct Number { const char* name; std::uint64_t least; std::uint64_t& target; };
  struct Switch { const char* name; bool& target; };
  std::uint64_t bucket = static_cast<std::uint64_t>(o.bucket_seconds);
  std::uint64_t expiry = static_cast<std::uint64_t>(o.session_expiry_seconds);
  for (auto& text : {Text{"edge_id", o.edge_id}, Text{"snapshot_file", o.snapshot_file},
                     Text{"ingest_socket", o.ingest_socket}, Text{"reason_socket", o.reason_socket},
                     Text{"trust_folder", o.trust_folder}, Text{"control_socket", o.control_socket}, Text{"control_secret_file", o.control_secret_file}}) {
    if (name == text.name) {
      text.target = value;
      return {};
    }
  }
  for (auto& flag : {Switch{"close_on_denied_subscribe", o.close_on_denied_subscribe},
                     Switch{"report_for_others", o.report_for_others}}) {
    if (name == flag.name) return ParseSwitch(name, value, flag.target);
  }
  for (auto& number :
       {Number{"bucket_seconds", 1, bucket}, Number{"buffer_bytes", 64 * 1024, o.buffer_bytes},
        Number{"max_payload_bytes", 1, o.max_payload_bytes},
        Number{"max_publishes_per_second", 0, o.max_publishes_per_second},
        Number{"max_subscriptions", 1, o.max_subscriptions},
        Number{"max_clients_per_certificate", 1, o.max_clients_per_certificate},
        Number{"max_sessions_per_certificate", 1, o.max_sessions_per_certificate},
        Number{"max_retained_per_certificate", 0, o.max_retained_per_certificate},
        Number{"max_waiting_bytes", 1, o.max_waiting_bytes}, Number{"session_expiry_seconds", 1, expiry}}) {
    if (name != number.name) continue;
    FW_TRY(ParseNumber(name, value, number.least, number.target));
    o.bucket_seconds = static_cast<std::int64_t>(bucket);
    o.session_expiry_seconds = static_cast<std::int64_t>(expiry);
    return {};
  }
  return Error(Code::kInvalidArgument, "plugin option " + name + " is not known");
}

}  // namespace

Result<Options> ParseOptions(std::span<const std::pair<std::string, std::string>> options) {
  Options parsed;
  for (const auto& [name, value] : options) FW_TRY(Set(parsed, name, value));
  for (const auto& [name, value] : {std::pair{"snapshot_file", &parsed.snapshot_file},
                                    std::pair{"ingest_socket", &parsed.ingest_socket},
                                    std::pair{"control_socket", &parsed.control_socket},
                                    std::pair{"control_secret_file", &parsed.control_secret_file}}) {
    if (value->empty()) return Error(Code::kInvalidArgument, std::string("plugin option ") + name + " is missing");
  }
  return parsed;
}

}  // namespace fleetward::plugin
