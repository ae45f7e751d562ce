#include "fleetward/api/handlers/sts.h"
#include "fleetward/api/sts/sts.h"

namespace fleetward::api {

// An access key has no user behind it: the key's id stands for both.
void RegisterStsHandlers(Router& router) {
  router.Handle<sts::GetCallerIdentity>(
      [](const CallContext& context, const sts::GetCallerIdentityRequest&) -> Result<sts::GetCallerIdentityResponse> {
        if (!context.principal) return Error(Code::kUnauthenticated, "The call is not signed");
        const std::string& key = context.principal->access_key_id;
        const std::string& account = context.account();
        return sts::GetCallerIdentityResponse{key, account, "arn:aws:iam::" + account + ":user/" + key};
      });
}

}  // namespace fleetward::api
