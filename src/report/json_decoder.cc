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
  const char* end = nullptr;     // behind the text; kDecodeSlack bytes of anything follow
  const char* broken = nullptr;  // simdjson's word for a fault of syntax

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

/// A name in a document without escapes: its end is looked for only if the text is asked for.
class RawKey {
 public:
  RawKey(const JsonContext& context, const char* raw) : context_(context), raw_(raw) {}

  template <const auto& kNames>
  [[gnu::always_inline]] int Match() const {
    std::uint64_t word = LoadWord(raw_);
    return FindName<kNames>(
        [&](const Name& name) __attribute__((always_inline)) { return name.MatchesQuoted(raw_, word); });
  }

  bool Text(std::string_view& text) const {
    const char* quote = FindQuote(raw_, context_.end);
    if (quote == nullptr) return false;
    text = {raw_, static_cast<std::size_t>(quote - raw_)};
    return true;
  }

 private:
  const JsonContext& context_;
  const char* raw_;  // behind the opening quote
};

class UnescapedKey {
 public:
  explicit UnescapedKey(std::string_view text) : text_(text) {}

  template <const auto& kNames>
  [[gnu::noinline]] int Match() const {
    std::uint64_t word = 0;
    std::memcpy(&word, text_.data(), std::min(text_.size(), sizeof word));
    return FindName<kNames>([&](const Name& name) { return name.Matches(text_, word); });
  }

  bool Text(std::string_view& text) const {
    text = text_;
    return true;
  }

 private:
  std::string_view text_;
};

/// `kEscapes`: there is a backslash somewhere in the document, so that names and texts need unescaping. Compiled twice,
/// because nearly no report has one.
template <bool kEscapes>
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
      if constexpr (kEscapes) {
        std::string_view text;
        if (auto error = field.unescaped_key().get(text)) return context.Failed(error);
        if (!IsUtf8(text)) return context.Failed(simdjson::UTF8_ERROR);  // escaped lone surrogates
        UnescapedKey key(text);
        JsonValue value(context, field.value());
        if (!f(key, value)) return false;
      } else {
        RawKey key(context, field.key().raw());
        JsonValue value(context, field.value());
        if (!f(key, value)) return false;
      }
    }
    return true;
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
    if constexpr (kEscapes) return UnescapedText(text);
    ondemand::raw_json_string raw;
    if (auto error = value_.get_raw_json_string().get(raw)) return context_.Failed(error);
    return RawKey(context_, raw.raw()).Text(text);
  }

  /// A text that is an address with a port as a rule. `is_text` is false when it is none; else the result tells
  /// whether it was an address.
  [[gnu::always_inline]] bool Endpoint(RemoteEndpoint& endpoint, bool& is_text) {
    std::string_view text;
    if constexpr (kEscapes) {
      is_text = UnescapedText(text);
    } else {
      ondemand::raw_json_string raw;
      auto error = value_.get_raw_json_string().get(raw);
      if (!error && ParseQuotedV4(raw.raw(), endpoint)) [[likely]] return is_text = true;
      is_text = error ? context_.Failed(error) : RawKey(context_, raw.raw()).Text(text);
    }
    return is_text && ParseEndpoint(text, endpoint);
  }

  [[gnu::always_inline]] bool SkipText() {
    std::string_view text;
    if constexpr (kEscapes) return UnescapedText(text);
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
  [[gnu::noinline]] bool UnescapedText(std::string_view& text) {
    if (auto error = value_.get_string().get(text)) return context_.Failed(error);
    return IsUtf8(text) || context_.Failed(simdjson::UTF8_ERROR);  // escaped lone surrogates
  }

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

template <bool kEscapes>
class JsonRoot {
 public:
  JsonRoot(JsonContext& context, ondemand::document& document) : context_(context), document_(document) {}

  template <class F>
  bool Object(F&& f) {
    ondemand::object object;
    if (auto error = document_.get_object().get(object)) return context_.Failed(error);
    if (!JsonValue<kEscapes>::Members(context_, object, f)) return false;
    bool at_end = document_.current_location().error() == simdjson::OUT_OF_BOUNDS;
    return at_end || context_.Failed(simdjson::TRAILING_CONTENT);
  }

 private:
  JsonContext& context_;
  ondemand::document& document_;
};

}  // namespace

static_assert(kDecodeSlack >= simdjson::SIMDJSON_PADDING);

class JsonDecoder::Impl {
 public:
  Status Decode(std::string_view payload, MetricReport& out, std::size_t slack) {
    out.Clear();
    if (payload.size() > kMaxPayloadBytes) return Malformed("longer than 128 KB");
    if (payload.ends_with('\0')) {  // agents built on cJSON send it
      payload.remove_suffix(1);
      ++slack;
    }
    if (slack < kDecodeSlack) payload = Padded(payload);
    JsonContext context;
    context.end = payload.data() + payload.size();
    ondemand::document document;
    if (auto error = Iterate(payload, document)) return Malformed(simdjson::error_message(error));
    bool escapes = std::memchr(payload.data(), '\\', payload.size()) != nullptr;
    ReportGrammar grammar(out);
    bool ok = escapes ? Walk<true>(context, document, grammar) : Walk<false>(context, document, grammar);
    if (ok) return {};
    const char* fault = context.broken != nullptr ? context.broken : grammar.fault();
    if (!out.report_id && !Iterate(payload, document)) {
      // For the answer to a refused report: the header alone.
      escapes ? FindReportId<true>(context, document, grammar) : FindReportId<false>(context, document, grammar);
    }
    return Malformed(fault);
  }

 private:
  static Error Malformed(const char* detail) {
    return Error(Code::kInvalidArgument, std::string(kMalformedReport)).WithDetail(detail);
  }

  simdjson::error_code Iterate(std::string_view payload, ondemand::document& document) {
    return parser_.iterate(payload.data(), payload.size(), payload.size() + kDecodeSlack).get(document);
  }

  template <bool kEscapes>
  [[gnu::noinline]] static bool Walk(JsonContext& context, ondemand::document& document, ReportGrammar& grammar) {
    JsonRoot<kEscapes> root(context, document);
    return grammar.Document(root);
  }

  template <bool kEscapes>
  [[gnu::noinline]] static void FindReportId(JsonContext& context, ondemand::document& document,
                                             ReportGrammar& grammar) {
    JsonRoot<kEscapes> root(context, document);
    (void)root.Object([&](auto& key, JsonValue<kEscapes>& value) {
      if (key.template Match<kDocumentNames>() != kHeader) return value.Skip();
      (void)grammar.Header(value);
      return false;
    });
  }

  std::string_view Padded(std::string_view payload) {
    if (!buffer_) buffer_ = std::make_unique_for_overwrite<char[]>(kMaxPayloadBytes + kDecodeSlack);
    std::memcpy(buffer_.get(), payload.data(), payload.size());
    std::memset(buffer_.get() + payload.size(), ' ', kDecodeSlack);
    return {buffer_.get(), payload.size()};
  }

  ondemand::parser parser_;
  std::unique_ptr<char[]> buffer_;  // for payloads without slack
};

JsonDecoder::JsonDecoder() : impl_(std::make_unique<Impl>()) {}
JsonDecoder::~JsonDecoder() = default;
JsonDecoder::JsonDecoder(JsonDecoder&&) noexcept = default;
JsonDecoder& JsonDecoder::operator=(JsonDecoder&&) noexcept = default;

Status JsonDecoder::Decode(std::string_view payload, MetricReport& out, std::size_t slack) {
  return impl_->Decode(payload, out, slack);
}

}  // namespace fleetward::report
