#include "fleetward/base/error.h"

#include <cerrno>
#include <cstring>

namespace fleetward {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return "invalid-argument";
    case Code::kNotFound: return "not-found";
    case Code::kAlreadyExists: return "already-exists";
    case Code::kDeleteConflict: return "delete-conflict";
    case Code::kVersionConflict: return "version-conflict";
    case Code::kVersionsLimitExceeded: return "versions-limit-exceeded";
    case Code::kLimitExceeded: return "limit-exceeded";
    case Code::kConflict: return "conflict";
    case Code::kMalformedPolicy: return "malformed-policy";
    case Code::kCertificateInvalid: return "certificate-invalid";
    case Code::kCertificateConflict: return "certificate-conflict";
    case Code::kCertificateState: return "certificate-state";
    case Code::kRegistrationCodeInvalid: return "registration-code-invalid";
    case Code::kTransferConflict: return "transfer-conflict";
    case Code::kTransferCompleted: return "transfer-completed";
    case Code::kInvalidState: return "invalid-state";
    case Code::kNotConfigured: return "not-configured";
    case Code::kTaskAlreadyExists: return "task-already-exists";
    case Code::kIndexNotReady: return "index-not-ready";
    case Code::kInvalidQuery: return "invalid-query";
    case Code::kInvalidAggregation: return "invalid-aggregation";
    case Code::kUnauthenticated: return "unauthenticated";
    case Code::kPermissionDenied: return "permission-denied";
    case Code::kThrottled: return "throttled";
    case Code::kNotOffered: return "not-offered";
    case Code::kUnavailable: return "unavailable";
    case Code::kTimeout: return "timeout";
    case Code::kIo: return "io";
    case Code::kCorrupt: return "corrupt";
    case Code::kInternal: return "internal";
  }
  return "unknown";
}

Error Error::Prefixed(std::string_view doing) && {
  message_ = std::string(doing) + ": " + message_;
  return std::move(*this);
}

Error Error::WithDetail(std::string detail) && {
  detail_ = std::move(detail);
  return std::move(*this);
}

Error Error::WithField(std::string key, std::string value) && {
  fields_.insert_or_assign(std::move(key), std::move(value));
  return std::move(*this);
}

std::string Error::ToString() const {
  std::string text(CodeName(code_));
  text += ": " + message_;
  if (!detail_.empty()) text += " (" + detail_ + ")";
  return text;
}

Error ErrnoError(int err, std::string_view doing) {
  Code code = err == ENOSPC || err == EDQUOT || err == EFBIG ? Code::kUnavailable : Code::kIo;
  return Error(code, std::string(doing) + ": " + std::strerror(err));
}

}  // namespace fleetward
