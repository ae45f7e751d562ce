#include "collectors/custom/custom_metric.h"

#include <algorithm>

#include "fleetward/base/encoding.h"

namespace fleetward::agent {
namespace {

// Names of processes and output of commands are bytes; reports are UTF-8.
void MakeText(std::string& value) {
  if (value.size() > report::kMaxStringBytes) value.resize(report::kMaxStringBytes);
  if (IsUtf8(value)) return;
  for (char& c : value) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
}

}  // namespace

Status CustomMetric::Strings(std::vector<std::string> values, report::CustomMetrics& out) const {
  for (std::string& value : values) MakeText(value);
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (values.size() > report::kMaxListValues) values.resize(report::kMaxListValues);
  out.Begin(name(), model::CustomMetricType::kStringList);
  for (const std::string& value : values) out.AddString(value);
  return {};
}

}  // namespace fleetward::agent
