// A policy document, compiled and asked; and the same bytes taken for a compiled body.
#include "fleetward/policy/document.h"
#include "fleetward/policy/evaluate.h"

using namespace fleetward::policy;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Facts facts;
  facts.region = "us-east-1";
  facts.account_id = "123456789012";
  facts.client_id = "dev1";
  facts.thing_name = "dev1";
  facts.source_ip = fleetward::model::IpAddress::Parse("192.0.2.1");
  facts.now = fleetward::FromMillis(1'795'000'000'000);
  PolicyRef raw{"raw", text};
  for (Action action : {Action::kPublish, Action::kSubscribe}) (void)Decide({&raw, 1}, facts, action, "a/b");
  auto policy = CompilePolicy("p", text);
  if (!policy.ok()) return 0;
  PolicyRef ref{policy->name, policy->body};
  for (Action action : {Action::kConnect, Action::kPublish, Action::kSubscribe, Action::kReceive}) {
    Decision decision = Decide({&ref, 1}, facts, action, "a/b");
    if (Explain({&ref, 1}, facts, action, "a/b").decision != decision) __builtin_trap();
  }
  return 0;
}
