// The schema's versions.
#pragma once

#include "connection.h"
#include "fleetward/base/time.h"

namespace fleetward::store::sqlite {

/// Brings the database to this release's schema, one transaction per version, each noted in `migrations`.
/// kInvalidState when it was written by a newer release.
Status Migrate(Connection& connection, Timestamp now);

}  // namespace fleetward::store::sqlite
