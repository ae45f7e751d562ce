// The one error type. Expected failure is a value; exceptions are for exhaustion, assertions for programmers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace fleetward {

/// What went wrong, independent of any protocol. The API's one table (src/api/errors.cc) maps a code to the
/// service's exception name and HTTP status (reference: core.md §2). Values are never written to disk or wire.
enum class Code : std::uint8_t {
  kInvalidArgument,         // InvalidRequestException
  kNotFound,                // ResourceNotFoundException
  kAlreadyExists,           // ResourceAlreadyExistsException
  kDeleteConflict,          // DeleteConflictException
  kVersionConflict,         // VersionConflictException
  kVersionsLimitExceeded,   // VersionsLimitExceededException
  kLimitExceeded,           // LimitExceededException
  kConflict,                // ConflictException, ConflictingResourceUpdateException
  kMalformedPolicy,         // MalformedPolicyException
  kCertificateInvalid,      // CertificateValidationException
  kCertificateConflict,     // CertificateConflictException
  kCertificateState,        // CertificateStateException
  kRegistrationCodeInvalid, // RegistrationCodeValidationException
  kTransferConflict,        // TransferConflictException
  kTransferCompleted,       // TransferAlreadyCompletedException
  kInvalidState,            // InvalidStateTransitionException
  kNotConfigured,           // NotConfiguredException
  kTaskAlreadyExists,       // TaskAlreadyExistsException
  kIndexNotReady,           // IndexNotReadyException
  kInvalidQuery,            // InvalidQueryException
  kInvalidAggregation,      // InvalidAggregationException
  kUnauthenticated,         // UnrecognizedClientException and friends
  kPermissionDenied,        // AccessDeniedException
  kThrottled,               // ThrottlingException
  kNotOffered,              // an operation of the model that is not offered (yet)
  kUnavailable,             // ServiceUnavailableException: try again
  kTimeout,
  kIo,
  kCorrupt,                 // stored or received bytes do not make sense
  kInternal,                // InternalFailureException
};

std::string_view CodeName(Code code);

/// A failure: a code, a message the caller may see, a detail for the log alone, and fields some API errors carry
/// (`resourceId`, `resourceArn`).
class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& detail() const { return detail_; }
  const std::map<std::string, std::string>& fields() const { return fields_; }

  /// Puts what the caller was doing in front: "opening the store: no space left on device".
  Error Prefixed(std::string_view doing) &&;
  Error WithDetail(std::string detail) &&;
  Error WithField(std::string key, std::string value) &&;

  /// "code: message (detail)", for logs.
  std::string ToString() const;

 private:
  Code code_;
  std::string message_;
  std::string detail_;
  std::map<std::string, std::string> fields_;
};

/// kIo with strerror(err) after `doing`; ENOSPC, EDQUOT and EFBIG become kUnavailable.
Error ErrnoError(int err, std::string_view doing);

}  // namespace fleetward
