#include "records.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace fleetward::notify {
namespace {

using nlohmann::json;

std::string Dump(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

// Members that are no strings are left out: a damaged row must not throw.
Attributes StringMap(const json& object) {
  Attributes map;
  if (!object.is_object()) return map;
  for (const auto& [key, value] : object.items()) {
    if (value.is_string()) map[key] = value.get_ref<const std::string&>();
  }
  return map;
}

}  // namespace

std::string SubscriptionKey(const Subscription& s) { return s.topic + '\0' + s.id.Bytes(); }
std::string EndpointKey(const Subscription& s) { return s.topic + '\0' + s.protocol + '\0' + s.endpoint; }

std::string After(std::string_view prefix) {
  std::string end(prefix);
  end.back() = static_cast<char>(end.back() + 1);
  return end;
}

std::string AgingKey(Timestamp created, std::string_view subscription_key) {
  std::string key(8, '\0');  // big-endian: in the order of time
  auto millis = static_cast<std::uint64_t>(ToMillis(created));
  for (int i = 0; i < 8; ++i) key[i] = static_cast<char>(millis >> (56 - 8 * i));
  return key.append(subscription_key);
}

std::string_view SubscriptionKeyOf(std::string_view aging_key) { return aging_key.substr(8); }

std::string Encode(const Topic& t) {
  return Dump({{"attributes", t.attributes}, {"tags", t.tags}, {"created", ToMillis(t.created)}});
}

Result<Topic> DecodeTopic(std::string_view name, std::string_view text) {
  json j = json::parse(text, nullptr, false);
  if (!j.is_object()) return Error(Code::kCorrupt, "a stored topic cannot be read");
  Topic topic;
  topic.name = name;
  topic.attributes = StringMap(j["attributes"]);
  topic.tags = StringMap(j["tags"]);
  topic.created = FromMillis(j.value("created", std::int64_t{0}));
  return topic;
}

std::string Encode(const Subscription& s) {
  return Dump({{"topic", s.topic}, {"id", s.id.Hex()}, {"protocol", s.protocol}, {"endpoint", s.endpoint},
               {"owner", s.owner}, {"confirmed", s.confirmed}, {"authenticated", s.protected_unsubscribe},
               {"signed", s.confirmed_by_signature}, {"token", s.token_hash}, {"attributes", s.attributes},
               {"created", ToMillis(s.created)}});
}

Result<Subscription> DecodeSubscription(std::string_view text) {
  json j = json::parse(text, nullptr, false);
  auto id = j.is_object() ? Id128::Parse(j.value("id", "")) : std::nullopt;
  if (!id) return Error(Code::kCorrupt, "a stored subscription cannot be read");
  Subscription s;
  s.topic = j.value("topic", "");
  s.id = *id;
  s.protocol = j.value("protocol", "");
  s.endpoint = j.value("endpoint", "");
  s.owner = j.value("owner", "");
  s.confirmed = j.value("confirmed", false);
  s.protected_unsubscribe = j.value("authenticated", false);
  s.confirmed_by_signature = j.value("signed", s.protected_unsubscribe);
  s.token_hash = j.value("token", "");
  s.attributes = StringMap(j["attributes"]);
  s.created = FromMillis(j.value("created", std::int64_t{0}));
  return s;
}

Result<Topic> LoadTopic(const store::Reader& reader, std::string_view name) {
  FW_ASSIGN(auto stored, reader.Get(kTopics, name));
  if (!stored) return Error(Code::kNotFound, "Topic does not exist");
  return DecodeTopic(name, *stored);
}

Result<TopicCounts> LoadCounts(const store::Reader& reader, const std::string& topic) {
  TopicCounts counts;
  FW_ASSIGN(auto stored, reader.Get(kCounts, topic));
  if (stored) {
    long long c = 0, p = 0, d = 0;
    if (std::sscanf(stored->c_str(), "%lld %lld %lld", &c, &p, &d) != 3) {
      return Error(Code::kCorrupt, "a stored count cannot be read");
    }
    return TopicCounts{c, p, d};
  }
  // A topic of an older release: counted once.
  std::string prefix = topic + '\0';
  FW_TRY(reader.Scan(kSubscriptions, prefix, After(prefix), [&](std::string_view, std::string_view value) {
    auto s = DecodeSubscription(value);
    if (s.ok()) ++(s->confirmed ? counts.confirmed : counts.pending);
    return true;
  }));
  return counts;
}

Status StoreCounts(store::Transaction& tx, const std::string& topic, const TopicCounts& counts) {
  return tx.Put(kCounts, topic, std::to_string(counts.confirmed) + ' ' + std::to_string(counts.pending) + ' ' +
                                    std::to_string(counts.deleted));
}

Result<std::size_t> LoadTopicTotal(const store::Reader& reader) {
  FW_ASSIGN(auto stored, reader.Get(kTotals, "topics"));
  if (stored) return static_cast<std::size_t>(std::strtoull(stored->c_str(), nullptr, 10));
  std::size_t total = 0;  // the topics of an older release: counted once
  FW_TRY(reader.Scan(kTopics, "", "", [&](std::string_view, std::string_view) {
    ++total;
    return true;
  }));
  return total;
}

Status StoreTopicTotal(store::Transaction& tx, std::size_t total) {
  return tx.Put(kTotals, "topics", std::to_string(total));
}

}  // namespace fleetward::notify
