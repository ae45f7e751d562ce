#include "fleetward/store/block_store.h"

namespace fleetward::store {

Status BlockStore::Scan(FamilyId family, std::string_view from, std::string_view until,
                        const std::function<bool(std::string_view, std::string_view)>& fn) const {
  std::unique_ptr<View> view = NewView();
  std::unique_ptr<Cursor> cursor = view->NewCursor(family, until);
  for (cursor->Seek(from); cursor->Valid(); cursor->Next()) {
    if (!fn(cursor->key(), cursor->value())) return {};
  }
  return cursor->status();
}

}  // namespace fleetward::store
