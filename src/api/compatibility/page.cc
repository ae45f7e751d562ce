#include "page.h"

#include <vector>

#include "fleetward/api/operations.h"

namespace fleetward::api {
namespace {

constexpr std::string_view kMark = "<!-- operations -->\n";

struct Service {
  std::string_view name;
  std::string_view title;
};
constexpr Service kServices[] = {{"iot", "iot: registry, Device Defender, certificates, policies"},
                                 {"iot-data", "iot-data: messages through the API"},
                                 {"sns", "sns: topics and subscriptions"},
                                 {"sts", "sts: who am I"}};

std::string NameOf(const OperationInfo& operation) {
  return std::string(operation.service) + ":" + std::string(operation.name);
}

bool InModels(std::string_view name) {
  for (const OperationInfo* operation : OfferedOperations()) {
    if (NameOf(*operation) == name) return true;
  }
  for (const OperationInfo& operation : OperationsNotOffered()) {
    if (NameOf(operation) == name) return true;
  }
  return false;
}

Status ParseLine(std::string_view line, WireRemarks& remarks) {
  Error fault(Code::kInvalidArgument, "remarks.md: " + std::string(line));
  std::size_t name_end = line.find(": ");
  if (name_end == std::string_view::npos) return fault;
  std::size_t kind_end = line.find(": ", name_end + 2);
  if (kind_end == std::string_view::npos) return fault;
  std::string name(line.substr(0, name_end));
  std::string_view kind = line.substr(name_end + 2, kind_end - name_end - 2);
  if ((kind != "differs" && kind != "note") || !InModels(name)) return fault;
  WireRemark remark{kind == "differs", std::string(line.substr(kind_end + 2))};
  if (!remarks.lines.emplace(std::move(name), std::move(remark)).second) return fault;
  return {};
}

/// Names wrapped at about 110 columns.
std::string Wrapped(const std::vector<std::string_view>& names) {
  std::string text, line;
  for (std::string_view name : names) {
    if (line.size() + name.size() > 108) {
      text += line + "\n";
      line.clear();
    } else if (!line.empty()) {
      line += ' ';
    }
    line += name;
    line += name.data() == names.back().data() ? "." : ",";
  }
  return text + line + "\n";
}

std::string Table(const Service& service, const WireRemarks& remarks, const HandledPredicate& handled) {
  std::string table = "| operation | here | remark |\n| --- | --- | --- |\n";
  for (const OperationInfo* operation : OfferedOperations()) {
    if (operation->service != service.name) continue;
    auto remark = remarks.lines.find(NameOf(*operation));
    bool known = remark != remarks.lines.end();
    bool works = handled(*operation);
    table += "| " + std::string(operation->name) + " | ";
    table += !works ? "not offered yet" : known && remark->second.differs ? "differs" : "works";
    table += known ? " | " + remark->second.text + " |\n" : " | |\n";
  }
  return table;
}

std::string Rest(const Service& service) {
  std::vector<std::string_view> names;
  for (const OperationInfo& operation : OperationsNotOffered()) {
    if (operation.service == service.name) names.push_back(operation.name);
  }
  if (names.empty()) return {};
  return "\nIn the service's model, and not planned here: " + std::to_string(names.size()) + " operations.\n" +
         Wrapped(names);
}

}  // namespace

Result<WireRemarks> ParseWireRemarks(std::string_view text) {
  std::size_t mark = text.find(kMark);
  if (mark == std::string_view::npos) return Error(Code::kInvalidArgument, "remarks.md has no line <!-- operations -->");
  WireRemarks remarks;
  remarks.top = text.substr(0, mark);
  text.remove_prefix(mark + kMark.size());
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.empty()) FW_TRY(ParseLine(line, remarks));
  }
  return remarks;
}

Result<std::string> WirePage(const WireRemarks& remarks, const HandledPredicate& handled) {
  std::size_t works = 0, differs = 0, missing = 0;
  for (const OperationInfo* operation : OfferedOperations()) {
    auto remark = remarks.lines.find(NameOf(*operation));
    if (!handled(*operation)) {
      if (remark != remarks.lines.end()) {
        return Error(Code::kInvalidArgument, "remarks.md speaks of " + remark->first + ", which has no handler");
      }
      ++missing;
    } else {
      ++(remark != remarks.lines.end() && remark->second.differs ? differs : works);
    }
  }
  std::string page = remarks.top;
  page += "## Operations\n\n" + std::to_string(works) + " work, " + std::to_string(differs) + " differ, " +
          std::to_string(missing) + " are not offered yet.\n";
  for (const Service& service : kServices) {
    page += "\n### " + std::string(service.title) + "\n\n" + Table(service, remarks, handled) + Rest(service);
  }
  return page;
}

}  // namespace fleetward::api
