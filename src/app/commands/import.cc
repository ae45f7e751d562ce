// import: many things at once, from CSV or lines of JSON, through the running server.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "csv.h"
#include "import_api.h"
#include "local_client.h"

namespace fleetward::app {
namespace {

using nlohmann::json;

constexpr std::size_t kBodyBytes = 700 << 10;  // the API takes 1 MiB
constexpr std::size_t kMaxLine = 256 << 10;

// Collects rows into calls; prints what was refused, keeps what was issued.
class Uploader {
 public:
  Uploader(LocalClient client, std::ostream* out) : client_(std::move(client)), out_(out) {}

  Status Add(json row, std::size_t line) {
    std::string text = row.dump(-1, ' ', false, json::error_handler_t::replace);
    if (!lines_.empty() && (lines_.size() == kMaxImportRows || body_.size() + text.size() > kBodyBytes)) FW_TRY(Flush());
    body_ += (lines_.empty() ? "" : ",") + text;
    lines_.push_back(line);
    return {};
  }

  Status Flush() {
    if (lines_.empty()) return {};
    FW_ASSIGN(json answer, client_.Call("POST", "/fleetward/v1/import", "{\"rows\":[" + body_ + "]}"));
    const json rows = answer.value("rows", json::array());
    for (std::size_t i = 0; i < lines_.size() && i < rows.size(); ++i) {
      const json& row = rows[i];
      if (row.contains("error")) {
        ++refused_;
        std::fprintf(stderr, "line %zu: %s\n", lines_[i], row.value("error", "").c_str());
        continue;
      }
      ++done_;
      if (out_ != nullptr && row.contains("certificateId")) *out_ << row.dump() << '\n';
    }
    body_.clear();
    lines_.clear();
    return {};
  }

  void Refuse(std::size_t line, const std::string& why) {
    ++refused_;
    std::fprintf(stderr, "line %zu: %s\n", line, why.c_str());
  }

  std::size_t done() const { return done_; }
  std::size_t refused() const { return refused_; }

 private:
  LocalClient client_;
  std::ostream* out_;
  std::string body_;
  std::vector<std::size_t> lines_;
  std::size_t done_ = 0, refused_ = 0;
};

// Columns are the members of a row; attributes.NAME is one attribute, lists are separated by semicolons.
Status AddCsvRow(Uploader& uploader, const std::vector<std::string>& header, const std::vector<std::string>& fields,
                 std::size_t line) {
  if (fields.size() != header.size()) {
    uploader.Refuse(line, "has " + std::to_string(fields.size()) + " fields, the header " + std::to_string(header.size()));
    return {};
  }
  json row = json::object();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string& name = header[i];
    if (fields[i].empty()) continue;
    if (name.starts_with("attributes.")) {
      row["attributes"][name.substr(11)] = fields[i];
    } else if (name == "thingGroupNames" || name == "policyNames") {
      json& list = row[name] = json::array();
      for (std::size_t at = 0; at <= fields[i].size();) {
        std::size_t end = std::min(fields[i].find(';', at), fields[i].size());
        if (end > at) list.push_back(fields[i].substr(at, end - at));
        at = end + 1;
      }
    } else {
      row[name] = fields[i];
    }
  }
  return uploader.Add(std::move(row), line);
}

Status ReadCsv(std::istream& in, Uploader& uploader) {
  std::vector<std::string> header;
  CsvReader reader([&](const std::vector<std::string>& fields, std::size_t line) -> Status {
    if (header.empty()) {
      header = fields;
      return {};
    }
    return AddCsvRow(uploader, header, fields, line);
  });
  std::vector<char> piece(1 << 16);
  bool first = true;
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0) {
    std::string_view text(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (first && text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
    first = false;
    FW_TRY(reader.Feed(text));
  }
  return reader.Finish();
}

Status ReadJsonLines(std::istream& in, Uploader& uploader) {
  std::string text;
  for (std::size_t line = 1; std::getline(in, text); ++line) {
    if (text.find_first_not_of(" \t\r") == text.npos) continue;
    if (text.size() > kMaxLine) {
      uploader.Refuse(line, "is longer than 256 KiB");
      continue;
    }
    json row = json::parse(text, nullptr, false);
    if (!row.is_object()) {
      uploader.Refuse(line, "is no JSON object");
      continue;
    }
    FW_TRY(uploader.Add(std::move(row), line));
  }
  return {};
}

Status Import(const ImportArguments& arguments, std::size_t& refused) {
  FW_ASSIGN(LocalClient client, LocalClient::Open(DataFolder(arguments.data)));
  std::ifstream file;
  if (arguments.file != "-") {
    file.open(arguments.file, std::ios::binary);
    if (!file) return Error(Code::kNotFound, "cannot read " + arguments.file + ": " + std::strerror(errno));
  }
  std::istream& in = arguments.file == "-" ? std::cin : file;
  std::ofstream out;
  if (!arguments.out.empty()) {
    out.open(arguments.out, std::ios::binary | std::ios::trunc);
    if (!out) return Error(Code::kIo, "cannot write " + arguments.out + ": " + std::strerror(errno));
  }
  Uploader uploader(std::move(client), arguments.out.empty() ? nullptr : &out);
  auto begun = std::chrono::steady_clock::now();
  Status read = arguments.csv ? ReadCsv(in, uploader) : ReadJsonLines(in, uploader);
  if (read.ok()) read = uploader.Flush();
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  refused = uploader.refused();
  std::printf("%zu things imported, %zu rows refused, %.1f s (%.0f a second)\n", uploader.done(), refused, seconds,
              static_cast<double>(uploader.done()) / std::max(seconds, 1e-9));
  return read;
}

}  // namespace

int RunImport(const ImportArguments& arguments) {
  std::size_t refused = 0;
  Status done = Import(arguments, refused);
  if (!done.ok()) return Fail(done.error());
  return refused == 0 ? 0 : 1;
}

}  // namespace fleetward::app
