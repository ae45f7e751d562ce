// Pages of lists. A page's position is the store's own key, so it survives writes in between; the API wraps it into
// an opaque, authenticated token.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace fleetward::registry {

struct PageRequest {
  std::string after;        // Page::next of the previous page; empty for the first
  std::size_t limit = 25;   // at least 1
  bool descending = false;  // only where a list says so
};

template <class T>
struct Page {
  std::vector<T> items;
  std::string next;  // empty on the last page
};

}  // namespace fleetward::registry
