#include "testing/notation.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace fleetward::detect {
namespace {

bool IsDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

/// "dev#50" stands for dev1 to dev50, "{a,b}" for a and b: the line is repeated for each.
std::vector<std::string> Expand(const std::string& line) {
  std::vector<std::string> choices;
  std::size_t begin = line.find_first_of("#{");
  if (begin == std::string::npos) return {line};
  std::size_t end = begin + 1;
  if (line[begin] == '#') {
    while (end < line.size() && IsDigit(line[end])) ++end;
    int count = std::stoi(line.substr(begin + 1, end - begin - 1));
    for (int i = 1; i <= count; ++i) choices.push_back(std::to_string(i));
  } else {
    end = std::min(line.find('}', begin), line.size() - 1) + 1;
    choices = Split(std::string_view(line).substr(begin + 1, end - begin - 2), ',');
  }
  std::vector<std::string> all;
  for (const std::string& choice : choices) {
    for (std::string& each : Expand(line.substr(0, begin) + choice + line.substr(end))) all.push_back(std::move(each));
  }
  return all;
}

/// "each a,b {…$…}," as two behaviors, with a and b for each $.
std::string ExpandBehaviors(const std::string& line) {
  std::size_t mark = line.find("each "), json = line.find('{');
  if (mark == std::string::npos || mark > json) return line;
  std::string names = line.substr(mark + 5, line.find(' ', mark + 5) - mark - 5);
  std::size_t end = line.rfind('}') + 1;
  std::string all;
  for (const std::string& name : Split(names, ',')) {
    if (!all.empty()) all += ',';
    for (char c : line.substr(json, end - json)) c == '$' ? all += name : all += c;
  }
  return all + line.substr(end);
}

/// A value that lies within `spread` of the middle, scattered, and the same in every run.
std::int64_t Scattered(std::int64_t middle, std::int64_t spread, std::int64_t index) {
  auto x = static_cast<std::uint64_t>(index + 1) * 0x9e3779b97f4a7c15ULL;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
  return middle - spread + static_cast<std::int64_t>((x >> 33) % static_cast<std::uint64_t>(2 * spread + 1));
}

class Reader {
 public:
  ScenarioScript Read(std::string_view text) {
    int number = 0;
    ScenarioStep* last = nullptr;
    for (std::size_t begin = 0; begin < text.size();) {
      std::size_t end = std::min(text.find('\n', begin), text.size());
      std::string line = WithoutComment(std::string(text.substr(begin, end - begin)));
      begin = end + 1;
      ++number;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      if (line[0] == ' ' && last) {
        last->rest += ExpandBehaviors(line);
        continue;
      }
      for (const std::string& each : Expand(line)) last = ReadLine(number, Split(each, ' '));
    }
    std::stable_sort(script_.steps.begin(), script_.steps.end(),
                     [](const ScenarioStep& a, const ScenarioStep& b) { return a.time_ms < b.time_ms; });
    return std::move(script_);
  }

 private:
  static std::string WithoutComment(std::string line) {
    if (!line.empty() && line[0] == '#') return "";
    for (std::size_t hash = line.find('#'); hash != std::string::npos; hash = line.find('#', hash + 1)) {
      if (hash + 1 >= line.size() || !IsDigit(line[hash + 1])) line.resize(hash);
    }
    return line;
  }

  void Fault(int line, const std::string& what) {
    script_.faults.push_back("line " + std::to_string(line) + ": " + what);
  }

  ScenarioStep* ReadLine(int number, std::vector<std::string> words) {
    if (words[0] == "options") {
      script_.options = std::move(words);
      return nullptr;
    }
    if (words[0] == "events") {
      script_.final.push_back({0, number, std::move(words), {}});
      return nullptr;
    }
    if (words[0] == "reports" || words[0] == "counts-series") {
      ReadSeries(number, words);
      return nullptr;
    }
    auto time = ParseTime(words[0]);
    if (!time || words.size() < 2) {
      Fault(number, "neither a time nor a directive: " + words[0]);
      return nullptr;
    }
    words.erase(words.begin());
    script_.steps.push_back({*time, number, std::move(words), {}});
    return &script_.steps.back();
  }

  /// reports THING from T every S[,S…] KEY[,KEY|,KEY=C…] v v _ v*N v~D*N …
  void ReadSeries(int number, const std::vector<std::string>& words) {
    std::int64_t time_ms = words.size() > 7 ? ParseTime(words[3]).value_or(-1) : -1;
    std::vector<std::int64_t> every;
    for (const std::string& part : Split(words.size() > 7 ? words[5] : "", ',')) {
      if (auto step = ParseTime(part)) every.push_back(*step);
    }
    if (time_ms < 0 || every.empty()) return Fault(number, "a series is: reports THING from T every S KEY v v …");
    std::int64_t index = 0;
    for (std::size_t i = 7; i < words.size(); ++i) {
      std::string value = words[i];
      std::int64_t times = 1, spread = 0;
      if (std::size_t x = value.find('*'); x != std::string::npos) {
        times = std::stoll(value.substr(x + 1));
        value.resize(x);
      }
      if (std::size_t x = value.find('~'); x != std::string::npos) {
        spread = std::stoll(value.substr(x + 1));
        value.resize(x);
      }
      for (; times > 0; --times, ++index) {
        std::string now = spread == 0 ? value : std::to_string(Scattered(std::stoll(value), spread, index));
        if (value != "_") Emit(number, time_ms, words, now);
        time_ms += every[static_cast<std::size_t>(index) % every.size()];
      }
    }
  }

  void Emit(int number, std::int64_t time_ms, const std::vector<std::string>& words, const std::string& value) {
    bool report = words[0] == "reports";
    ScenarioStep step{time_ms, number, {report ? "report" : "counts", words[1]}, {}};
    for (const std::string& key : Split(words[6], ',')) {
      step.words.push_back(key.find('=') == std::string::npos ? key + "=" + value : key);
    }
    if (!report) step.words.push_back("connected");
    script_.steps.push_back(std::move(step));
  }

  ScenarioScript script_;
};

}  // namespace

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    std::size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::optional<std::int64_t> ParseTime(std::string_view text) {
  double total = 0;
  for (const std::string& part : Split(text, ':')) {
    double value = 0;
    auto [end, fault] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (fault != std::errc() || end != part.data() + part.size()) return std::nullopt;
    total = total * 60 + value;
  }
  if (text.empty()) return std::nullopt;
  return static_cast<std::int64_t>(total * 1000 + 0.5);
}

ScenarioScript ReadScenario(std::string_view text) { return Reader().Read(text); }

}  // namespace fleetward::detect
