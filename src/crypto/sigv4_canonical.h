// The canonical pieces of a call. Private.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleetward/crypto/sigv4.h"

namespace fleetward::crypto {

std::string_view PathOf(std::string_view target);
std::string_view QueryOf(std::string_view target);
std::string LowerCase(std::string_view text);

/// Members of a raw query string, undecoded.
std::vector<std::pair<std::string_view, std::string_view>> SplitQuery(std::string_view query);

/// D26: dot and empty segments removed, each segment encoded once more.
std::string CanonicalPath(std::string_view path);
/// Re-encoded and sorted; X-Amz-Signature left out.
std::string CanonicalQuery(std::string_view query);
/// Values of one header, trimmed, inner runs of blanks made one, joined by commas. `name` in lower case.
std::string CanonicalHeaderValue(const HttpCall& call, std::string_view name);
/// How often a header occurs.
std::size_t CountHeader(const HttpCall& call, std::string_view name);

}  // namespace fleetward::crypto
