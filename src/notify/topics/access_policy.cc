#include "access_policy.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fleetward::notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMaxStatements = 100;
constexpr std::string_view kActions[] = {"GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission",
                                         "DeleteTopic", "Subscribe", "ListSubscriptionsByTopic", "Publish", "Receive"};

Error Bad(std::string why) { return Error(Code::kInvalidArgument, "Invalid parameter: " + std::move(why)); }

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= 80 && std::all_of(label.begin(), label.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool IsAccount(std::string_view account) {
  return account.size() == 12 && account.find_first_not_of("0123456789") == std::string_view::npos;
}

ordered_json OneOrList(std::vector<std::string> values) {
  if (values.size() == 1) return values.front();
  return values;
}

// The policy with its statements as a list.
ordered_json Opened(const std::string& policy) {
  ordered_json j = ordered_json::parse(policy, nullptr, false);
  if (!j.is_object()) j = {{"Version", "2008-10-17"}, {"Id", "__default_policy_ID"}, {"Statement", ordered_json::array()}};
  ordered_json& statements = j["Statement"];
  if (statements.is_object()) statements = ordered_json::array({statements});
  if (!statements.is_array()) statements = ordered_json::array();
  return j;
}

bool HasSid(const ordered_json& statement, const std::string& label) {
  return statement.is_object() && statement.contains("Sid") && statement["Sid"] == label;
}

}  // namespace

std::string DefaultAccessPolicy(const std::string& arn, const std::string& account) {
  std::vector<std::string> actions;
  for (std::string_view action : kActions) {
    if (action != "Receive") actions.push_back("SNS:" + std::string(action));
  }
  ordered_json statement = {{"Sid", "__default_statement_ID"}, {"Effect", "Allow"}, {"Principal", {{"AWS", "*"}}},
                            {"Action", actions}, {"Resource", arn},
                            {"Condition", {{"StringEquals", {{"AWS:SourceOwner", account}}}}}};
  return ordered_json{{"Version", "2008-10-17"}, {"Id", "__default_policy_ID"}, {"Statement", {statement}}}.dump();
}

Result<std::string> WithPermission(const std::string& policy, const std::string& arn, const std::string& label,
                                   std::span<const std::string> accounts, std::span<const std::string> actions) {
  if (!IsLabel(label)) return Bad("Label Reason: 1 to 80 letters, digits, hyphens and underscores");
  if (accounts.empty()) return Bad("AWSAccountId Reason: at least one account is needed");
  if (actions.empty()) return Bad("ActionName Reason: at least one action is needed");
  std::vector<std::string> principals, names;
  for (const std::string& account : accounts) {
    if (!IsAccount(account)) return Bad("AWSAccountId Reason: an account has 12 digits");
    principals.push_back("arn:aws:iam::" + account + ":root");
  }
  for (const std::string& action : actions) {
    if (action != "*" && std::find(std::begin(kActions), std::end(kActions), action) == std::end(kActions)) {
      return Bad("Policy statement action out of service scope!");
    }
    names.push_back("SNS:" + action);
  }
  ordered_json j = Opened(policy);
  for (const ordered_json& statement : j["Statement"]) {
    if (HasSid(statement, label)) return Bad("Statement already exists");
  }
  if (j["Statement"].size() >= kMaxStatements) return Bad("Label Reason: a topic can have at most 100 statements");
  j["Statement"].push_back({{"Sid", label}, {"Effect", "Allow"}, {"Principal", {{"AWS", OneOrList(principals)}}},
                            {"Action", OneOrList(names)}, {"Resource", arn}});
  return j.dump();
}

Result<std::string> WithoutPermission(const std::string& policy, const std::string& label) {
  ordered_json j = Opened(policy);
  ordered_json kept = ordered_json::array();
  for (ordered_json& statement : j["Statement"]) {
    if (!HasSid(statement, label)) kept.push_back(std::move(statement));
  }
  if (kept.size() == j["Statement"].size()) return Error(Code::kNotFound, "There is no statement with the label " + label.substr(0, 80));
  j["Statement"] = std::move(kept);
  return j.dump();
}

}  // namespace fleetward::notify
