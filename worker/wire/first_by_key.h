#ifndef PADDOCK_WORKER_WIRE_FIRST_BY_KEY_H_
#define PADDOCK_WORKER_WIRE_FIRST_BY_KEY_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "google/protobuf/map.h"

namespace paddock {

using StringMap = google::protobuf::Map<std::string, std::string>;

// At most `most` entries of `map`, the first by key and in that order, so that
// equal requests get equal answers. A map that is too large costs but a look at
// each entry. They live as long as `map` does.
inline std::vector<const StringMap::value_type*> FirstByKey(
    const StringMap& map, size_t most) {
  std::vector<const StringMap::value_type*> entries;
  entries.reserve(map.size());
  for (const StringMap::value_type& entry : map) entries.push_back(&entry);
  const auto end = entries.begin() + std::min(entries.size(), most);
  std::partial_sort(
      entries.begin(), end, entries.end(),
      [](const auto* a, const auto* b) { return a->first < b->first; });
  entries.erase(end, entries.end());
  return entries;
}

}  // namespace paddock

#endif  // PADDOCK_WORKER_WIRE_FIRST_BY_KEY_H_
