#include "fleetward/index/collection.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "bitmap.h"

namespace fleetward::index {
namespace {

unsigned char Lower(char c) {
  auto u = static_cast<unsigned char>(c);
  return u >= 'A' && u <= 'Z' ? static_cast<unsigned char>(u + 32) : u;
}

int CompareFolded(std::string_view a, std::string_view b) {
  std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    int difference = static_cast<int>(Lower(a[i])) - static_cast<int>(Lower(b[i]));
    if (difference != 0) return difference;
  }
  return a.size() < b.size() ? -1 : a.size() > b.size();
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

template <class Fn>
void ForEachWord(std::string_view text, Fn&& fn) {
  for (std::size_t at = 0; at < text.size();) {
    while (at < text.size() && IsSpace(text[at])) ++at;
    std::size_t start = at;
    while (at < text.size() && !IsSpace(text[at])) ++at;
    if (at > start) fn(text.substr(start, at - start));
  }
}

bool InTextRange(const Query& query, std::string_view text) {
  if (query.low) {
    int side = CompareFolded(text, query.low->text);
    if (side < 0 || (side == 0 && !query.low->inclusive)) return false;
  }
  if (query.high) {
    int side = CompareFolded(text, query.high->text);
    if (side > 0 || (side == 0 && !query.high->inclusive)) return false;
  }
  return true;
}

bool InNumberRange(const Query& query, double number) {
  if (query.low && (number < *query.low->number || (number == *query.low->number && !query.low->inclusive)))
    return false;
  return !query.high || number < *query.high->number ||
         (number == *query.high->number && query.high->inclusive);
}

bool LeafMatches(const Query& query, std::string_view text) {
  if (query.kind == Query::Kind::kTerm) return query.pattern.Matches(text);
  if (!query.numeric()) return InTextRange(query, text);
  auto number = NumberOf(text);
  return number && InNumberRange(query, *number);
}

}  // namespace

/// What an evaluation may cost: one for a document or dictionary entry that is looked at, and for 8192 numbers of a
/// bitmap, which takes about as long.
class Collection::Work {
 public:
  explicit Work(std::uint64_t most) : left_(most) {}
  /// False when it is used up.
  bool Take(std::uint64_t amount = 1) {
    left_ -= std::min(left_, amount);
    return left_ > 0;
  }
  bool Take(const Bitmap& bitmap) { return Take(1 + bitmap.size() / 8192); }
  bool used_up() const { return left_ == 0; }
  std::uint64_t left() const { return left_; }

 private:
  std::uint64_t left_;
};

bool Collection::FoldLess::operator()(std::string_view a, std::string_view b) const {
  int folded = CompareFolded(a, b);
  return folded != 0 ? folded < 0 : a < b;
}
bool Collection::FoldLess::operator()(std::string_view a, Folded b) const {
  return CompareFolded(a, b.text) < 0;
}
bool Collection::FoldLess::operator()(Folded a, std::string_view b) const {
  return CompareFolded(a.text, b) < 0;
}
bool Collection::FoldLess::operator()(std::string_view a, FoldedPrefix b) const {
  return CompareFolded(a.substr(0, b.text.size()), b.text) < 0;
}
bool Collection::FoldLess::operator()(FoldedPrefix a, std::string_view b) const {
  return CompareFolded(a.text, b.substr(0, a.text.size())) < 0;
}

Collection::Collection(std::string name_field)
    : name_field_(std::move(name_field)), live_(std::make_unique<Bitmap>()) {}
Collection::~Collection() = default;

// ---- filling ----

std::uint32_t Collection::FieldNumber(std::string_view name, Section section) {
  auto found = field_numbers_.find(name);
  if (found != field_numbers_.end()) return found->second;
  auto field = std::make_unique<Field>();
  field->name = name;
  field->section = section;
  auto number = static_cast<std::uint32_t>(fields_.size());
  if (free_fields_.empty()) {
    fields_.push_back(std::move(field));
  } else {
    number = free_fields_.back();
    free_fields_.pop_back();
    fields_[number] = std::move(field);
  }
  field_numbers_.emplace(name, number);
  return number;
}

std::uint32_t Collection::TermNumber(std::uint32_t field, std::string_view text) {
  Dictionary& terms = fields_[field]->terms;
  auto found = terms.find(text);
  if (found != terms.end()) return found->second;
  auto number = static_cast<std::uint32_t>(terms_.size());
  if (free_terms_.empty()) {
    terms_.emplace_back();
  } else {
    number = free_terms_.back();
    free_terms_.pop_back();
  }
  auto made = terms.emplace(std::string(text), number).first;
  terms_[number].field = field;
  terms_[number].text = &made->first;
  if (auto value = NumberOf(text)) fields_[field]->numbers.emplace(*value, number);
  return number;
}

void Collection::AddPosting(std::uint32_t term, std::uint32_t document) {
  Term& t = terms_[term];
  if (t.many) {
    t.many->Add(document);
  } else if (t.single == Term::kNone) {
    t.single = document;
  } else {
    t.many = std::make_unique<Bitmap>();
    t.many->Add(t.single);
    t.many->Add(document);
    t.single = Term::kNone;
  }
}

void Collection::DropPosting(std::uint32_t term, std::uint32_t document) {
  Term& t = terms_[term];
  if (!t.many) {
    t.single = Term::kNone;
  } else {
    t.many->Remove(document);
    if (t.many->size() == 1) {
      t.single = t.many->Least();
      t.many.reset();
    }
  }
  if (!t.empty()) return;
  Field& field = *fields_[t.field];
  if (auto value = NumberOf(*t.text)) field.numbers.erase({*value, term});
  field.terms.erase(field.terms.find(*t.text));
  if (field.terms.empty()) {
    field_numbers_.erase(field.name);
    free_fields_.push_back(t.field);
    fields_[t.field].reset();
  }
  t = Term{};
  free_terms_.push_back(term);
}

std::span<const std::uint32_t> Collection::TermsOf(std::uint32_t document) const {
  const auto& terms = documents_[document].terms;
  if (!terms) return {};
  return {terms.get() + 1, terms[0]};
}

void Collection::SetTerms(std::uint32_t document, std::vector<std::uint32_t> terms) {
  auto& slot = documents_[document].terms;
  slot.reset();
  if (terms.empty()) return;
  slot = std::make_unique<std::uint32_t[]>(terms.size() + 1);
  slot[0] = static_cast<std::uint32_t>(terms.size());
  std::copy(terms.begin(), terms.end(), slot.get() + 1);
}

void Collection::Place(std::string_view name, std::uint64_t order) {
  auto known = names_.find(name);
  if (known != names_.end()) {
    if (documents_[known->second].order == order) return;
    Erase(name);
  }
  known = names_.emplace(std::string(name), static_cast<std::uint32_t>(documents_.size())).first;
  Document& document = documents_.emplace_back();
  document.name = &known->first;
  document.order = order;
  live_->Add(known->second);
}

std::optional<std::uint64_t> Collection::OrderOf(std::string_view name) const {
  auto known = names_.find(name);
  if (known == names_.end()) return std::nullopt;
  return documents_[known->second].order;
}

void Collection::Put(std::string_view name, Section section, const std::vector<Value>& values) {
  auto known = names_.find(name);
  if (known == names_.end()) {
    if (section != Section::kRegistry) return;
    Place(name, documents_.empty() ? 1 : documents_.back().order + 1);
    known = names_.find(name);
  }
  std::uint32_t document = known->second;
  std::vector<std::uint32_t> wanted;
  for (const Value& value : values) {
    std::uint32_t field = FieldNumber(value.field, section);
    wanted.push_back(TermNumber(field, value.text));
    if (std::none_of(value.text.begin(), value.text.end(), IsSpace)) continue;
    ForEachWord(value.text, [&](std::string_view word) { wanted.push_back(TermNumber(field, word)); });
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());

  std::vector<std::uint32_t> kept, dropped;
  for (std::uint32_t term : TermsOf(document)) {
    bool mine = fields_[terms_[term].field]->section == section;
    if (!mine) {
      kept.push_back(term);
    } else if (!std::binary_search(wanted.begin(), wanted.end(), term)) {
      dropped.push_back(term);
    }
  }
  for (std::uint32_t term : wanted) {
    AddPosting(term, document);
    kept.push_back(term);
  }
  SetTerms(document, std::move(kept));
  for (std::uint32_t term : dropped) DropPosting(term, document);
}

void Collection::Erase(std::string_view name) {
  auto known = names_.find(name);
  if (known == names_.end()) return;
  std::uint32_t document = known->second;
  std::vector<std::uint32_t> terms(TermsOf(document).begin(), TermsOf(document).end());
  SetTerms(document, {});
  for (std::uint32_t term : terms) DropPosting(term, document);
  documents_[document].name = nullptr;
  live_->Remove(document);
  names_.erase(known);
}

// ---- queries ----

const Collection::Field* Collection::FindField(std::string_view name) const {
  auto found = field_numbers_.find(name);
  return found == field_numbers_.end() ? nullptr : fields_[found->second].get();
}

void Collection::AddTerm(std::uint32_t term, Bitmap& out, Work& work) const {
  const Term& t = terms_[term];
  if (t.many) {
    work.Take(t.many->size() / 8192);
    out.Unite(*t.many);
  } else if (t.single != Term::kNone) {
    out.Add(t.single);
  }
}

namespace {

/// Calls `add(number)` for the entries of a dictionary that a leaf asks for, visiting only the stretch they
/// can be in, until `work` is used up.
template <class Dictionary, class Folded, class FoldedPrefix, class Work, class Add>
void ForEachEntry(const Query& query, const Dictionary& entries, Work& work, Add&& add) {
  if (query.kind == Query::Kind::kRange) {
    auto at = query.low ? entries.lower_bound(Folded{query.low->text}) : entries.begin();
    for (; at != entries.end() && work.Take(); ++at) {
      if (InTextRange(query, at->first)) {
        add(at->second);
      } else if (query.high && CompareFolded(at->first, query.high->text) > 0) {
        return;
      }
    }
    return;
  }
  std::string_view prefix = query.pattern.prefix();
  if (query.pattern.exact()) {
    auto [from, until] = entries.equal_range(Folded{prefix});
    for (; from != until && work.Take(); ++from) add(from->second);
    return;
  }
  auto [from, until] = entries.equal_range(FoldedPrefix{prefix});
  for (; from != until && work.Take(); ++from) {
    if (query.pattern.any() || query.pattern.Matches(from->first)) add(from->second);
  }
}

}  // namespace

void Collection::EvaluateField(const Query& query, const Field& field, Bitmap& out, Work& work) const {
  if (query.kind == Query::Kind::kRange && query.numeric()) {
    auto at = query.low ? field.numbers.lower_bound({*query.low->number, 0}) : field.numbers.begin();
    for (; at != field.numbers.end() && work.Take(); ++at) {
      if (InNumberRange(query, at->first)) {
        AddTerm(at->second, out, work);
      } else if (query.high && at->first > *query.high->number) {
        break;
      }
    }
    return;
  }
  ForEachEntry<Dictionary, Folded, FoldedPrefix>(query, field.terms, work,
                                                 [&](std::uint32_t term) { AddTerm(term, out, work); });
}

void Collection::EvaluateNames(const Query& query, Bitmap& out, Work& work) const {
  if (query.kind == Query::Kind::kTerm && query.pattern.any()) {
    if (work.Take(*live_)) out.Unite(*live_);
  } else if (query.kind == Query::Kind::kRange && query.numeric()) {
    for (const auto& [name, document] : names_) {
      if (!work.Take()) return;
      if (LeafMatches(query, name)) out.Add(document);
    }
  } else {
    ForEachEntry<Dictionary, Folded, FoldedPrefix>(query, names_, work,
                                                   [&](std::uint32_t document) { out.Add(document); });
  }
}

void Collection::EvaluateLeaf(const Query& query, Bitmap& out, Work& work) const {
  if (query.field.empty() || query.field == name_field_) EvaluateNames(query, out, work);
  if (query.field == name_field_) return;
  if (!query.field.empty()) {
    if (const Field* field = FindField(query.field)) EvaluateField(query, *field, out, work);
    return;
  }
  if (query.kind == Query::Kind::kTerm && query.pattern.any()) return;  // all of them already
  for (const auto& [name, number] : field_numbers_) {
    if (!work.Take()) return;
    EvaluateField(query, *fields_[number], out, work);
  }
}

Collection::Bitmap Collection::Evaluate(const Query& query) const {
  Work work(std::numeric_limits<std::uint64_t>::max());
  return Evaluate(query, work);
}

Collection::Bitmap Collection::Evaluate(const Query& query, Work& work) const {
  if (work.used_up()) return {};
  switch (query.kind) {
    case Query::Kind::kOr: {
      Bitmap out;
      for (const Query& operand : query.operands) out.Unite(Evaluate(operand, work));
      return out;
    }
    case Query::Kind::kNot: {
      if (!work.Take(*live_)) return {};
      Bitmap out(*live_);
      out.Subtract(Evaluate(query.operands.front(), work));
      return out;
    }
    case Query::Kind::kAnd: {
      std::unique_ptr<Bitmap> out;
      for (const Query& operand : query.operands) {
        if (operand.kind == Query::Kind::kNot) continue;
        Bitmap next = Evaluate(operand, work);
        if (out) {
          out->Intersect(next);
        } else {
          out = std::make_unique<Bitmap>(std::move(next));
        }
        if (out->empty()) return std::move(*out);
      }
      if (!out) {
        if (!work.Take(*live_)) return {};
        out = std::make_unique<Bitmap>(*live_);
      }
      for (const Query& operand : query.operands) {
        if (operand.kind == Query::Kind::kNot) out->Subtract(Evaluate(operand.operands.front(), work));
      }
      return std::move(*out);
    }
    case Query::Kind::kTerm:
    case Query::Kind::kRange:
      break;
  }
  Bitmap out;
  EvaluateLeaf(query, out, work);
  return out;
}

bool Collection::MatchesDocument(const Query& query, std::uint32_t document) const {
  auto one = [&](const Query& operand) { return MatchesDocument(operand, document); };
  switch (query.kind) {
    case Query::Kind::kAnd:
      return std::all_of(query.operands.begin(), query.operands.end(), one);
    case Query::Kind::kOr:
      return std::any_of(query.operands.begin(), query.operands.end(), one);
    case Query::Kind::kNot:
      return !one(query.operands.front());
    case Query::Kind::kTerm:
    case Query::Kind::kRange:
      break;
  }
  bool by_name = query.field.empty() || query.field == name_field_;
  if (by_name && LeafMatches(query, *documents_[document].name)) return true;
  for (std::uint32_t term : TermsOf(document)) {
    const Term& t = terms_[term];
    if (!query.field.empty() && fields_[t.field]->name != query.field) continue;
    if (LeafMatches(query, *t.text)) return true;
  }
  return false;
}

bool Collection::Matches(const Query& query, std::string_view name) const {
  auto known = names_.find(name);
  return known != names_.end() && MatchesDocument(query, known->second);
}

std::vector<Value> Collection::ValuesOf(std::string_view name, Section section) const {
  std::vector<Value> values;
  auto known = names_.find(name);
  if (known == names_.end()) return values;
  for (std::uint32_t term : TermsOf(known->second)) {
    const Field& field = *fields_[terms_[term].field];
    if (field.section == section) values.push_back({field.name, *terms_[term].text});
  }
  std::sort(values.begin(), values.end(), [](const Value& a, const Value& b) { return a.field < b.field; });
  return values;
}

Result<SearchPage> Collection::Search(const Query& query, std::string_view after, std::size_t limit) const {
  std::uint32_t from = 0;
  std::uint64_t order = 0;
  std::string_view last;
  if (!after.empty()) {
    const char* end = after.data() + after.size();
    auto number = std::from_chars(after.data(), end, order);
    if (number.ec != std::errc() || number.ptr == end || *number.ptr != '.') {
      return Error(Code::kInvalidArgument, "The nextToken is not of this search");
    }
    last = after.substr(static_cast<std::size_t>(number.ptr - after.data()) + 1);
    auto first = std::partition_point(documents_.begin(), documents_.end(),
                                      [&](const Document& document) { return document.order < order; });
    from = static_cast<std::uint32_t>(first - documents_.begin());
  }
  SearchPage page;
  std::uint64_t last_order = 0;
  auto take = [&](std::uint32_t number) {
    const Document& document = documents_[number];
    if (!last.empty() && document.order == order && std::string_view(*document.name) <= last) return true;
    if (page.names.size() == limit) {
      page.next = std::to_string(last_order) + "." + page.names.back();
      return false;
    }
    page.names.push_back(*document.name);
    last_order = document.order;
    return true;
  };
  // Few matches: what the terms hold is soon put together. Many: a page of them is soon met. Which it is shows in trying
  // both for as long as either took.
  for (std::uint64_t most = std::max<std::uint64_t>(512, 2 * limit);; most *= 4) {
    Work work(most);
    Bitmap found = Evaluate(query, work);
    page.visited += most - work.left();
    if (!work.used_up()) {
      found.ForEach(from, take);
      return page;
    }
    for (std::uint64_t i = 0; i < most && from < documents_.size(); ++i, ++from) {
      ++page.visited;
      if (documents_[from].name == nullptr || !MatchesDocument(query, from)) continue;
      if (!take(from)) return page;
    }
    if (from == documents_.size()) return page;
  }
}

void Collection::ForEachMatch(const Query& query, const std::function<void(const std::string&)>& fn) const {
  Evaluate(query).ForEach(0, [&](std::uint32_t document) {
    fn(*documents_[document].name);
    return true;
  });
}

// ---- aggregates ----

std::uint64_t Collection::CountOf(std::uint32_t term, const Bitmap& among) const {
  const Term& t = terms_[term];
  if (t.many) return t.many->CountCommon(among);
  return t.single != Term::kNone && among.Contains(t.single) ? 1 : 0;
}

template <class Fn>
void Collection::ForEachTerm(const Query& query, std::string_view field, Fn&& fn) const {
  Bitmap among = Evaluate(query);
  if (among.empty()) return;
  if (field == name_field_) {
    among.ForEach(0, [&](std::uint32_t document) {
      fn(std::string_view(*documents_[document].name), std::uint64_t{1});
      return true;
    });
    return;
  }
  const Field* found = FindField(field);
  if (found == nullptr) return;
  for (const auto& [text, term] : found->terms) {
    std::uint64_t count = CountOf(term, among);
    if (count > 0) fn(std::string_view(text), count);
  }
}

std::uint64_t Collection::CountMatches(const Query& query) const { return Evaluate(query).size(); }

std::uint64_t Collection::CountWith(const Query& query, std::string_view field) const {
  Query present;
  present.field = field;
  present.pattern.AddStar();
  Query both;
  both.kind = Query::Kind::kAnd;
  both.operands = {query, std::move(present)};
  return CountMatches(both);
}

Statistics Collection::StatisticsOf(const Query& query, std::string_view field, FieldType type) const {
  Statistics s;
  ForEachTerm(query, field, [&](std::string_view text, std::uint64_t count) {
    std::optional<double> value = NumberOf(text);
    if (type == FieldType::kBoolean) {
      if (text == "true") value = 1;
      if (text == "false") value = 0;
    }
    if (!value) return;
    auto weight = static_cast<double>(count);
    s.minimum = s.count == 0 ? *value : std::min(s.minimum, *value);
    s.maximum = s.count == 0 ? *value : std::max(s.maximum, *value);
    s.count += count;
    s.sum += weight * *value;
    s.sum_of_squares += weight * *value * *value;
  });
  if (s.count > 0) {
    double mean = s.sum / static_cast<double>(s.count);
    s.variance = std::max(0.0, s.sum_of_squares / static_cast<double>(s.count) - mean * mean);
  }
  return s;
}

std::uint64_t Collection::Cardinality(const Query& query, std::string_view field) const {
  std::uint64_t distinct = 0;
  ForEachTerm(query, field, [&](std::string_view, std::uint64_t) { ++distinct; });
  return distinct;
}

std::vector<double> Collection::Percentiles(const Query& query, std::string_view field,
                                            std::span<const double> percents) const {
  std::vector<std::pair<double, std::uint64_t>> values;
  std::uint64_t total = 0;
  ForEachTerm(query, field, [&](std::string_view text, std::uint64_t count) {
    auto value = NumberOf(text);
    if (!value) return;
    values.emplace_back(*value, count);
    total += count;
  });
  std::vector<double> result;
  if (total == 0) return result;
  std::sort(values.begin(), values.end());
  auto at_rank = [&](std::uint64_t rank) {
    for (const auto& [value, count] : values) {
      if (rank < count) return value;
      rank -= count;
    }
    return values.back().first;
  };
  for (double percent : percents) {
    double place = std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(total - 1);
    auto below = static_cast<std::uint64_t>(place);
    double low = at_rank(below), high = at_rank(std::min(below + 1, total - 1));
    result.push_back(low + (high - low) * (place - static_cast<double>(below)));
  }
  return result;
}

std::vector<TermCount> Collection::Buckets(const Query& query, std::string_view field,
                                           std::size_t at_most) const {
  std::vector<TermCount> all;
  ForEachTerm(query, field, [&](std::string_view text, std::uint64_t count) {
    all.push_back({std::string(text), count});
  });
  auto before = [](const TermCount& a, const TermCount& b) {
    return a.count != b.count ? a.count > b.count : a.text < b.text;
  };
  std::size_t kept = std::min(at_most, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept), all.end(), before);
  all.resize(kept);
  return all;
}

std::size_t Collection::MemoryBytes() const {
  constexpr std::size_t kNode = 40;  // of a red-black tree, without its value
  auto text_bytes = [](const std::string& text) {
    return sizeof(text) + (text.capacity() > 15 ? text.capacity() + 1 : 0);
  };
  std::size_t bytes =
      live_->MemoryBytes() + documents_.capacity() * sizeof(Document) + terms_.capacity() * sizeof(Term);
  for (const auto& [name, document] : names_) {
    bytes += kNode + text_bytes(name) + 4 + (TermsOf(document).size() + 1) * 4;
  }
  for (const auto& [name, number] : field_numbers_) {
    const Field& field = *fields_[number];
    bytes += field.numbers.size() * (kNode + 16);
    for (const auto& [text, term] : field.terms) {
      bytes += kNode + text_bytes(text) + 4 + (terms_[term].many ? terms_[term].many->MemoryBytes() : 0);
    }
  }
  return bytes;
}

}  // namespace fleetward::index
