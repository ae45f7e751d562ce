// What `fleetward import` reads: CSV in pieces gives the same rows as in one, and a row's JSON is taken or refused.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "csv.h"
#include "import_api.h"

namespace {

using Rows = std::vector<std::vector<std::string>>;

bool Read(std::string_view text, std::size_t size, Rows& rows) {
  fleetward::app::CsvReader reader([&](const std::vector<std::string>& fields, std::size_t) {
    rows.push_back(fields);
    return fleetward::Status();
  });
  for (std::size_t at = 0; at < text.size(); at += size) {
    if (!reader.Feed(text.substr(at, size)).ok()) return false;
  }
  return reader.Finish().ok();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Rows whole, pieces;
  bool good = Read(text, size + 1, whole);
  if (Read(text, 3, pieces) != good || whole != pieces) std::abort();
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_discarded()) (void)fleetward::app::ImportRowFromJson(json);
  return 0;
}
