#include "fleetward/api/core/operator_log.h"

#include "fleetward/base/log.h"

namespace fleetward::api {

void LineOperatorLog::Record(const OperatorEntry& entry) {
  log::Write(log::Level::kInfo, "operator",
             {{"key", entry.access_key_id},
              {"role", entry.role},
              {"from", entry.remote_address},
              {"operation", entry.service + ":" + entry.operation},
              {"target", entry.target},
              {"status", entry.status},
              {"exception", entry.exception},
              {"request", entry.request_id}});
}

}  // namespace fleetward::api
