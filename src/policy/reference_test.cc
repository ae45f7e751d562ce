// Random policies and requests against a naive evaluator that reads the JSON document itself, with a backtracking
// matcher over expanded text. Small alphabets, so that matches are frequent.
#include <functional>
#include <optional>
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "fleetward/policy/document.h"
#include "fleetward/policy/evaluate.h"
#include "fleetward/policy/pattern.h"

namespace fleetward::policy {
namespace {

using Json = nlohmann::json;

/// Expanded text: a character, or a wildcard (negative).
using Expanded = std::vector<int>;
constexpr int kStar = -1, kOne = -2;

bool NaiveMatch(const Expanded& p, std::size_t i, const std::string& t, std::size_t j) {
  if (i == p.size()) return j == t.size();
  if (p[i] == kStar) return NaiveMatch(p, i + 1, t, j) || (j < t.size() && NaiveMatch(p, i, t, j + 1));
  return j < t.size() && (p[i] == kOne || p[i] == t[j]) && NaiveMatch(p, i + 1, t, j + 1);
}

using Known = std::map<std::string, std::string>;

std::optional<Expanded> Expand(const std::string& text, bool glob, const Known& known, bool keep) {
  Expanded out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "${") == 0) {
      std::size_t close = text.find('}', i);
      std::string name = text.substr(i + 2, close - i - 2);
      std::string value = text.substr(i, close - i + 1);
      if (name == "*" || name == "?" || name == "$") {
        value = name;
      } else if (known.contains(name) && !known.at(name).empty()) {
        value = known.at(name);
      } else if (!keep) {
        return std::nullopt;
      }
      out.insert(out.end(), value.begin(), value.end());
      i = close;
    } else if (glob && text[i] == '*') {
      out.push_back(kStar);
    } else if (glob && text[i] == '?') {
      out.push_back(kOne);
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

bool NaiveCondition(const std::string& op, const Json& keys, bool deny, const Known& known) {
  bool negated = op.find("Not") != std::string::npos;
  bool glob = op.find("Like") != std::string::npos;
  bool if_exists = op.ends_with("IfExists");
  for (const auto& [key, values] : keys.items()) {
    auto have = known.find(key);
    if (have == known.end() || have->second.empty()) {
      if (if_exists || negated) continue;
      return false;
    }
    bool listed = false, unresolved = false;
    for (const Json& value : values) {
      auto want = Expand(value, glob, known, deny);
      if (!want) unresolved = true;
      if (want && NaiveMatch(*want, 0, have->second, 0)) listed = true;
    }
    if (!listed && unresolved) return false;
    if (listed == negated) return false;
  }
  return true;
}

Decision NaiveDecide(const std::vector<Json>& documents, const Known& known, const std::string& action,
                     const std::string& arn) {
  bool allowed = false, denied = false;
  for (const Json& document : documents) {
    for (const Json& statement : document["Statement"]) {
      bool deny = statement["Effect"] == "Deny";
      bool matches = false;
      for (const Json& name : statement["Action"]) {
        if (NaiveMatch(*Expand(name, true, {}, false), 0, action, 0)) matches = true;
      }
      bool resource = false;
      for (const Json& text : statement["Resource"]) {
        auto pattern = Expand(text, true, known, false);
        if (pattern && NaiveMatch(*pattern, 0, arn, 0)) resource = true;
      }
      matches = matches && resource;
      for (const auto& [op, keys] : statement["Condition"].items()) {
        matches = matches && NaiveCondition(op, keys, deny, known);
      }
      if (matches) (deny ? denied : allowed) = true;
    }
  }
  return denied ? Decision::kExplicitDeny : allowed ? Decision::kAllowed : Decision::kImplicitDeny;
}

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}
  std::size_t Below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  std::string Pick(std::initializer_list<const char*> from) { return *(from.begin() + Below(from.size())); }
  std::string Text(std::size_t max, std::initializer_list<const char*> alphabet) {
    std::string text;
    for (std::size_t n = Below(max + 1); n > 0; --n) text += Pick(alphabet);
    return text;
  }
  std::string Pattern(std::size_t max = 6) {
    return Text(max, {"a", "b", "/", "*", "?", "*", "${iot:ClientId}", "${iot:Connection.Thing.ThingName}", "${*}",
                      "${iot:Certificate.Subject.Title}", "a"});
  }
  Json Statement() {
    Json statement = {{"Effect", Pick({"Allow", "Allow", "Deny"})}, {"Action", Json::array()},
                      {"Resource", Json::array()}, {"Condition", Json::object()}};
    for (std::size_t n = 1 + Below(2); n > 0; --n) {
      statement["Action"].push_back(Pick({"iot:Publish", "iot:*", "iot:Connect", "*", "iot:?ublish"}));
    }
    for (std::size_t n = 1 + Below(3); n > 0; --n) {
      std::string prefix = Pick({"arn:aws:iot:r:1:", "arn:aws:iot:r:1:", "arn:*:", "arn:aws:iot:?:1:"});
      statement["Resource"].push_back(prefix + Pick({"topic/", "client/", "*/", "topic"}) + Pattern());
    }
    for (std::size_t n = Below(3); n > 0; --n) {
      std::string op = Pick({"StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIfExists",
                             "StringNotLikeIfExists"});
      std::string key = Pick({"iot:ClientId", "iot:Connection.Thing.ThingName", "iot:Certificate.Subject.CommonName"});
      statement["Condition"][op][key] = Json::array({Pattern(3), Pattern(3)});
    }
    return statement;
  }

 private:
  std::mt19937_64 random_;
};

TEST(Reference, RandomPoliciesDecideAlike) {
  int counts[3] = {};
  for (std::uint64_t seed = 0; seed < 30000; ++seed) {
    Generator g(seed);
    std::vector<Json> documents;
    std::vector<CompiledPolicy> compiled;
    for (std::size_t n = 1 + g.Below(3); n > 0; --n) {
      Json document = {{"Version", "2012-10-17"}, {"Statement", Json::array()}};
      for (std::size_t m = 1 + g.Below(3); m > 0; --m) document["Statement"].push_back(g.Statement());
      auto policy = CompilePolicy("p" + std::to_string(n), document.dump());
      ASSERT_TRUE(policy.ok()) << document.dump() << policy.error().message();
      documents.push_back(document);
      compiled.push_back(*policy);
    }
    std::string client = g.Text(3, {"a", "b", "/", "*"});
    std::string thing = g.Below(2) == 0 ? "" : g.Text(2, {"a", "b"});
    std::string cn = g.Text(3, {"a", "b", "/"});
    std::string title = g.Text(2, {"a", "*", "b"});
    bool hidden = title.find('*') != std::string::npos;  // not substituted
    std::vector<CertificateAttribute> attributes;
    if (!cn.empty()) attributes.push_back({CertificateParty::kSubject, CertificateField::kCommonName, cn});
    if (!title.empty()) attributes.push_back({CertificateParty::kSubject, CertificateField::kTitle, title});
    std::string encoded = EncodeCertificateAttributes(attributes);
    Facts facts;
    facts.region = "r";
    facts.account_id = "1";
    facts.client_id = client;
    facts.thing_name = thing;
    facts.certificate_attributes = encoded;
    Known known{{"iot:ClientId", client}, {"iot:Connection.Thing.ThingName", thing},
                {"iot:Certificate.Subject.CommonName", cn}, {"iot:Certificate.Subject.Title", hidden ? "" : title}};
    std::vector<PolicyRef> refs;
    for (const auto& policy : compiled) refs.push_back({policy.name, policy.body});
    for (int i = 0; i < 4; ++i) {
      Action action = g.Below(2) == 0 ? Action::kPublish : Action::kConnect;
      std::string resource = g.Text(8, {"a", "b", "/", "a", "*"});
      std::string arn = std::string("arn:aws:iot:r:1:") + std::string(ResourceType(action)) + "/" + resource;
      Decision want = NaiveDecide(documents, known, std::string(ActionName(action)), arn);
      ASSERT_EQ(Decide(refs, facts, action, resource), want)
          << seed << " " << arn << " client=" << client << " thing=" << thing << "\n" << Json(documents).dump(1);
      ASSERT_EQ(Explain(refs, facts, action, resource).decision, want) << seed;
      ++counts[static_cast<int>(want)];
    }
  }
  for (int count : counts) EXPECT_GT(count, 5000);  // the test sees all three
}

TEST(Pattern, AgreesWithBacktracking) {
  for (std::uint64_t seed = 0; seed < 200000; ++seed) {
    Generator g(seed);
    std::string glob = g.Text(8, {"a", "b", "*", "?", "*"});
    std::string text = g.Text(10, {"a", "b", "a"});
    PieceList pieces;
    AppendGlob(glob, pieces);
    ASSERT_EQ(MatchPieces(pieces, text), NaiveMatch(*Expand(glob, true, {}, false), 0, text, 0)) << glob << " " << text;
  }
}

// threats.md s: what takes a backtracking matcher years. A hang fails by the test's time limit.
TEST(Pattern, HostilePatternsStayCheap) {
  std::string many;
  for (int i = 0; i < 600; ++i) many += "a*";
  for (const std::string& glob : {many + "b", "*a?" + many + "?b", std::string(200, '*') + "b", many + std::string(50, '?') + "b"}) {
    PieceList pieces;
    AppendGlob(glob, pieces);
    EXPECT_FALSE(MatchPieces(pieces, std::string(100000, 'a')));
  }
}

}  // namespace
}  // namespace fleetward::policy
