#include "scope_rules.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "fleetward/api/operations.h"
#include "fleetward/base/file.h"

namespace fleetward::api {
namespace {

/// Everything that is called "mine".
class Mine : public access::ScopeDirectory {
 public:
  bool ThingInScope(std::string_view name, const access::Scope&) const override { return name == "mine"; }
  bool GroupInScope(std::string_view name, const access::Scope&) const override { return name == "mine"; }
  bool CertificateInScope(std::string_view id, const access::Scope&) const override { return id == "mine"; }
  bool ViolationInScope(std::string_view id, const access::Scope&) const override { return id == "mine"; }
};

const OperationInfo& Find(std::string_view service, std::string_view name) {
  for (const OperationInfo* operation : OfferedOperations()) {
    if (operation->service == service && operation->name == name) return *operation;
  }
  ADD_FAILURE() << service << ':' << name << " is no operation";
  return *OfferedOperations()[0];
}

bool Allows(const OperationInfo& operation, std::vector<NameValue> labels, std::vector<NameValue> query) {
  Mine directory;
  RequestParts parts;
  parts.labels = std::move(labels);
  parts.query = std::move(query);
  return InScope(operation, parts, {{"group"}}, &directory);
}

// threats.md q: deny by default.
TEST(ScopeRules, ThreatQEveryOtherOperationIsDeniedWhateverItNames) {
  std::size_t allowed = 0;
  for (const OperationInfo* operation : OfferedOperations()) {
    bool ruled = std::any_of(ScopeRules().begin(), ScopeRules().end(), [&](const ScopeRule& rule) {
      return rule.service == operation->service && rule.operation == operation->name;
    });
    std::vector<NameValue> mine;
    for (const char* name : {"thingName", "thingGroupName", "certificateId", "violationId", "clientId", "resourceArn"}) {
      mine.emplace_back(name, "mine");
    }
    EXPECT_EQ(Allows(*operation, mine, {}), ruled) << operation->name;
    allowed += ruled ? 1 : 0;
  }
  EXPECT_EQ(allowed, ScopeRules().size());
}

TEST(ScopeRules, ThreatQWhatIsNamedMustLieInTheScopeAllOfIt) {
  for (const ScopeRule& rule : ScopeRules()) {
    const OperationInfo& operation = Find(rule.service, rule.operation);
    bool open = rule.by == ScopedBy::kNothing;
    std::string member(rule.member);
    EXPECT_TRUE(Allows(operation, {{member, "mine"}}, {})) << rule.operation;
    EXPECT_TRUE(Allows(operation, {}, {{member, "mine"}})) << rule.operation;
    EXPECT_EQ(Allows(operation, {}, {}), open) << rule.operation;
    EXPECT_EQ(Allows(operation, {{member, "theirs"}}, {}), open) << rule.operation;
    EXPECT_EQ(Allows(operation, {}, {{member, "mine"}, {member, "theirs"}}), open) << rule.operation;
    EXPECT_EQ(Allows(operation, {{member, "mine"}}, {{member, "theirs"}}), open) << rule.operation;
    RequestParts parts;
    parts.labels = {{member, "mine"}};
    EXPECT_FALSE(InScope(operation, parts, {{"group"}}, nullptr)) << "without a directory nothing is allowed";
  }
}

TEST(ScopeRules, ThePageShowsTheTable) {
  std::string page = ReadFile(FLEETWARD_SOURCE_DIR "/docs/access.md").value();
  std::size_t rows = 0;
  for (std::size_t at = page.find("\n| `iot"); at != std::string::npos; at = page.find("\n| `iot", at + 1)) ++rows;
  for (std::size_t at = page.find("\n| `sts"); at != std::string::npos; at = page.find("\n| `sts", at + 1)) ++rows;
  EXPECT_EQ(rows, ScopeRules().size());
  for (const ScopeRule& rule : ScopeRules()) {
    std::string row = "\n| `" + std::string(rule.service) + ":" + std::string(rule.operation) + "` |";
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace fleetward::api
