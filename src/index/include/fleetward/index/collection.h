// An inverted index in memory over named documents: fields with values, queries, aggregates. Compressed
// bitmaps keep the cost of an answer at that of its parts, not of the collection. Not thread-safe; what fills
// it is registry::FleetIndex.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/index/query.h"

namespace fleetward::index {

/// Where a document's values come from. Each source replaces its own and leaves the others' alone;
/// a field belongs to one of them.
enum class Section : std::uint8_t { kRegistry = 0, kGroups = 1, kConnectivity = 2, kViolations = 3 };

struct Value {
  std::string field;
  std::string text;
};

struct SearchPage {
  std::vector<std::string> names;
  std::string next;  // empty on the last page
  std::uint64_t visited = 0;  // what it cost, in documents and dictionary entries looked at, or about as much
};

/// Of the numeric values of one field among matching documents.
struct Statistics {
  std::uint64_t count = 0;
  double sum = 0, minimum = 0, maximum = 0, sum_of_squares = 0, variance = 0;
};

struct TermCount {
  std::string text;
  std::uint64_t count = 0;
};

enum class FieldType : std::uint8_t { kNumber, kString, kBoolean };

class Collection {
 public:
  /// `name_field` is the field under which documents' names are found.
  explicit Collection(std::string name_field);
  ~Collection();

  /// Makes a document, or makes it anew when it has another place. Searches answer by `order`, and by name among
  /// equals: documents are placed in that order. What is numbered alike by another collection has the same pages.
  void Place(std::string_view name, std::uint64_t order);
  /// The document's place; nothing for an unknown one.
  std::optional<std::uint64_t> OrderOf(std::string_view name) const;
  /// Replaces the document's values of one section. An unknown document is placed last when the section is
  /// kRegistry, else left alone. Values with white space are found by each of their words as well.
  void Put(std::string_view name, Section section, const std::vector<Value>& values);
  void Erase(std::string_view name);

  bool Contains(std::string_view name) const { return names_.contains(name); }
  std::size_t size() const { return names_.size(); }
  /// The document's values of one section, by field.
  std::vector<Value> ValuesOf(std::string_view name, Section section) const;
  bool Matches(const Query& query, std::string_view name) const;

  /// Documents by their places. `after` is a page's `next` or empty. Costs the least of two, times a small number: what
  /// the query's terms hold, or the documents from `after` on until the page is full. Errors: kInvalidArgument (`after`).
  Result<SearchPage> Search(const Query& query, std::string_view after, std::size_t limit) const;
  /// All of them. `fn` must not change the collection.
  void ForEachMatch(const Query& query, const std::function<void(const std::string& name)>& fn) const;

  std::uint64_t CountMatches(const Query& query) const;
  /// Documents that match and have a value of that type in `field`.
  std::uint64_t CountWith(const Query& query, std::string_view field) const;
  /// Values that are not of the type are left out.
  Statistics StatisticsOf(const Query& query, std::string_view field, FieldType type) const;
  /// Distinct values of `field` among matching documents.
  std::uint64_t Cardinality(const Query& query, std::string_view field) const;
  /// A value for each of `percents` (0..100), interpolated between ranks; empty when there are no numbers.
  std::vector<double> Percentiles(const Query& query, std::string_view field,
                                  std::span<const double> percents) const;
  /// The most frequent values, then by text.
  std::vector<TermCount> Buckets(const Query& query, std::string_view field, std::size_t at_most) const;

  /// Bytes held, near enough: nodes and bitmaps are counted, the allocator's own overhead is not.
  std::size_t MemoryBytes() const;

 private:
  class Bitmap;
  class Work;
  struct Field;
  struct Term;
  struct Document;
  // By letters without regard of case, then by bytes: names that differ in case alone are neighbours.
  struct Folded {
    std::string_view text;
  };
  struct FoldedPrefix {
    std::string_view text;
  };
  struct FoldLess {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const;
    bool operator()(std::string_view a, Folded b) const;
    bool operator()(Folded a, std::string_view b) const;
    bool operator()(std::string_view a, FoldedPrefix b) const;
    bool operator()(FoldedPrefix a, std::string_view b) const;
  };
  using Dictionary = std::map<std::string, std::uint32_t, FoldLess>;

  std::uint32_t FieldNumber(std::string_view name, Section section);
  std::uint32_t TermNumber(std::uint32_t field, std::string_view text);
  void AddPosting(std::uint32_t term, std::uint32_t document);
  void DropPosting(std::uint32_t term, std::uint32_t document);
  void SetTerms(std::uint32_t document, std::vector<std::uint32_t> terms);
  std::span<const std::uint32_t> TermsOf(std::uint32_t document) const;

  Bitmap Evaluate(const Query& query) const;
  /// Worthless once `work` is used up.
  Bitmap Evaluate(const Query& query, Work& work) const;
  void EvaluateLeaf(const Query& query, Bitmap& out, Work& work) const;
  void EvaluateNames(const Query& query, Bitmap& out, Work& work) const;
  void EvaluateField(const Query& query, const Field& field, Bitmap& out, Work& work) const;
  void AddTerm(std::uint32_t term, Bitmap& out, Work& work) const;
  bool MatchesDocument(const Query& query, std::uint32_t document) const;
  const Field* FindField(std::string_view name) const;
  std::uint64_t CountOf(std::uint32_t term, const Bitmap& among) const;
  /// `fn(text, documents)` for each value of the field that matching documents have.
  template <class Fn>
  void ForEachTerm(const Query& query, std::string_view field, Fn&& fn) const;

  const std::string name_field_;
  Dictionary names_;
  std::vector<Document> documents_;  // by place; a number is never given again
  std::unique_ptr<Bitmap> live_;
  std::vector<Term> terms_;
  std::vector<std::uint32_t> free_terms_;
  std::vector<std::unique_ptr<Field>> fields_;
  std::vector<std::uint32_t> free_fields_;
  std::map<std::string, std::uint32_t, std::less<>> field_numbers_;
};

}  // namespace fleetward::index
