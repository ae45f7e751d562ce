#include "limited_file_system.h"

#include <rocksdb/file_system.h>

#include <string>

namespace fleetward::store {
namespace {

rocksdb::IOStatus Translate(rocksdb::IOStatus status) {
  if (status.ok() || status.ToString().find("File too large") == std::string::npos) return status;
  return rocksdb::IOStatus::NoSpace(status.ToString());
}

class LimitAwareFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* context) override {
    return Translate(target()->Append(data, options, context));
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& info, rocksdb::IODebugContext* context) override {
    return Translate(target()->Append(data, options, info, context));
  }
  rocksdb::IOStatus Truncate(std::uint64_t size, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* context) override {
    return Translate(target()->Truncate(size, options, context));
  }
};

class LimitAwareFileSystem : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "FleetwardLimitAware"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* context) override {
    rocksdb::IOStatus status = target()->NewWritableFile(path, options, result, context);
    if (status.ok()) *result = std::make_unique<LimitAwareFile>(std::move(*result));
    return status;
  }
};

}  // namespace

std::unique_ptr<rocksdb::Env> MakeLimitAwareEnv() {
  return rocksdb::NewCompositeEnv(std::make_shared<LimitAwareFileSystem>(rocksdb::FileSystem::Default()));
}

}  // namespace fleetward::store
