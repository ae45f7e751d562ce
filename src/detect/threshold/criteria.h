// Static criteria compiled for evaluation (reference: detect.md §3): the behavior kind "value OP threshold" and the
// set kinds. Other kinds (statistical, ML) stand beside it and are fed by the same windows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/model/behavior.h"
#include "fleetward/report/metric_report.h"
#include "threshold/prefix_set.h"

namespace fleetward::detect {

/// A numeric operator with its threshold. Counts are compared exactly, everything else as doubles.
class NumericLimit {
 public:
  NumericLimit() = default;
  NumericLimit(model::ComparisonOperator op, std::int64_t count)
      : op_(op), count_(count), number_(static_cast<double>(count)) {}
  NumericLimit(model::ComparisonOperator op, double number) : op_(op), integral_(false), number_(number) {}
  /// Limit 0 if `threshold` is neither a count nor a number.
  static NumericLimit Of(model::ComparisonOperator op, const model::MetricValue& threshold);

  bool Holds(std::int64_t value) const { return integral_ ? Compare(value, count_) : Compare<double>(value, number_); }
  bool Holds(double value) const { return Compare(value, number_); }
  /// less-than and less-than-equals: once broken, a growing value stays on the wrong side (D5).
  bool IsUpper() const { return op_ <= model::ComparisonOperator::kLessThanEquals; }

 private:
  template <class T>
  bool Compare(T value, T limit) const {
    switch (op_) {
      case model::ComparisonOperator::kLessThan: return value < limit;
      case model::ComparisonOperator::kLessThanEquals: return value <= limit;
      case model::ComparisonOperator::kGreaterThan: return value > limit;
      default: return value >= limit;
    }
  }
  model::ComparisonOperator op_ = model::ComparisonOperator::kLessThan;
  bool integral_ = true;
  std::int64_t count_ = 0;
  double number_ = 0;
};

/// Ports as a bitmap that ends with the highest one.
class PortSet {
 public:
  PortSet() = default;
  explicit PortSet(const model::Ports& ports);
  bool Contains(std::uint16_t port) const {
    std::size_t word = port >> 6;
    return word < words_.size() && (words_[word] >> (port & 63) & 1) != 0;
  }

 private:
  std::vector<std::uint64_t> words_;
};

/// What a list was found to be.
struct ListFinding {
  std::uint32_t elements = 0;
  std::uint32_t offending = 0;
  std::uint32_t first_offending = 0;  // index; meaningful if offending > 0
};

class StaticCriteria {
 public:
  StaticCriteria() = default;
  /// `criteria` has an operator and a value that fit each other; what does not fit becomes an empty set or limit 0.
  explicit StaticCriteria(const model::BehaviorCriteria& criteria);

  const NumericLimit& limit() const { return limit_; }
  ListFinding JudgePorts(std::span<const std::uint16_t> ports) const;
  ListFinding JudgeRemotes(std::span<const report::RemoteEndpoint> remotes) const;
  ListFinding JudgeAddresses(std::span<const model::IpAddress> addresses) const;
  ListFinding JudgePrefixes(std::span<const model::IpPrefix> prefixes) const;
  ListFinding JudgeNumbers(std::span<const double> numbers) const;
  ListFinding JudgeStrings(const report::CustomMetrics::View& list) const;

 private:
  NumericLimit limit_;
  bool inside_ = true;                // in-…: every element must be in the set; not-in-…: none
  PortSet ports_;
  PrefixSet prefixes_;
  std::vector<double> numbers_;       // ascending
  std::vector<std::string> strings_;  // ascending
};

}  // namespace fleetward::detect
