#include "fleetward/report/answer.h"

#include "cbor_value.h"
#include "json_text.h"
#include "wire_writer.h"

namespace fleetward::report {
namespace {

constexpr std::size_t kMaxAnswerBytes = 16 * 1024;

template <class Writer>
void Write(Writer writer, const Answer& answer) {
  writer.BeginObject(std::size_t{3} + answer.report_id.has_value() + !answer.accepted);
  writer.Key("thingName");
  writer.Text(answer.thing_name);
  if (answer.report_id) {
    writer.Key("reportId");
    writer.Unsigned(*answer.report_id);
  }
  writer.Key("status");
  writer.Text(answer.accepted ? "ACCEPTED" : "REJECTED");
  if (!answer.accepted) {
    writer.Key("statusDetails");
    writer.BeginObject(2);
    writer.Key("ErrorCode");
    writer.Text(answer.error_code);
    writer.Key("ErrorMessage");
    writer.Text(answer.error_message);
    writer.EndObject();
  }
  writer.Key("timestamp");
  writer.Unsigned(static_cast<std::uint64_t>(ToMillis(answer.timestamp)));
  writer.EndObject();
}

std::string_view TextOf(std::string_view key) { return key; }
std::string_view TextOf(const CborKey& key) {
  std::string_view text;
  key.Text(text);
  return text;
}

template <class Value>
bool ReadText(Value& value, std::string& out) {
  std::string_view text;
  if (!value.Text(text)) return false;
  out = text;
  return true;
}

template <class Value>
bool ReadDetails(Value& details, Answer& out) {
  return details.Object([&](const auto& key, Value& value) {
    std::string_view name = TextOf(key);
    if (name == "ErrorCode") return ReadText(value, out.error_code);
    if (name == "ErrorMessage") return ReadText(value, out.error_message);
    return value.Skip();
  });
}

template <class Value>
bool Read(Value& document, Answer& out) {
  std::string status;
  bool ok = document.Object([&](const auto& key, Value& value) {
    std::string_view name = TextOf(key);
    std::uint64_t number = 0;
    if (name == "thingName") return ReadText(value, out.thing_name);
    if (name == "status") return ReadText(value, status);
    if (name == "statusDetails") return ReadDetails(value, out);
    if (name == "reportId") {
      if (!value.Unsigned(number)) return false;
      out.report_id = number;
      return true;
    }
    if (name == "timestamp") {
      if (!value.Unsigned(number) || number > 253402300799999) return false;
      out.timestamp = FromMillis(static_cast<std::int64_t>(number));
      return true;
    }
    return value.Skip();
  });
  out.accepted = status == "ACCEPTED";
  return ok && document.AtEnd() && (out.accepted || status == "REJECTED");
}

}  // namespace

void EncodeAnswer(const Answer& answer, Format format, std::string& out) {
  out.clear();
  if (format == Format::kJson) {
    Write(JsonWriter(out), answer);
  } else {
    Write(CborWriter(out), answer);
  }
}

Result<Answer> DecodeAnswer(std::string_view payload, Format format) {
  Answer answer;
  bool ok = payload.size() <= kMaxAnswerBytes;
  if (ok && format == Format::kJson) {
    JsonText document(payload);
    ok = Read(document, answer);
  } else if (ok) {
    CborValue document(payload);
    ok = Read(document, answer);
  }
  if (!ok) return Error(Code::kInvalidArgument, "malformed answer to a metrics report");
  return answer;
}

}  // namespace fleetward::report
