// Request targets and form bodies: "METHOD TARGET\nform". Labels come out decoded once, forms within their bounds.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "../src/api/core/route_table.h"
#include "fleetward/api/operations.h"
#include "fleetward/api/sns/sns.h"

namespace {

using namespace fleetward::api;

RouteTable MakeTable() {
  RouteTable table;
  for (const OperationInfo* operation : OfferedOperations()) table.Add(*operation);
  for (const OperationInfo& operation : OperationsNotOffered()) table.Add(operation);
  return table;
}

template <class Operation>
void Parse(const RequestParts& parts) {
  typename Operation::Request request;
  (void)Operation::ParseRequest(parts, request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const RouteTable table = MakeTable();
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  std::string_view body = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  std::size_t blank = line.find(' ');
  std::string_view target = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
  auto match = table.Match(line.substr(0, blank), target.substr(0, target.find('?')));
  if (match.ok() && !match->operation && !match->labels.empty()) std::abort();
  RequestParts parts;
  auto form = DecodeForm(body);
  if (!form.ok()) return 0;
  parts.query = form.value();
  if (parts.query.size() > 10'000) std::abort();
  Parse<sns::Publish>(parts);
  Parse<sns::PublishBatch>(parts);
  Parse<sns::Subscribe>(parts);
  Parse<sns::TagResource>(parts);
  Parse<sns::AddPermission>(parts);
  return 0;
}
