// "filter\ntopic": validation, matching, and the rules no policy can lift.
#include "fleetward/policy/device_rules.h"
#include "fleetward/policy/topic.h"

using namespace fleetward::policy;

namespace {

class Nobody final : public Ownership {
 public:
  bool Owns(std::string_view thing_name) const override { return thing_name == "me"; }
  bool HasExactlyOneThing() const override { return true; }
  std::string_view client_id() const override { return "me"; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t line = text.find('\n');
  std::string_view filter = text.substr(0, line);
  std::string_view topic = line == std::string_view::npos ? std::string_view{} : text.substr(line + 1);
  bool aws = TopicMatches(StripShare(filter), topic);
  if (aws && !TopicMatches(StripShare(filter), topic, HashRule::kStandard)) __builtin_trap();
  Nobody who;
  DeviceRules rules;
  bool subscribed = CheckSubscribe(rules, who, filter) == Refusal::kNone;
  (void)CheckPublish(rules, who, topic, true);
  // What a granted filter matches may not be somebody else's report.
  if (subscribed && aws && topic.starts_with("$aws/things/") && topic.find("/defender/") != std::string_view::npos &&
      topic.substr(12, topic.find('/', 12) - 12) != "me") {
    bool service = false;
    for (std::string_view name : {"/shadow", "/jobs", "/streams", "/tunnels"}) {
      service = service || topic.substr(topic.find('/', 12)).starts_with(name);
    }
    if (!service) __builtin_trap();
  }
  return 0;
}
