// Whether a file may be believed: only root and the agent's own user can have changed it (threats.md j).
#pragma once

#include <string>

#include "fleetward/base/result.h"

namespace fleetward::agent {

/// Follows symbolic links, then looks at the file and at every folder above it. Sticky folders such as /tmp are fine:
/// nobody can replace another's file there. Errors: kPermissionDenied naming what is open, kNotFound, kIo.
Status CheckTrusted(const std::string& path);

}  // namespace fleetward::agent
