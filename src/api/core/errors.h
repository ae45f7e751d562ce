// The one table from error codes to the services' exceptions (reference: core.md §2, §9; decision 24). Private.
#pragma once

#include <string>
#include <string_view>

#include "fleetward/access/authenticator.h"
#include "fleetward/api/codec/operation.h"
#include "fleetward/base/error.h"
#include "fleetward/http/message.h"

namespace fleetward::api {

/// Which of the two error forms a call gets.
enum class ErrorForm : std::uint8_t { kJson, kXml };

/// An exception as it goes over the wire.
struct ApiError {
  std::string_view exception;  // "ResourceNotFoundException"; SNS: "NotFound"
  int status = 500;
};

/// Exception for `error` from `operation` (may be null). An operation answers with exceptions of its model's list
/// only: a code without one there becomes the invalid-request exception. A field "exception" of the error picks a
/// name of the list.
ApiError ExceptionOf(const Error& error, const OperationInfo* operation, ErrorForm form);
ApiError ExceptionOf(access::AuthFault fault, ErrorForm form);

/// What the caller reads: never the text of an internal fault.
std::string_view PublicMessage(const Error& error);

/// The whole answer. `fields` are further members of the JSON form (resourceId, resourceArn).
http::Response ErrorResponse(const ApiError& error, std::string_view message,
                             const std::map<std::string, std::string>& fields, ErrorForm form,
                             std::string_view request_id);

}  // namespace fleetward::api
