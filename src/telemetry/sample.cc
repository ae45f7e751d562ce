#include "fleetward/telemetry/sample.h"

#include <bit>

namespace fleetward::telemetry {
namespace {

using model::ValueKind;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;  // clang 14 does not deduce it

}  // namespace

void Sample::Clear() {
  entity = {};
  time = {};
  source = Source::kDevice;
  flags = 0;
  report_id = 0;
  reporter.clear();
  fields_.clear();
  words_.clear();
  prefixes_.clear();
  string_ends_.clear();
  text_.clear();
}

void Sample::AddPorts(SeriesKey key, std::span<const std::uint16_t> ports) {
  fields_.push_back({key, ValueKind::kPorts, static_cast<std::uint32_t>(words_.size()),
                     static_cast<std::uint32_t>(ports.size())});
  words_.insert(words_.end(), ports.begin(), ports.end());
}

void Sample::AddNumbers(SeriesKey key, std::span<const double> numbers) {
  fields_.push_back({key, ValueKind::kNumbers, static_cast<std::uint32_t>(words_.size()),
                     static_cast<std::uint32_t>(numbers.size())});
  for (double number : numbers) words_.push_back(std::bit_cast<std::uint64_t>(number));
}

void Sample::AddPrefixes(SeriesKey key, std::span<const model::IpPrefix> prefixes) {
  fields_.push_back({key, ValueKind::kCidrs, static_cast<std::uint32_t>(prefixes_.size()),
                     static_cast<std::uint32_t>(prefixes.size())});
  prefixes_.insert(prefixes_.end(), prefixes.begin(), prefixes.end());
}

void Sample::AddAddresses(SeriesKey key, std::span<const model::IpAddress> addresses) {
  fields_.push_back({key, ValueKind::kCidrs, static_cast<std::uint32_t>(prefixes_.size()),
                     static_cast<std::uint32_t>(addresses.size())});
  for (const model::IpAddress& address : addresses) prefixes_.push_back({address, 128});
}

void Sample::BeginStrings(SeriesKey key) {
  fields_.push_back({key, ValueKind::kStrings, static_cast<std::uint32_t>(string_ends_.size()), 0});
}

void Sample::AddString(std::string_view value) {
  AppendString(value);
  ++fields_.back().count;
}

void Sample::Add(SeriesKey key, const model::MetricValue& value) {
  std::visit(Overloaded{[](std::monostate) {},
                        [&](const model::Count& v) { AddCount(key, v.value); },
                        [&](const model::Number& v) { AddNumber(key, v.value); },
                        [&](const model::Ports& v) { AddPorts(key, v); },
                        [&](const model::Numbers& v) { AddNumbers(key, v); },
                        [&](const model::Cidrs& v) { AddPrefixes(key, v); },
                        [&](const model::Strings& v) {
                          BeginStrings(key);
                          for (const std::string& s : v) AddString(s);
                        }},
             value);
}

model::MetricValue Sample::Value(const Field& field) const {
  auto words = std::span(words_).subspan(field.kind == ValueKind::kCidrs || field.kind == ValueKind::kStrings ? 0 : field.first);
  switch (field.kind) {
    case ValueKind::kCount: return model::Count{static_cast<std::int64_t>(words[0])};
    case ValueKind::kNumber: return model::Number{std::bit_cast<double>(words[0])};
    case ValueKind::kPorts: {
      model::Ports ports;
      for (std::uint64_t word : words.first(field.count)) ports.push_back(static_cast<std::uint16_t>(word));
      return ports;
    }
    case ValueKind::kNumbers: {
      model::Numbers numbers;
      for (std::uint64_t word : words.first(field.count)) numbers.push_back(std::bit_cast<double>(word));
      return numbers;
    }
    case ValueKind::kCidrs:
      return model::Cidrs(prefixes_.begin() + field.first, prefixes_.begin() + field.first + field.count);
    case ValueKind::kStrings: {
      model::Strings strings;
      for (std::uint32_t i = 0; i < field.count; ++i) strings.emplace_back(String(field.first + i));
      return strings;
    }
  }
  return {};
}

const Sample::Field* Sample::Find(SeriesKey key) const {
  for (const Field& field : fields_) {
    if (field.key == key) return &field;
  }
  return nullptr;
}

bool Sample::operator==(const Sample& other) const {
  if (entity != other.entity || time != other.time || source != other.source || flags != other.flags ||
      report_id != other.report_id || reporter != other.reporter || fields_.size() != other.fields_.size()) {
    return false;
  }
  for (const Field& field : fields_) {
    const Field* twin = other.Find(field.key);
    if (twin == nullptr || twin->kind != field.kind || twin->count != field.count) return false;
    for (std::uint32_t i = 0; i < field.count; ++i) {
      bool same = field.kind == ValueKind::kCidrs     ? prefixes_[field.first + i] == other.prefixes_[twin->first + i]
                  : field.kind == ValueKind::kStrings ? String(field.first + i) == other.String(twin->first + i)
                                                      : words_[field.first + i] == other.words_[twin->first + i];
      if (!same) return false;
    }
  }
  return true;
}

}  // namespace fleetward::telemetry
