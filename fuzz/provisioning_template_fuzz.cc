// Provisioning templates with their parameters: the first line gives the value of every parameter, the rest is the body.
#include <cstdint>
#include <string_view>

#include "fleetward/registry/provisioning_template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t line = text.find('\n');
  std::string value(text.substr(0, line));
  std::string_view body = line == std::string_view::npos ? text : text.substr(line + 1);
  auto plan = fleetward::registry::ResolveTemplate(body, {{"ThingName", value}, {"P", value}, {"CSR", value}});
  if (plan.ok() && plan->thing && plan->thing->name.size() > 64 * 1024) __builtin_trap();
  return 0;
}
