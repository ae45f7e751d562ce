#include "info_log.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <string_view>

#include "fleetward/base/log.h"

namespace fleetward::store {
namespace {

class InfoLog : public rocksdb::Logger {
 public:
  InfoLog() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char*, va_list) override {}  // headers
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < GetInfoLogLevel() || level == rocksdb::InfoLogLevel::HEADER_LEVEL) return;
    char line[1024];
    int size = std::vsnprintf(line, sizeof line, format, arguments);
    if (size <= 0) return;
    std::string_view text(line, std::min(static_cast<std::size_t>(size), sizeof line - 1));
    while (text.ends_with('\n')) text.remove_suffix(1);
    level >= rocksdb::InfoLogLevel::ERROR_LEVEL ? log::Warning("store.rocksdb", {{"line", text}})
                                                : log::Debug("store.rocksdb", {{"line", text}});
  }
};

}  // namespace

std::shared_ptr<rocksdb::Logger> MakeInfoLog() { return std::make_shared<InfoLog>(); }

}  // namespace fleetward::store
