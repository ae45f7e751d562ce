// JSON bodies into the generated readers. A behavior that is read must be written and read again unchanged.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fleetward/api/codec/json.h"
#include "fleetward/api/iot/account.h"
#include "fleetward/api/iot/audit.h"
#include "fleetward/api/iot/detect.h"
#include "fleetward/api/iot/index.h"
#include "fleetward/api/iot/mitigation.h"
#include "fleetward/api/iot/policies.h"
#include "fleetward/api/iot/things.h"

namespace {

using namespace fleetward::api;

template <class Operation>
void Parse(const RequestParts& parts) {
  typename Operation::Request request;
  (void)Operation::ParseRequest(parts, request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  RequestParts parts;
  parts.labels = {{"securityProfileName", "p"}, {"thingName", "t"}, {"actionName", "a"}};
  parts.body = body;
  Parse<iot::CreateSecurityProfile>(parts);
  Parse<iot::ValidateSecurityProfileBehaviors>(parts);
  Parse<iot::UpdateAccountAuditConfiguration>(parts);
  Parse<iot::CreateMitigationAction>(parts);
  Parse<iot::StartDetectMitigationActionsTask>(parts);
  Parse<iot::CreateThing>(parts);
  Parse<iot::TestAuthorization>(parts);
  Parse<iot::UpdateIndexingConfiguration>(parts);
  Parse<iot::SetLoggingOptions>(parts);
  auto behavior = FromJsonText<iot::Behavior>(body);
  if (!behavior.ok()) return 0;
  auto again = FromJsonText<iot::Behavior>(ToJsonText(*behavior));
  if (!again.ok() || ToJsonText(*again) != ToJsonText(*behavior)) std::abort();
  return 0;
}
