#include <simdjson.h>

#include <bit>
#include <cstring>
#include <string>

#include "fleetward/base/encoding.h"
#include "fleetward/report/decode.h"
#include "grammar.h"

namespace fleetward::report {
namespace {

namespace ondemand = simdjson::ondemand;

/// What the values of one document share. Stage 1 of simdjson has checked UTF-8, control characters and the ends of
/// strings; the walk checks all else, because every value is read or skipped with checks.
struct JsonContext {
  const char* end = nullptr;       // behind the text; padding follows
  bool escapes = false;            // there is a backslash: names and texts need unescaping
  const char* broken = nullptr;    // simdjson's word for a fault of syntax

  [[gnu::cold, gnu::noinline]] bool Failed(simdjson::error_code error) {
    if (error != simdjson::INCORRECT_TYPE && broken == nullptr) broken = simdjson::error_message(error);
    return false;
  }
};

/// First quote in the text, which is short as a rule; null if there is none. Eight bytes are readable behind `end`.
[[gnu::always_inline]] inline const char* FindQuote(const char* at, const char* end) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  for (; at < end; at += 8) {
    std::uint64_t other = LoadWord(at) ^ kOnes * '"';
    std::uint64_t zero = (other - kOnes) & ~other & kOnes * 0x80;  // its lowest bit is right
    if (zero != 0) return at + std::countr_zero(zero) / 8;
  }
  return nullptr;
}

class JsonKey {
 public:
  JsonKey(JsonContext& context, const char* raw) : context_(context), raw_(raw) {}
  JsonKey(JsonContext& context, std::string_view text) : context_(context), raw_(text.data()), size_(text.size()) {}

  template <const auto& kNames>
  [[gnu::always_inline]] int Match() const {
    if (size_ == kUnknown) [[likely]] {
      std::uint64_t word = LoadWord(raw_);
      return FindName<kNames>(
          [&](const Name& name) __attribute__((always_inline)) { return name.MatchesQuoted(raw_, word); });
    }
    return MatchUnescaped<kNames>();
  }

  template <const auto& kNames>
  [[gnu::noinline]] int MatchUnescaped() const {
    std::uint64_t word = 0;
    std::memcpy(&word, raw_, std::min(size_, sizeof word));
    return FindName<kNames>([&](const Name& name) { return name.Matches({raw_, size_}, word); });
  }

  bool Text(std::string_view& text) const {
    std::size_t size = size_;
    if (size == kUnknown) {
      const char* quote = FindQuote(raw_, context_.end);
      if (quote == nullptr) return false;
      size = static_cast<std::size_t>(quote - raw_);
    }
    text = {raw_, size};
    return true;
  }

 private:
  static constexpr std::size_t kUnknown = ~std::size_t{0};
  JsonContext& context_;
  const char* raw_;                // behind the opening quote
  std::size_t size_ = kUnknown;    // known once unescaped
};

class JsonValue {
 public:
  JsonValue(JsonContext& context, ondemand::value value) : context_(context), value_(value) {}

  template <class F>
  [[gnu::always_inline]] bool Object(F&& f) {
    ondemand::object object;
    if (auto error = value_.get_object().get(object)) return context_.Failed(error);
    return Members(context_, object, f);
  }

  template <class F>
  [[gnu::always_inline]] static bool Members(JsonContext& context, ondemand::object& object, F&& f) {
    for (auto member : object) {
      ondemand::field field;
      if (auto error = std::move(member).get(field)) return context.Failed(error);
      if (context.escapes) {
        if (!EscapedMember(context, field, f)) return false;
        continue;
      }
      JsonKey key(context, field.key().raw());
      JsonValue value(context, field.value());
      if (!f(key, value)) return false;
    }
    return true;
  }

  template <class F>
  [[gnu::noinline]] static bool EscapedMember(JsonContext& context, ondemand::field field, F& f) {
    std::string_view text;
    if (auto error = field.unescaped_key().get(text)) return context.Failed(error);
    if (!IsUtf8(text)) return context.Failed(simdjson::UTF8_ERROR);
    JsonKey key(context, text);
    JsonValue value(context, field.value());
    return f(key, value);
  }

  template <class F>
  [[gnu::always_inline]] bool Array(F&& f) {
    ondemand::array array;
    if (auto error = value_.get_array().get(array)) return context_.Failed(error);
    for (auto item : array) {
      ondemand::value inner;
      if (auto error = item.get(inner)) return context_.Failed(error);
      JsonValue value(context_, inner);
      if (!f(value)) return false;
    }
    return true;
  }

  [[gnu::always_inline]] bool Unsigned(std::uint64_t& number) { return value_.get_uint64().get(number) == simdjson::SUCCESS; }
  bool Double(double& number) { return value_.get_double().get(number) == simdjson::SUCCESS; }

  [[gnu::always_inline]] bool Text(std::string_view& text) {
    if (context_.escapes) return EscapedText(text);
    ondemand::raw_json_string raw;
    if (auto error = value_.get_raw_json_string().get(raw)) return context_.Failed(error);
    return JsonKey(context_, raw.raw()).Text(text);
  }

  [[gnu::noinline]] bool EscapedText(std::string_view& text) {
    if (auto error = value_.get_string().get(text)) return context_.Failed(error);
    return IsUtf8(text) || context_.Failed(simdjson::UTF8_ERROR);  // escaped lone surrogates
  }

  [[gnu::always_inline]] bool SkipText() {
    std::string_view text;
    if (context_.escapes) return EscapedText(text);
    ondemand::raw_json_string raw;
    return value_.get_raw_json_string().get(raw) == simdjson::SUCCESS;
  }

  bool IsNull() {
    bool null = false;
    return value_.is_null().get(null) == simdjson::SUCCESS && null;
  }

  bool IsText() { return Type() == ondemand::json_type::string; }

  /// Reads an unknown value to its end, so that what we skip is well formed too.
  bool Skip() { return Skip(0); }

 private:
  bool Skip(std::size_t depth) {
    if (depth > kMaxDepth) return TooDeep();
    switch (Type()) {
      case ondemand::json_type::object:
        return Object([depth](auto&, JsonValue& value) { return value.Skip(depth + 1); });
      case ondemand::json_type::array: return Array([depth](JsonValue& value) { return value.Skip(depth + 1); });
      case ondemand::json_type::string: return SkipText();
      case ondemand::json_type::number: {
        double number = 0;
        return Double(number) || context_.Failed(simdjson::NUMBER_ERROR);
      }
      case ondemand::json_type::boolean: {
        bool boolean = false;
        return value_.get_bool().get(boolean) == simdjson::SUCCESS || context_.Failed(simdjson::T_ATOM_ERROR);
      }
      case ondemand::json_type::null: return IsNull() || context_.Failed(simdjson::N_ATOM_ERROR);
    }
    return context_.Failed(simdjson::TAPE_ERROR);
  }

  bool TooDeep() {
    if (context_.broken == nullptr) context_.broken = "nested too deeply";
    return false;
  }

  ondemand::json_type Type() {
    ondemand::json_type type{};
    if (value_.type().get(type)) return static_cast<ondemand::json_type>(0);
    return type;
  }

  JsonContext& context_;
  ondemand::value value_;
};

class JsonRoot {
 public:
  JsonRoot(JsonContext& context, ondemand::document& document) : context_(context), document_(document) {}

  template <class F>
  bool Object(F&& f) {
    ondemand::object object;
    if (auto error = document_.get_object().get(object)) return context_.Failed(error);
    if (!JsonValue::Members(context_, object, f)) return false;
    bool at_end = document_.current_location().error() == simdjson::OUT_OF_BOUNDS;
    return at_end || context_.Failed(simdjson::TRAILING_CONTENT);
  }

 private:
  JsonContext& context_;
  ondemand::document& document_;
};

}  // namespace

class JsonDecoder::Impl {
 public:
  Impl() : buffer_(new char[kMaxPayloadBytes + simdjson::SIMDJSON_PADDING]) {}

  Status Decode(std::string_view payload, MetricReport& out) {
    out.Clear();
    if (payload.size() > kMaxPayloadBytes) return Malformed("longer than 128 KB");
    if (payload.ends_with('\0')) payload.remove_suffix(1);  // agents built on cJSON send it
    JsonContext context;
    std::memcpy(buffer_.get(), payload.data(), payload.size());
    context.escapes = std::memchr(buffer_.get(), '\\', payload.size()) != nullptr;
    std::memset(buffer_.get() + payload.size(), ' ', simdjson::SIMDJSON_PADDING);

    ondemand::document document;
    if (auto error = Iterate(payload.size(), context, document)) return Malformed(simdjson::error_message(error));
    ReportGrammar grammar(out);
    JsonRoot root(context, document);
    if (grammar.Document(root)) return {};
    const char* fault = context.broken != nullptr ? context.broken : grammar.fault();
    if (!out.report_id) FindReportId(payload.size(), context.escapes, out);
    return Malformed(fault);
  }

 private:
  static Error Malformed(const char* detail) {
    return Error(Code::kInvalidArgument, std::string(kMalformedReport)).WithDetail(detail);
  }

  simdjson::error_code Iterate(std::size_t size, JsonContext& context, ondemand::document& document) {
    context.end = buffer_.get() + size;
    return parser_.iterate(buffer_.get(), size, size + simdjson::SIMDJSON_PADDING).get(document);
  }

  /// For the answer to a refused report: looks at the header alone.
  void FindReportId(std::size_t size, bool escapes, MetricReport& out) {
    JsonContext context;
    context.escapes = escapes;
    ondemand::document document;
    if (Iterate(size, context, document)) return;
    ReportGrammar grammar(out);
    JsonRoot root(context, document);
    (void)root.Object([&](auto& key, JsonValue& value) {
      if (key.template Match<kDocumentNames>() != kHeader) return value.Skip();
      (void)grammar.Header(value);
      return false;
    });
  }

  ondemand::parser parser_;
  std::unique_ptr<char[]> buffer_;
};

JsonDecoder::JsonDecoder() : impl_(std::make_unique<Impl>()) {}
JsonDecoder::~JsonDecoder() = default;
JsonDecoder::JsonDecoder(JsonDecoder&&) noexcept = default;
JsonDecoder& JsonDecoder::operator=(JsonDecoder&&) noexcept = default;

Status JsonDecoder::Decode(std::string_view payload, MetricReport& out) { return impl_->Decode(payload, out); }

}  // namespace fleetward::report
