#include "fleetward/notify/topics.h"

#include "access_policy.h"
#include "attributes.h"
#include "records.h"

namespace fleetward::notify {

TopicService::TopicService(store::ControlStore& store, Outbox& outbox, const Clock& clock, TopicSettings settings)
    : store_(store), outbox_(outbox), clock_(clock), settings_(std::move(settings)), fetcher_(settings_.fetch) {}

std::string TopicService::TopicArn(std::string_view name) const {
  return "arn:aws:sns:" + settings_.region + ':' + settings_.account + ':' + std::string(name);
}

std::string TopicService::SubscriptionArn(const Subscription& s) const { return TopicArn(s.topic) + ':' + s.id.Uuid(); }

Result<std::string> TopicService::TopicNameOf(std::string_view arn) const {
  std::string prefix = TopicArn("");
  if (arn.substr(0, 12) != "arn:aws:sns:") {
    return Error(Code::kInvalidArgument, "Invalid parameter: TopicArn Reason: not an SNS topic ARN");
  }
  if (arn.substr(0, prefix.size()) != prefix) return Error(Code::kNotFound, "Topic does not exist");
  std::string name(arn.substr(prefix.size()));
  if (!IsTopicName(name)) return Error(Code::kInvalidArgument, "Invalid parameter: TopicArn Reason: bad topic name");
  return name;
}

Result<std::string> TopicService::CreateTopic(std::string_view actor, const std::string& name,
                                              const Attributes& attributes, const Attributes& tags) {
  if (name.ends_with(".fifo")) return Error(Code::kInvalidArgument, "Invalid parameter: FIFO topics are not offered");
  if (!IsTopicName(name)) {
    return Error(Code::kInvalidArgument,
                 "Invalid parameter: Topic Name must be 1-256 letters, digits, hyphens and underscores");
  }
  for (const auto& [key, value] : attributes) FW_TRY(CheckTopicAttribute(key, value));
  FW_TRY(CheckTags(tags));
  FW_TRY(store_.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_ASSIGN(auto stored, tx.Get(kTopics, name));
    if (stored) {
      FW_ASSIGN(Topic existing, DecodeTopic(name, *stored));
      for (const auto& [key, value] : attributes) {
        auto found = existing.attributes.find(key);
        if (found == existing.attributes.end() || found->second != value) {
          return Error(Code::kInvalidArgument,
                       "Invalid parameter: Attributes Reason: Topic already exists with different attributes");
        }
      }
      if (!tags.empty() && tags != existing.tags) {
        return Error(Code::kInvalidArgument, "Invalid parameter: Tags Reason: Topic already exists with different tags");
      }
      return {};
    }
    FW_ASSIGN(std::size_t count, LoadTopicTotal(tx));
    if (count >= settings_.max_topics) return Error(Code::kLimitExceeded, "Topic limit exceeded");
    FW_TRY(StoreTopicTotal(tx, count + 1));
    Topic topic{name, attributes, tags, clock_.Now()};
    FW_TRY(StoreCounts(tx, name, {}));
    return tx.Put(kTopics, name, Encode(topic));
  }));
  return TopicArn(name);
}

Status TopicService::DeleteTopic(std::string_view actor, std::string_view arn) {
  FW_ASSIGN(std::string name, TopicNameOf(arn));
  return store_.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_ASSIGN(auto stored, tx.Get(kTopics, name));
    if (!stored) return {};  // idempotent, as the service
    FW_ASSIGN(std::size_t count, LoadTopicTotal(tx));
    FW_TRY(StoreTopicTotal(tx, count - 1));
    std::string prefix = name + '\0';
    for (const store::Table& table : {kSubscriptions, kEndpoints, kEnded}) {
      std::vector<std::string> keys;
      FW_TRY(tx.Scan(table, prefix, After(prefix), [&](std::string_view key, std::string_view) {
        keys.emplace_back(key);
        return true;
      }));
      for (const auto& key : keys) FW_TRY(tx.Erase(table, key));
    }
    FW_TRY(tx.Erase(kCounts, name));
    return tx.Erase(kTopics, name);
  });
}

Result<Topic> TopicService::GetTopic(std::string_view arn) const {
  FW_ASSIGN(std::string name, TopicNameOf(arn));
  return store::ReadFor<Topic>(store_, [&](const store::Reader& reader) { return LoadTopic(reader, name); });
}

Result<TopicView> TopicService::ViewTopic(std::string_view arn) const {
  FW_ASSIGN(std::string name, TopicNameOf(arn));
  return store::ReadFor<TopicView>(store_, [&](const store::Reader& reader) -> Result<TopicView> {
    TopicView view;
    FW_ASSIGN(view.topic, LoadTopic(reader, name));
    FW_ASSIGN(TopicCounts counts, LoadCounts(reader, name));
    view.confirmed = counts.confirmed;
    view.pending = counts.pending;
    view.deleted = counts.deleted;
    auto policy = view.topic.attributes.find("Policy");
    bool own = policy != view.topic.attributes.end() && !policy->second.empty();
    view.policy = own ? policy->second : DefaultAccessPolicy(TopicArn(name), settings_.account);
    view.effective_delivery_policy = TopicDeliveryPolicyJson(DeliveryPolicyOf(view.topic));
    return view;
  });
}

Status TopicService::ChangeTopic(std::string_view actor, std::string_view arn,
                                 const std::function<Status(Topic&)>& change) {
  FW_ASSIGN(std::string name, TopicNameOf(arn));
  return store_.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_ASSIGN(Topic topic, LoadTopic(tx, name));
    FW_TRY(change(topic));
    return tx.Put(kTopics, name, Encode(topic));
  });
}

Status TopicService::SetTopicAttribute(std::string_view actor, std::string_view arn, const std::string& name,
                                       const std::string& value) {
  if (name == "FifoTopic") return Error(Code::kInvalidArgument, "Invalid parameter: AttributeName FifoTopic cannot be changed");
  FW_TRY(CheckTopicAttribute(name, value));
  return ChangeTopic(actor, arn, [&](Topic& topic) -> Status {
    topic.attributes[name] = value;
    if (value.empty()) topic.attributes.erase(name);
    return {};
  });
}

Status TopicService::AddPermission(std::string_view actor, std::string_view arn, const std::string& label,
                                   std::span<const std::string> accounts, std::span<const std::string> actions) {
  return ChangeTopic(actor, arn, [&](Topic& topic) -> Status {
    std::string& policy = topic.attributes["Policy"];
    if (policy.empty()) policy = DefaultAccessPolicy(std::string(arn), settings_.account);
    FW_ASSIGN(policy, WithPermission(policy, std::string(arn), label, accounts, actions));
    return {};
  });
}

Status TopicService::RemovePermission(std::string_view actor, std::string_view arn, const std::string& label) {
  return ChangeTopic(actor, arn, [&](Topic& topic) -> Status {
    std::string& policy = topic.attributes["Policy"];
    if (policy.empty()) policy = DefaultAccessPolicy(std::string(arn), settings_.account);
    FW_ASSIGN(policy, WithoutPermission(policy, label));
    return {};
  });
}

Status TopicService::TagTopic(std::string_view actor, std::string_view arn, const Attributes& tags) {
  return ChangeTopic(actor, arn, [&](Topic& topic) -> Status {
    for (const auto& [key, value] : tags) topic.tags[key] = value;
    return CheckTags(topic.tags);
  });
}

Status TopicService::UntagTopic(std::string_view actor, std::string_view arn, std::span<const std::string> keys) {
  return ChangeTopic(actor, arn, [&](Topic& topic) -> Status {
    for (const std::string& key : keys) topic.tags.erase(key);
    return {};
  });
}

Result<Page<std::string>> TopicService::ListTopics(std::string_view from, std::size_t limit) const {
  return store::ReadFor<Page<std::string>>(store_, [&](const store::Reader& reader) -> Result<Page<std::string>> {
    Page<std::string> page;
    FW_TRY(reader.Scan(kTopics, from, "", [&](std::string_view key, std::string_view) {
      if (page.items.size() == limit) {
        page.next = key;
        return false;
      }
      page.items.push_back(TopicArn(key));
      return true;
    }));
    return page;
  });
}

}  // namespace fleetward::notify
