// Random conditions, every operator and modifier, against a naive reading of each.
#include <arpa/inet.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "fleetward/policy/document.h"
#include "fleetward/policy/evaluate.h"

namespace fleetward::policy {
namespace {

using Json = nlohmann::json;
using Keys = std::map<std::string, std::vector<std::string>>;

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

bool Glob(const char* pattern, const char* text) {
  if (*pattern == 0) return *text == 0;
  if (*pattern == '*') return Glob(pattern + 1, text) || (*text != 0 && Glob(pattern, text + 1));
  return *text != 0 && (*pattern == '?' || *pattern == *text) && Glob(pattern + 1, text + 1);
}

bool ArnGlob(const std::string& pattern, const std::string& text) {
  auto split = [](const std::string& arn) {
    std::vector<std::string> parts{""};
    for (char c : arn) {
      if (c == ':' && parts.size() < 6) {
        parts.emplace_back();
      } else {
        parts.back() += c;
      }
    }
    return parts;
  };
  if (pattern == "*") return true;
  auto want = split(pattern), have = split(text);
  if (want.size() != have.size()) return false;
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (!Glob(want[i].c_str(), have[i].c_str())) return false;
  }
  return true;
}

std::optional<double> Number(const std::string& text) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  bool whole = !text.empty() && *end == 0 && text[0] != '+' && text[0] != ' ';
  return whole ? std::optional(value) : std::nullopt;
}

/// Dates of this test are years alone or whole seconds of the epoch.
std::optional<double> Seconds(const std::string& text) {
  if (text == "2020-01-01") return 1577836800;
  if (text == "2020-01-01T00:00:00Z") return 1577836800;
  if (text == "2020-01-01T01:00:00+01:00") return 1577836800;
  if (text == "2030-06-01T00:00:00.000Z") return 1906502400;
  return Number(text);
}

bool InBlock(const std::string& block, const std::string& address) {
  std::size_t slash = block.find('/');
  unsigned bits = slash == std::string::npos ? 32 : static_cast<unsigned>(std::atoi(block.c_str() + slash + 1));
  in_addr a{}, b{};
  if (inet_pton(AF_INET, block.substr(0, slash).c_str(), &a) != 1 || inet_pton(AF_INET, address.c_str(), &b) != 1) return false;
  std::uint32_t mask = bits == 0 ? 0 : ~std::uint32_t{0} << (32 - bits);
  return (ntohl(a.s_addr) & mask) == (ntohl(b.s_addr) & mask);
}

bool Compare(const std::string& op, std::optional<double> have, std::optional<double> want) {
  if (!have || !want) return false;
  if (op.find("LessThanEquals") != std::string::npos) return *have <= *want;
  if (op.find("LessThan") != std::string::npos) return *have < *want;
  if (op.find("GreaterThanEquals") != std::string::npos) return *have >= *want;
  if (op.find("GreaterThan") != std::string::npos) return *have > *want;
  return *have == *want;
}

/// Whether one value of a key fits one value of the condition, negation left out.
bool Fits(const std::string& op, const std::string& have, const std::string& want) {
  if (op.starts_with("Arn")) return ArnGlob(want, have);
  if (op.starts_with("Numeric")) return Compare(op, Number(have), Number(want));
  if (op.starts_with("Date")) return Compare(op, Seconds(have), Seconds(want));
  if (op.find("IpAddress") != std::string::npos) return InBlock(want, have);
  if (op == "Bool") return Lower(have) == want;
  if (op == "BinaryEquals") return (have == "a" && want == "YQ==") || (have == "b" && want == "Yg==");
  if (op.find("Like") != std::string::npos) return Glob(want.c_str(), have.c_str());
  if (op.find("IgnoreCase") != std::string::npos) return Lower(want) == Lower(have);
  return want == have;
}

bool Naive(std::string op, const std::string& key, const std::vector<std::string>& wants, const Keys& keys) {
  auto take = [&op](std::string_view prefix) {
    bool there = op.starts_with(prefix);
    if (there) op.erase(0, prefix.size());
    return there;
  };
  bool all = take("ForAllValues:"), any = take("ForAnyValue:");
  bool if_exists = op.ends_with("IfExists");
  if (if_exists) op.resize(op.size() - 8);
  auto found = keys.find(key);
  std::vector<std::string> have = found == keys.end() ? std::vector<std::string>() : found->second;
  if (op == "Null") {
    return std::any_of(wants.begin(), wants.end(), [&](auto& want) { return (want == "true") == have.empty(); });
  }
  bool negated = op.find("Not") != std::string::npos;
  if (have.empty()) return if_exists || all || (negated && !any);
  auto holds = [&](const std::string& value) {
    bool listed = std::any_of(wants.begin(), wants.end(), [&](auto& want) { return Fits(op, value, want); });
    return listed != negated;
  };
  bool every = all || (negated && !any);
  return every ? std::all_of(have.begin(), have.end(), holds) : std::any_of(have.begin(), have.end(), holds);
}

struct Family {
  std::vector<std::string> operators;
  std::vector<std::string> values;
};

const std::vector<Family>& Families() {
  static const std::vector<Family> families = {
      {{"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike",
        "StringNotLike"},
       {"a", "A", "b", "a*", "?", "", "1", "ab"}},
      {{"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan",
        "NumericGreaterThanEquals"},
       {"1", "1.0", "2", "-3", "1e1", "10"}},
      {{"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"},
       {"2020-01-01", "2020-01-01T01:00:00+01:00", "1577836800", "2030-06-01T00:00:00.000Z", "1"}},
      {{"IpAddress", "NotIpAddress"}, {"10.0.0.0/8", "10.1.2.3", "10.1.0.0/16", "0.0.0.0/0", "192.0.2.0/25"}},
      {{"ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"},
       {"arn:aws:iot:r:1:topic/a", "arn:*:iot:*:1:topic/?", "*", "arn:aws:iot:r:1:*", "arn:*:*:*:*:x"}},
      {{"Bool"}, {"true", "false"}},
      {{"BinaryEquals"}, {"YQ==", "Yg=="}},
      {{"Null"}, {"true", "false"}},
  };
  return families;
}

TEST(ConditionsReference, EveryOperatorWithEveryModifier) {
  std::mt19937_64 random(7);
  auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  const std::vector<std::string> texts = {"a", "A", "b", "ab", "1", "2", "10", "-3", "true", "false", "x y", "2020-01-01",
                                          "1577836800", "arn:aws:iot:r:1:topic/a", "arn:aws:iot:r:1:client/a", "10.1.2.3"};
  int outcomes[2] = {};
  for (int round = 0; round < 60000; ++round) {
    // What is known: some attributes of the certificate, several values each, a client id, an address.
    Keys keys;
    std::vector<CertificateAttribute> attributes;
    std::vector<std::string> units;
    for (std::size_t n = below(4); n > 0; --n) units.push_back(texts[below(texts.size())]);
    for (const std::string& unit : units) {
      attributes.push_back({CertificateParty::kSubject, CertificateField::kOrganizationalUnit, unit});
    }
    if (!units.empty()) keys["iot:Certificate.Subject.OrganizationalUnit.List"] = units;
    if (!units.empty()) keys["iot:Certificate.Subject.OrganizationalUnit"] = {units[0]};
    if (units.size() > 1) keys["iot:Certificate.Subject.OrganizationalUnit.1"] = {units[1]};
    std::string encoded = EncodeCertificateAttributes(attributes);
    std::string client = texts[below(texts.size())], level = texts[below(texts.size())];
    keys["iot:ClientId"] = {client};
    std::string thing_attributes = EncodeThingAttributes({{"level", level}});
    keys["iot:Connection.Thing.Attributes[level]"] = {level};
    Facts facts;
    facts.region = "r";
    facts.account_id = "1";
    facts.client_id = client;
    facts.certificate_attributes = encoded;
    facts.thing_attributes = thing_attributes;
    if (below(2) == 0) {
      std::string address = below(2) == 0 ? "10.1.2.3" : "192.0.2.200";
      facts.source_ip = model::IpAddress::Parse(address);
      keys["aws:SourceIp"] = {address};
    }

    const Family& family = Families()[below(Families().size())];
    std::string op = family.operators[below(family.operators.size())];
    if (op != "Null") {
      std::size_t set = below(4);
      op = (set == 0 ? "ForAllValues:" : set == 1 ? "ForAnyValue:" : "") + op + (below(4) == 0 ? "IfExists" : "");
    }
    const std::vector<std::string> names = {
        "iot:ClientId", "aws:SourceIp", "iot:Certificate.Subject.OrganizationalUnit.List",
        "iot:Certificate.Subject.OrganizationalUnit", "iot:Certificate.Subject.OrganizationalUnit.1",
        "iot:Connection.Thing.Attributes[level]", "iot:Certificate.Subject.Surname"};
    std::string key = names[below(names.size())];
    std::vector<std::string> wants;
    for (std::size_t n = 1 + below(3); n > 0; --n) wants.push_back(family.values[below(family.values.size())]);
    bool deny = below(3) == 0;
    Json statement = {{"Effect", deny ? "Deny" : "Allow"}, {"Action", "iot:Publish"}, {"Resource", "*"},
                      {"Condition", {{op, {{key, wants}}}}}};
    Json document = {{"Version", "2012-10-17"}, {"Statement", Json::array({statement})}};
    auto compiled = CompilePolicy("p", document.dump());
    ASSERT_TRUE(compiled.ok()) << document.dump() << compiled.error().message();
    std::vector<PolicyRef> refs{{compiled->name, compiled->body}};
    bool matches = Naive(op, key, wants, keys);
    Decision wanted = !matches ? Decision::kImplicitDeny : deny ? Decision::kExplicitDeny : Decision::kAllowed;
    ASSERT_EQ(Decide(refs, facts, Action::kPublish, "t"), wanted)
        << document.dump() << " known: " << Json(keys).dump();
    ++outcomes[matches];
  }
  EXPECT_GT(outcomes[0], 5000);
  EXPECT_GT(outcomes[1], 5000);
}

}  // namespace
}  // namespace fleetward::policy
