#include "collectors/replay/replay_collector.h"

#include <charconv>

namespace fleetward::agent {
namespace {

std::string_view Cut(std::string_view& text, char separator) {
  std::size_t at = text.find(separator);
  std::string_view part = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return part;
}

template <class Value>
bool Parse(std::string_view text, Value& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool ParsePorts(std::string_view list, std::vector<std::uint16_t>& ports) {
  while (!list.empty()) {
    std::uint16_t port = 0;
    if (!Parse(Cut(list, ','), port)) return false;
    SocketTable::AddPort(ports, port);
  }
  return true;
}

bool ParseConnections(std::string_view list, SocketTable& table) {
  while (!list.empty()) {
    std::string_view text = Cut(list, ',');
    std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return false;
    std::string_view host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    auto address = model::IpAddress::Parse(host);
    std::uint16_t port = 0;
    if (!address || !Parse(text.substr(colon + 1), port)) return false;
    table.AddConnection({*address, port});
  }
  return true;
}

bool ParseInterfaces(std::string_view list, std::vector<InterfaceCounters>& interfaces) {
  while (!list.empty()) {
    std::string_view text = Cut(list, ',');
    InterfaceCounters one;
    one.name = Cut(text, ':');
    for (std::uint64_t* value : {&one.bytes_in, &one.packets_in, &one.bytes_out, &one.packets_out}) {
      if (!Parse(Cut(text, ':'), *value)) return false;
    }
    interfaces.push_back(std::move(one));
  }
  return true;
}

bool ParseSample(std::string_view line, ReplayCollector::Sample& sample) {
  while (!line.empty()) {
    std::string_view word = Cut(line, ' ');
    if (word.empty()) continue;
    std::string_view key = Cut(word, '=');
    bool good = key == "tcp"    ? ParsePorts(word, sample.sockets.tcp_listening)
                : key == "udp"  ? ParsePorts(word, sample.sockets.udp_listening)
                : key == "conn" ? ParseConnections(word, sample.sockets)
                : key == "net"  ? ParseInterfaces(word, sample.interfaces)
                                : false;
    if (!good) return false;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<ReplayCollector>> ReplayCollector::Parse(std::string_view text) {
  std::vector<Sample> samples;
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = Cut(text, '\n');
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(' ') == std::string_view::npos) continue;
    if (!ParseSample(line, samples.emplace_back())) {
      return Error(Code::kInvalidArgument, "line " + std::to_string(number) + " of the recording makes no sense");
    }
  }
  if (samples.empty()) return Error(Code::kInvalidArgument, "the recording holds no sample");
  return std::unique_ptr<ReplayCollector>(new ReplayCollector(std::move(samples)));
}

Status ReplayCollector::Sockets(SocketTable& table) {
  table = samples_[next_].sockets;
  return {};
}

Status ReplayCollector::Interfaces(std::vector<InterfaceCounters>& interfaces) {
  interfaces = samples_[next_].interfaces;
  if (next_ + 1 < samples_.size()) ++next_;
  return {};
}

}  // namespace fleetward::agent
