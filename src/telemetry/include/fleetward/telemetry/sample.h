// What the telemetry store takes and gives: one report, or one bucket of cloud-side counts, of one thing.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/time.h"
#include "fleetward/model/metric.h"
#include "fleetward/model/names.h"
#include "fleetward/store/event_log.h"

namespace fleetward::telemetry {

using store::LogPosition;

/// Who measured. The numbers are stored.
enum class Source : std::uint8_t { kDevice = 0, kCloud = 1 };
inline constexpr int kSourceCount = 2;

/// Marks of a sample; a set. The numbers are stored.
enum SampleFlag : std::uint32_t {
  kFlagLate = 1,       // came behind the watermark: stored at its own time, judges nothing (D6)
  kFlagSpooled = 2,    // from the agent's spool (D15)
  kFlagGap = 4,        // the first after lost reports: how long its deltas cover is not known (D4)
  kFlagClock = 8,      // the edge's wall clock stepped (D1)
  kFlagPartial = 16,   // counters were lost with a killed broker (D23)
  kFlagUnregistered = 32,
  kFlagDownsampled = 64,  // stands for all samples of a stretch of time
};

/// A series of a thing: the metric, and for dimension series a number the registry gave to (dimension, IN or NOT_IN);
/// 0 is the plain series.
struct SeriesKey {
  model::MetricId metric = 0;
  std::uint32_t dimension = 0;
  auto operator<=>(const SeriesKey&) const = default;
};

/// Parts of reports that are no API metric of their own, stored all the same (D16). Ids between the built-in metrics
/// and model::kFirstCustomMetric; the numbers are stored.
enum AuxiliaryMetric : model::MetricId {
  kAuxDestinationPorts = 40,      // ports: remote port of each connection as reported; they do not pair with the
                                  // addresses, which are kept as a sorted set
  kAuxLocalPorts = 41,            // ports: local port of each connection, 0 = not given
  kAuxReportsLost = 46,           // count: reports of the thing that the broker's full buffer lost before this time
};

/// A reusable, flat list of values: Clear and fill it again without allocating. Values of one series once per sample.
class Sample {
 public:
  struct Field {
    SeriesKey key;
    model::ValueKind kind;
    std::uint32_t first = 0;   // index into words, addresses or strings
    std::uint32_t count = 1;
  };

  model::EntityId entity;
  Timestamp time{};              // event time (D1)
  Source source = Source::kDevice;
  std::uint32_t flags = 0;       // SampleFlag
  std::uint64_t report_id = 0;
  std::string reporter;          // certificate of the reporting connection, raw SHA-256 (32 bytes) or empty

  void Clear();
  void AddCount(SeriesKey key, std::int64_t value) {
    AddWord(key, model::ValueKind::kCount, static_cast<std::uint64_t>(value));
  }
  void AddNumber(SeriesKey key, double value) {
    AddWord(key, model::ValueKind::kNumber, std::bit_cast<std::uint64_t>(value));
  }
  void AddPorts(SeriesKey key, std::span<const std::uint16_t> ports);
  void AddNumbers(SeriesKey key, std::span<const double> numbers);
  void AddPrefixes(SeriesKey key, std::span<const model::IpPrefix> prefixes);
  /// Full-length prefixes of plain addresses.
  void AddAddresses(SeriesKey key, std::span<const model::IpAddress> addresses);
  /// Begins a strings value; each AddString adds one element to it.
  void BeginStrings(SeriesKey key);
  void AddString(std::string_view value);
  /// Any value of the model (monostate is ignored).
  void Add(SeriesKey key, const model::MetricValue& value);

  std::span<const Field> fields() const { return fields_; }
  /// The value of a field as the model has it. Allocates.
  model::MetricValue Value(const Field& field) const;
  const Field* Find(SeriesKey key) const;
  bool operator==(const Sample& other) const;

  // Flat storage, for codecs.
  void AddField(SeriesKey key, model::ValueKind kind, std::uint32_t first, std::uint32_t count) {
    fields_.push_back({key, kind, first, count});
  }
  std::vector<std::uint64_t>& mutable_words() { return words_; }
  std::vector<model::IpPrefix>& mutable_prefixes() { return prefixes_; }
  void AppendString(std::string_view value) {
    text_.append(value);
    string_ends_.push_back(static_cast<std::uint32_t>(text_.size()));
  }
  std::size_t HeapBytes() const {
    return fields_.capacity() * sizeof(Field) + words_.capacity() * 8 + prefixes_.capacity() * sizeof(model::IpPrefix) +
           string_ends_.capacity() * 4 + text_.capacity() + reporter.capacity();
  }
  std::uint32_t string_count() const { return static_cast<std::uint32_t>(string_ends_.size()); }
  std::span<const std::uint64_t> words() const { return words_; }   // counts (two's complement), doubles, ports
  std::span<const model::IpPrefix> prefixes() const { return prefixes_; }
  std::string_view String(std::uint32_t index) const {
    std::uint32_t begin = index == 0 ? 0 : string_ends_[index - 1];
    return std::string_view(text_).substr(begin, string_ends_[index] - begin);
  }

 private:
  void AddWord(SeriesKey key, model::ValueKind kind, std::uint64_t word) {
    fields_.push_back({key, kind, static_cast<std::uint32_t>(words_.size()), 1});
    words_.push_back(word);
  }
  std::vector<Field> fields_;
  std::vector<std::uint64_t> words_;
  std::vector<model::IpPrefix> prefixes_;
  std::vector<std::uint32_t> string_ends_;
  std::string text_;
};

}  // namespace fleetward::telemetry
