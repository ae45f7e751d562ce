#include "testing/scenario.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "fleetward/detect/admission.h"
#include "fleetward/model/json.h"
#include "fleetward/report/metric_report.h"
#include "testing/notation.h"
#include "testing/support.h"

namespace fleetward::detect {
namespace {

constexpr std::int64_t kBaseMs = 1'767'225'600'000;  // 2026-01-01T00:00:00Z

std::string TimeText(std::int64_t ms) {
  char text[32];
  std::int64_t s = ms / 1000;
  std::snprintf(text, sizeof text, "%d:%02d:%02d", static_cast<int>(s / 3600), static_cast<int>(s / 60 % 60),
                static_cast<int>(s % 60));
  return text;
}

using Step = ScenarioStep;

class Runner {
  using Addresses = std::vector<model::IpAddress>;

 public:
  explicit Runner(bool restart_each) : restart_each_(restart_each) {
    options_.account = model::AccountId("123456789012");
    options_.sha256 = MixDigest;
    options_.slab_count = 8;
  }

  ScenarioOutcome Run(std::string_view text) {
    ScenarioScript script = ReadScenario(text);
    outcome_.failures = std::move(script.faults);
    SetOptions(script.options);
    engine_ = std::make_unique<Engine>(options_, sink_);
    if (!script.steps.empty()) engine_->OnWatermark(At(0));
    for (const Step& step : script.steps) {
      PassTime(step.time_ms);
      if (restart_each_) Restore(step.line);
      if (!engine_) break;
      Do(step);
    }
    for (const Step& step : script.final) CheckEvents(step);
    outcome_.lines = sink_.lines;
    return std::move(outcome_);
  }

 private:
  static Timestamp At(std::int64_t ms) { return FromMillis(kBaseMs + ms); }

  void Fail(int line, const std::string& what) {
    outcome_.failures.push_back("line " + std::to_string(line) + ": " + what);
  }

  void SetOptions(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
      if (word.starts_with("bucket=")) options_.bucket_seconds = std::stoi(word.substr(7));
      if (word == "early=off") options_.early = false;
      if (word.starts_with("storm=")) options_.max_new_alarms_per_second = static_cast<std::uint32_t>(std::stoi(word.substr(6)));
      if (word.starts_with("throttle=")) admission_options_.min_report_interval_seconds = std::stoi(word.substr(9));
    }
  }

  /// Watermarks as live ones come: at every end of a bucket, and at the event.
  void PassTime(std::int64_t time_ms) {
    std::int64_t bucket = std::int64_t{options_.bucket_seconds} * 1000;
    for (std::int64_t t = now_ / bucket * bucket + bucket; t < time_ms; t += bucket) {
      if (t >= silent_until_ && engine_) Watermark(t);
    }
    now_ = std::max(now_, time_ms);
    if (time_ms >= silent_until_ && engine_) Watermark(time_ms);
  }

  void Watermark(std::int64_t time_ms) {
    engine_->OnWatermark(At(time_ms));
    Engine* engine = engine_.get();
    Exchange(std::span(&engine, 1));
  }

  void Restore(int line) {
    engine_ = Restart(*engine_, options_, sink_);
    if (!engine_) Fail(line, "state did not survive a restart");
  }

  void Do(const Step& step) {
    const std::string& what = step.words[0];
    const std::string name = step.words.size() > 1 ? step.words[1] : "";
    Timestamp time = At(step.time_ms);
    if (what == "profile") return SetProfile(step);
    if (what == "unprofile") return engine_->RemoveProfile(model::SecurityProfileName(name), time);
    if (what == "custom") return SetCustom(step);
    if (what == "uncustom") return engine_->RemoveCustomMetric(model::CustomMetricName(name), time);
    if (what == "thing") return SetThing(step);
    if (what == "unthing") return engine_->RemoveThing(EntityOf(name), time);
    if (what == "report") return Report(step);
    if (what == "counts") return Counts(step);
    if (what == "connect" || what == "disconnect") {
      std::uint32_t open = what == "connect" ? 1 : 0;
      if (step.words.size() > 2) open = static_cast<std::uint32_t>(std::stoul(step.words[2]));
      return engine_->OnConnection({{EntityOf(name), name}, time, open});
    }
    if (what == "all-disconnected") return engine_->OnAllDisconnected(time);
    if (what == "restart") return Restore(step.line);
    if (what == "silent-until") {
      silent_until_ = ParseTime(name).value_or(0);
      return;
    }
    if (what == "step") return Step_(step);
    if (what == "false-positive") return FalsePositive(step);
    if (what == "expect") return Expect(step);
    if (what == "training") return Training(step);
    Fail(step.line, "unknown directive " + what);
  }

  /// The wall clock steps; times in the scenario go on as the edge stamps them.
  void Step_(const Step& step) {
    std::int64_t by = std::stoll(step.words[1]) * 1000;
    engine_->OnClockStep(by, At(step.time_ms + by));
    now_ = step.time_ms + by;
  }

  /// The last alarm of the behavior, or the last but so many, was a false one.
  void FalsePositive(const Step& step) {
    int earlier = step.words.size() > 3 ? std::stoi(step.words[3]) : 0;
    for (auto at = sink_.decisions.rbegin(); at != sink_.decisions.rend(); ++at) {
      if (at->event.thing_name.value() != step.words[1]) continue;
      if (at->event.profile.value() + "/" + at->event.behavior.name.value() != step.words[2]) continue;
      if (at->event.type != model::ViolationEventType::kInAlarm || earlier-- > 0) continue;
      if (!engine_->OnVerification(EntityOf(step.words[1]), at->event.violation_id,
                                   model::VerificationState::kFalsePositive)) {
        Fail(step.line, "nobody took notice");
      }
      return;
    }
    Fail(step.line, "there was no alarm");
  }

  void SetProfile(const Step& step) {
    ProfileConfig config;
    auto parsed = model::ParseSecurityProfile("{\"securityProfileName\":\"" + step.words[1] + "\",\"behaviors\":[" +
                                              step.rest + "]}");
    if (!parsed.ok()) return Fail(step.line, parsed.error().message());
    config.profile = std::move(*parsed);
    for (const std::string& word : step.words) {
      if (word.starts_with("version=")) config.profile.version = std::stoll(word.substr(8));
      if (word.starts_with("target=")) config.targets.push_back(TargetOf(word.substr(7)));
    }
    auto before = profiles_.find(step.words[1]);
    config.definition_versions =
        before == profiles_.end()
            ? std::vector<std::int64_t>(config.profile.behaviors.size(), config.profile.version)
            : NextDefinitionVersions(before->second.profile, before->second.definition_versions, config.profile);
    profiles_[step.words[1]] = config;
    engine_->SetProfile(config, At(step.time_ms));
  }

  static model::ProfileTarget TargetOf(const std::string& text) {
    using Kind = model::ProfileTarget::Kind;
    if (text == "registered") return {Kind::kAllRegistered, {}};
    if (text == "unregistered") return {Kind::kAllUnregistered, {}};
    if (text.starts_with("group:")) return {Kind::kThingGroup, model::ThingGroupName(text.substr(6))};
    return {Kind::kAllThings, {}};
  }

  void SetCustom(const Step& step) {
    auto type = model::ParseCustomMetricType(step.words.size() > 2 ? step.words[2] : "");
    if (!type) return Fail(step.line, "unknown type of custom metric");
    customs_[step.words[1]] = *type;
    engine_->SetCustomMetric({model::CustomMetricName(step.words[1]), next_custom_++, *type}, At(step.time_ms));
  }

  void SetThing(const Step& step) {
    ThingConfig config{EntityOf(step.words[1]), model::ThingName(step.words[1]), true, {}};
    for (const std::string& word : step.words) {
      if (!word.starts_with("groups=")) continue;
      for (const std::string& group : Split(word.substr(7), ',')) config.groups.emplace_back(group);
    }
    engine_->SetThing(config, At(step.time_ms));
  }

  void Report(const Step& step) {
    report::MetricReport report;
    ReportEvent event{{EntityOf(step.words[1]), step.words[1]}, At(step.time_ms), &report};
    std::optional<std::uint64_t> id;
    std::string body;
    for (std::size_t i = 2; i < step.words.size(); ++i) {
      const std::string& word = step.words[i];
      std::size_t equals = word.find('=');
      if (word == "late") event.late = true;
      if (word == "spooled") event.spooled = true;
      if (word == "gap") event.gap = true;
      if (word.starts_with("id=")) id = std::stoull(word.substr(3));
      if (word.starts_with("at=")) event.time = At(ParseTime(word.substr(3)).value_or(0));
      else if (equals != std::string::npos && !word.starts_with("id=")) {
        body += word + ' ';
        Fill(report, word.substr(0, equals), word.substr(equals + 1), step.line);
      }
    }
    if (id && !Admit(event, *id, body)) return;
    engine_->OnReport(event);
  }

  /// What ingest asks before a report gets to the engine (D14, D15).
  bool Admit(const ReportEvent& event, std::uint64_t id, const std::string& body) {
    ReportAdmission& admission = admissions_[std::string(event.thing.name)];
    if (restart_each_) {
      std::string bytes;
      ByteWriter out(bytes);
      admission.Save(out);
      ReportAdmission loaded;
      ByteReader in(bytes);
      if (loaded.Load(in)) admission = std::move(loaded);
    }
    return admission.Decide(admission_options_, event.time, id, std::hash<std::string>()(body), event.spooled) ==
           Admission::kAccept;
  }

  void Fill(report::MetricReport& report, const std::string& key, const std::string& value, int line) {
    auto number = [&] { return std::stoll(value); };
    if (key == "bytes-in") report.network.bytes_in = number();
    else if (key == "bytes-out") report.network.bytes_out = number();
    else if (key == "packets-in") report.network.packets_in = number();
    else if (key == "packets-out") report.network.packets_out = number();
    else if (key == "tcp-total") report.tcp.total = number();
    else if (key == "udp-total") report.udp.total = number();
    else if (key == "established") report.connections.total = number();
    else if (key == "tcp" || key == "udp") {
      report::PortList& list = key == "tcp" ? report.tcp : report.udp;
      list.listed = true;
      for (const std::string& port : Split(value, ',')) list.Add(static_cast<std::uint16_t>(std::stoi(port)));
      list.Finish();
    } else if (key == "remote") {
      report.connections.listed = true;
      for (const std::string& text : Split(value, ',')) {
        report.connections.remotes.push_back({model::IpAddress::Parse(text).value_or(model::IpAddress()), 443});
      }
    } else if (key.starts_with("numbers:") || key.starts_with("number:") || key.starts_with("strings:") ||
               key.starts_with("ips:")) {
      FillCustom(report.custom, key, value);
    } else {
      Fail(line, "unknown part of a report: " + key);
    }
  }

  static void FillCustom(report::CustomMetrics& custom, const std::string& key, const std::string& value) {
    std::string kind = key.substr(0, key.find(':')), name = key.substr(key.find(':') + 1);
    using Type = model::CustomMetricType;
    Type type = kind == "number"    ? Type::kNumber
                : kind == "numbers" ? Type::kNumberList
                : kind == "strings" ? Type::kStringList
                                    : Type::kIpAddressList;
    custom.Begin(name, type);
    for (const std::string& part : Split(value, ',')) {
      if (type == Type::kStringList) custom.AddString(part);
      else if (type == Type::kIpAddressList) custom.AddAddress(*model::IpPrefix::Parse(part));
      else custom.AddNumber(std::stod(part));
    }
  }

  void Counts(const Step& step) {
    std::int64_t bucket = std::int64_t{options_.bucket_seconds} * 1000;
    CountsEvent event{{EntityOf(step.words[1]), step.words[1]}, At(step.time_ms / bucket * bucket), At(step.time_ms)};
    std::deque<Addresses> lists(1);   // what the deltas' spans show
    std::map<std::pair<std::string, model::DimensionOperator>, std::pair<CounterDeltas, Addresses*>> parts;
    for (std::size_t i = 2; i < step.words.size(); ++i) {
      const std::string& word = step.words[i];
      if (word == "connected") event.connected = true;
      std::size_t equals = word.find('=');
      if (equals == std::string::npos) continue;
      std::string key = word.substr(0, equals), value = word.substr(equals + 1);
      if (key == "bucket") {
        event.bucket = At(ParseTime(value).value_or(0));
      } else if (key.starts_with("in:") || key.starts_with("not-in:")) {
        // in:DIM=5 is in:DIM.sent=5
        std::size_t colon = key.find(':'), dot = std::min(key.find('.'), key.size());
        auto op = colon == 2 ? model::DimensionOperator::kIn : model::DimensionOperator::kNotIn;
        auto& part = parts[{key.substr(colon + 1, dot - colon - 1), op}];
        if (!part.second) part.second = &lists.emplace_back();
        Count(part.first, *part.second, dot == key.size() ? "sent" : key.substr(dot + 1), value, step.line);
      } else {
        Count(event.deltas, lists.front(), key, value, step.line);
      }
    }
    event.deltas.source_ips = lists.front();
    std::vector<DimensionDeltas> dimensions;
    for (auto& [key, part] : parts) {
      part.first.source_ips = *part.second;
      dimensions.push_back({key.first, key.second, part.first});
    }
    event.dimensions = dimensions;
    engine_->OnCounts(event);
  }

  void Count(CounterDeltas& deltas, Addresses& ips, const std::string& key, const std::string& value, int line) {
    if (key == "ip") {
      for (const std::string& text : Split(value, ',')) ips.push_back(*model::IpAddress::Parse(text));
      return;
    }
    std::map<std::string, std::uint64_t*> members = {
        {"sent", &deltas.messages_sent},       {"bytes", &deltas.bytes_sent},
        {"max", &deltas.max_message_bytes},    {"min", &deltas.min_message_bytes},
        {"received", &deltas.messages_received}, {"auth-failures", &deltas.authorization_failures},
        {"attempts", &deltas.connection_attempts}, {"disconnects", &deltas.disconnects}};
    auto at = members.find(key);
    if (at == members.end()) return Fail(line, "unknown counter " + key);
    *at->second = std::stoull(value);
  }

  /// An expectation has looked at the behavior: with its alarm on, or off after that.
  void Cover(const model::Behavior& behavior, bool on, bool off) {
    auto at = std::find_if(outcome_.covered.begin(), outcome_.covered.end(),
                           [&](const CoveredBehavior& known) { return known.behavior.SameDefinition(behavior); });
    if (at == outcome_.covered.end()) {
      CoveredBehavior fresh{behavior, std::nullopt};
      auto custom = behavior.metric ? customs_.find(*behavior.metric) : customs_.end();
      if (custom != customs_.end()) fresh.custom = custom->second;
      at = outcome_.covered.insert(at, std::move(fresh));
    }
    at->raised |= on;
    at->cleared |= off && at->raised;
  }

  /// T expect THING PROFILE/BEHAVIOR alarm|ok|absent ["verdict"]
  void Expect(const Step& step) {
    ++outcome_.checks;
    if (step.words.size() < 4) return Fail(step.line, "expect THING PROFILE/BEHAVIOR STATE [verdict]");
    std::string state = "absent", verdict, why;
    std::optional<model::Behavior> found;
    for (const BehaviorExplanation& e : engine_->Explain(EntityOf(step.words[1]))) {
      if (e.profile.value() + "/" + e.behavior.name.value() != step.words[2]) continue;
      state = e.in_alarm ? "alarm" : "ok";
      verdict = VerdictName(e.verdict);
      why = e.why;
      found = e.behavior;
      if (e.why.empty()) Fail(step.line, "no explanation");
    }
    if (found) Cover(*found, state == "alarm", state == "ok");
    if (state != step.words[3]) Fail(step.line, "state is " + state + " (" + verdict + "), not " + step.words[3] + ": " + why);
    std::string wanted;
    for (std::size_t i = 4; i < step.words.size(); ++i) wanted += (i > 4 ? " " : "") + step.words[i];
    if (!wanted.empty() && wanted != verdict) Fail(step.line, "verdict is " + verdict + ", not " + wanted);
  }

  /// T training PROFILE/BEHAVIOR pending|active|expired PERCENT
  void Training(const Step& step) {
    ++outcome_.checks;
    if (step.words.size() < 4) return Fail(step.line, "training PROFILE/BEHAVIOR STATE PERCENT");
    std::string got = "none";
    for (const TrainingSummary& summary : engine_->TrainingSummaries()) {
      if (summary.profile.value() + "/" + summary.behavior.value() != step.words[1]) continue;
      static constexpr const char* kStates[] = {"pending", "active", "expired"};
      got = kStates[static_cast<std::size_t>(summary.status)];
      got += ' ' + std::to_string(static_cast<int>(summary.collected_percent));
    }
    if (got != step.words[2] + ' ' + step.words[3]) Fail(step.line, "training is " + got);
  }

  /// events THING PROFILE/BEHAVIOR type@T[=value] …
  void CheckEvents(const Step& step) {
    ++outcome_.checks;
    if (step.words.size() < 3) return Fail(step.line, "events THING PROFILE/BEHAVIOR type@T …");
    std::vector<std::string> got;
    for (const Decision& d : sink_.decisions) {
      if (d.event.thing_name.value() != step.words[1]) continue;
      if (d.event.profile.value() + "/" + d.event.behavior.name.value() != step.words[2]) continue;
      Cover(d.event.behavior, d.event.type == model::ViolationEventType::kInAlarm,
            d.event.type == model::ViolationEventType::kAlarmCleared);
      std::string_view type = model::ViolationEventTypeName(d.event.type);
      type.remove_prefix(type.find('-') + 1);
      got.push_back((d.event.type == model::ViolationEventType::kInAlarm ? "in-alarm" : std::string(type)) + "@" +
                    TimeText(ToMillis(d.event.time) - kBaseMs));
    }
    std::vector<std::string> wanted(step.words.begin() + 3, step.words.end());
    if (got == wanted) return;
    std::string text = "events are";
    for (const std::string& event : got) text += " " + event;
    Fail(step.line, text);
  }

  bool restart_each_;
  Options options_;
  RecordingSink sink_;
  std::unique_ptr<Engine> engine_;
  ScenarioOutcome outcome_;
  AdmissionOptions admission_options_{0, 2};
  std::map<std::string, ReportAdmission> admissions_;   // of things whose reports have ids
  std::map<std::string, ProfileConfig> profiles_;
  std::map<std::string, model::CustomMetricType> customs_;
  model::MetricId next_custom_ = model::kFirstCustomMetric;
  std::int64_t now_ = 0, silent_until_ = 0;
};

}  // namespace

ScenarioOutcome RunScenario(std::string_view text, bool restart_each) { return Runner(restart_each).Run(text); }

}  // namespace fleetward::detect
