// Runs testdata/decisions.txt: each case through documents, through the explanation, and through a snapshot.
#include <fstream>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include "fleetward/base/file.h"
#include "fleetward/policy/document.h"
#include "fleetward/policy/evaluate.h"
#include "fleetward/policy/snapshot_builder.h"
#include "fleetward/policy/snapshot_state.h"

namespace fleetward::policy {
namespace {

std::string ReplaceAll(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::vector<std::string> Split(const std::string& text, char by) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, by);) parts.push_back(part);
  return parts;
}

std::string Trim(std::string text) {
  text.erase(0, text.find_first_not_of(' '));
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

/// Owns what Facts views.
struct OwnedFacts {
  std::map<std::string, std::string> plain;
  std::string certificate_attributes, thing_attributes;
  Facts facts;
};

OwnedFacts ParseFacts(const std::string& line) {
  OwnedFacts owned;
  std::vector<CertificateAttribute> attributes;
  std::map<std::string, std::string> thing_attributes;
  auto subject = [&](CertificateField field, const std::string& value) {
    attributes.push_back({CertificateParty::kSubject, field, value});
  };
  for (const std::string& item : Split(line, ' ')) {
    std::size_t equal = item.find('=');
    std::string key = item.substr(0, equal);
    std::string value = equal == std::string::npos ? "" : item.substr(equal + 1);
    if (key.starts_with("attr:")) thing_attributes[key.substr(5)] = value;
    if (key == "cn") subject(CertificateField::kCommonName, value);
    if (key == "ou") subject(CertificateField::kOrganizationalUnit, value);
    if (key == "title") subject(CertificateField::kTitle, value);
    if (key == "dns") subject(CertificateField::kAlternativeDnsName, value);
    if (key == "issuer.o") attributes.push_back({CertificateParty::kIssuer, CertificateField::kOrganization, value});
    owned.plain[key] = value;
  }
  owned.certificate_attributes = EncodeCertificateAttributes(attributes);
  owned.thing_attributes = EncodeThingAttributes(thing_attributes);
  return owned;
}

const Facts& Fill(OwnedFacts& owned) {
  Facts& f = owned.facts;
  f = {};
  f.region = "us-east-1";
  f.account_id = "123456789012";
  f.client_id = owned.plain["client"];
  f.thing_name = owned.plain["thing"];
  f.thing_type = owned.plain["type"];
  f.certificate_id = owned.plain["cert"];
  f.certificate_serial = owned.plain["serial"];
  f.certificate_attributes = owned.certificate_attributes;
  f.thing_attributes = owned.thing_attributes;
  f.source_ip = model::IpAddress::Parse(owned.plain["ip"]);
  f.connect = ConnectFacts{owned.plain.contains("persistent"), owned.plain.contains("will"), owned.plain["will"]};
  if (owned.plain.contains("now")) f.now = FromMillis(std::stoll(owned.plain["now"]) * 1000);
  return f;
}

TEST(Decisions, TableOfNamedCases) {
  std::string path = std::string(POLICY_TESTDATA) + "/decisions.txt";
  std::ifstream file(path);
  ASSERT_TRUE(file.is_open()) << path;
  std::map<std::string, CompiledPolicy> policies;
  OwnedFacts owned;
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line.starts_with("facts ")) {
      owned = ParseFacts(line.substr(6));
      continue;
    }
    if (line.starts_with("policy ")) {
      std::size_t equal = line.find(" = ");
      std::string name = line.substr(7, equal - 7);
      std::string statements = ReplaceAll(line.substr(equal + 3), "@", "arn:aws:iot:us-east-1:123456789012:");
      auto compiled = CompilePolicy(name, R"({"Version":"2012-10-17","Statement":)" + statements + "}");
      ASSERT_TRUE(compiled.ok()) << name << ": " << compiled.error().message();
      policies[name] = *compiled;
      continue;
    }
    std::vector<std::string> fields = Split(line, '|');
    ASSERT_EQ(fields.size(), 4u) << line;
    SCOPED_TRACE(line);
    std::vector<PolicyRef> refs;
    SnapshotBuilder builder({1, "us-east-1", "123456789012"});
    PolicySetEntry set{0, {}};
    for (const std::string& name : Split(Trim(fields[1]), ',')) {
      if (name == "-") continue;
      ASSERT_TRUE(policies.contains(name));
      refs.push_back({policies[name].name, policies[name].body});
      set.policies.push_back(static_cast<PolicyNumber>(set.policies.size()));
      builder.AddPolicy({set.policies.back(), policies[name].name, policies[name].body});
    }
    builder.AddPolicySet(set);
    std::string request = Trim(fields[2]);
    auto action = ParseAction(request.substr(0, request.find(' ')));
    ASSERT_TRUE(action.has_value());
    std::string resource = request.substr(request.find(' ') + 1);
    const Facts& facts = Fill(owned);
    std::string want = Trim(fields[3]);
    EXPECT_EQ(DecisionName(Decide(refs, facts, *action, resource)), want);
    EXPECT_EQ(DecisionName(Explain(refs, facts, *action, resource).decision), want);
    auto bytes = builder.Build(42);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message();
    SnapshotState state;
    ASSERT_TRUE(state.Load(*bytes, nullptr).ok());
    std::vector<PolicyRef> mapped;
    EXPECT_TRUE(state.AppendPolicies(0, mapped));
    EXPECT_EQ(DecisionName(Decide(mapped, facts, *action, resource)), want);
    ++cases;
  }
  EXPECT_GE(cases, 100);
}

}  // namespace
}  // namespace fleetward::policy
