#include "fleetward/policy/document.h"

#include <gtest/gtest.h>

#include "fleetward/policy/evaluate.h"

namespace fleetward::policy {
namespace {

std::string Document(const std::string& statement) {
  return R"({"Version":"2012-10-17","Statement":)" + statement + "}";
}

/// The message, or "" when the document is accepted.
std::string Complaint(const std::string& document) {
  auto status = ValidatePolicyDocument(document);
  if (status.ok()) return "";
  EXPECT_EQ(status.error().code(), Code::kMalformedPolicy);
  return status.error().message();
}

TEST(Document, AcceptsWhatTheServiceAccepts) {
  EXPECT_EQ(Complaint(Document(R"({"Effect":"Allow","Action":"iot:*","Resource":"*"})")), "");
  EXPECT_EQ(Complaint(Document(R"([{"Sid":"s","Effect":"Deny","Action":["iot:Publish"],"Resource":["*"]}])")), "");
  EXPECT_EQ(Complaint(R"({"Version":"2008-10-17","Id":"i","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})"),
            "");
}

TEST(Document, SaysWhatIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "not valid JSON"},
      {"[]", "must be a JSON object"},
      {R"({"Statement":[]})", "Version is missing"},
      {R"({"Version":"2020-01-01","Statement":[]})", "Version must be"},
      {R"({"Version":"2012-10-17"})", "Statement is missing"},
      {Document("[]"), "empty list"},
      {Document("7"), "object or a list"},
      {Document("[7]"), "Statement[0] must be an object"},
      {Document(R"({"Effect":"allow","Action":"*","Resource":"*"})"), "Effect must be Allow or Deny"},
      {Document(R"({"Effect":"Allow","Resource":"*"})"), "Action is missing"},
      {Document(R"({"Effect":"Allow","Action":"Publish","Resource":"*"})"), "an action looks like"},
      {Document(R"({"Effect":"Allow","Action":[],"Resource":"*"})"), "empty list"},
      {Document(R"({"Effect":"Allow","Action":[7],"Resource":"*"})"), "strings only"},
      {Document(R"({"Effect":"Allow","Action":"*","Resource":"topic/a"})"), "a resource is *"},
      {Document(R"({"Effect":"Allow","Action":"*","Resource":"arn:aws:iot:::topic/${x"})"), "not closed"},
      {Document(R"({"Effect":"Allow","Action":"*","Resource":"arn:aws:iot:::topic/${}"})"), "needs a name"},
      {Document(R"({"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"})"), "Principal is not allowed"},
      {Document(R"({"Effect":"Allow","NotAction":"*","Resource":"*"})"), "NotAction is not allowed"},
      {Document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":[]})"), "Condition must be an object"},
      {Document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringIs":{"a":"b"}}})"),
       "StringIs is not a condition operator"},
      {Document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":"yes"}}})"), "true or false"},
      {Document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"a":"1.2.3"}}})"), "CIDR"},
      {Document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericEquals":{"a":"x"}}})"), "number"},
      {Document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateEquals":{"a":"2026-13-01"}}})"),
       "ISO 8601"},
      {Document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnEquals":{"a":"topic"}}})"),
       "not an ARN"},
      {Document(R"({"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"})"), "Effect is given twice"},
      {std::string(500, '['), "nested too deeply"},
      {Document(R"({"Effect":"Allow","Action":"*","Resource":"*","Sid":")" + std::string(2048, 'x') + "\"}"), "2048"},
      {std::string(70000, ' '), "too long"},
      {"\"\xff\"", "not valid JSON"},
  };
  for (const auto& [document, want] : cases) {
    EXPECT_NE(Complaint(document).find(want), std::string::npos) << document.substr(0, 200) << "\n" << Complaint(document);
  }
}

TEST(Document, WhiteSpaceDoesNotCount) {
  std::string document = Document(R"({"Effect":"Allow","Action":"*","Resource":"*"})") + std::string(9000, '\n');
  EXPECT_EQ(Complaint(document), "");
}

TEST(Document, OldVersionHasNoVariables) {
  auto old = CompilePolicy("p", R"({"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish",
      "Resource":"arn:aws:iot:r:1:topic/${iot:ClientId}"}})");
  ASSERT_TRUE(old.ok());
  Facts facts;
  facts.region = "r";
  facts.account_id = "1";
  facts.client_id = "c";
  PolicyRef ref{old->name, old->body};
  EXPECT_EQ(Decide({&ref, 1}, facts, Action::kPublish, "c"), Decision::kImplicitDeny);
  EXPECT_EQ(Decide({&ref, 1}, facts, Action::kPublish, "${iot:ClientId}"), Decision::kAllowed);
}

TEST(Document, KnowsWhenTimeMatters) {
  auto timed = CompilePolicy("p", Document(R"({"Effect":"Allow","Action":"*","Resource":"*",
      "Condition":{"DateLessThan":{"AWS:currenttime":"2026-01-01"}}})"));
  auto plain = CompilePolicy("p", Document(R"({"Effect":"Allow","Action":"*","Resource":"*"})"));
  EXPECT_TRUE(DependsOnTime(timed->body));
  EXPECT_FALSE(DependsOnTime(plain->body));
}

TEST(Explain, NamesStatementsAndMissingContext) {
  auto policy = CompilePolicy("p", Document(R"([{"Sid":"one","Effect":"Allow","Action":"iot:*","Resource":"*"},
      {"Sid":"two","Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/x"},
      {"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/${iot:Connection.Thing.ThingName}"}])"));
  ASSERT_TRUE(policy.ok());
  Facts facts;
  facts.region = "r";
  facts.account_id = "1";
  PolicyRef ref{policy->name, policy->body};
  Explanation why = Explain({&ref, 1}, facts, Action::kPublish, "x");
  EXPECT_EQ(why.decision, Decision::kExplicitDeny);
  EXPECT_EQ(why.denied, (std::vector<StatementMatch>{{"p", 1, "two"}}));
  EXPECT_EQ(why.allowed, (std::vector<StatementMatch>{{"p", 0, "one"}}));
  EXPECT_EQ(why.missing_context, (std::vector<std::string>{"iot:Connection.Thing.ThingName"}));
}

TEST(Decide, DamagedBodiesAllowNothing) {
  auto policy = CompilePolicy("p", Document(R"({"Effect":"Allow","Action":"iot:*","Resource":"*"})"));
  Facts facts;
  for (std::size_t cut = 0; cut < policy->body.size(); ++cut) {
    PolicyRef ref{"p", std::string_view(policy->body).substr(0, cut)};
    EXPECT_EQ(Decide({&ref, 1}, facts, Action::kPublish, "x"), Decision::kImplicitDeny) << cut;
  }
}

}  // namespace
}  // namespace fleetward::policy
