#include "errors.h"

#include <algorithm>
#include <span>

#include "fleetward/api/codec/writer.h"

namespace fleetward::api {
namespace {

struct Candidate {
  std::string_view exception;
  int status = 0;
};

struct Row {
  Code code;
  Candidate json[2];
  Candidate xml[4];
};

constexpr Candidate kInvalidJson{"InvalidRequestException", 400};
constexpr Candidate kInvalidXml{"InvalidParameter", 400};

// Of several candidates the first that the operation's model lists is taken, else the first.
constexpr Row kTable[] = {
    {Code::kInvalidArgument, {kInvalidJson}, {kInvalidXml}},
    {Code::kNotFound, {{"ResourceNotFoundException", 404}}, {{"NotFound", 404}, {"ResourceNotFound", 404}}},
    {Code::kAlreadyExists, {{"ResourceAlreadyExistsException", 409}}, {kInvalidXml}},
    {Code::kDeleteConflict, {{"DeleteConflictException", 409}}, {kInvalidXml}},
    {Code::kVersionConflict, {{"VersionConflictException", 409}}, {kInvalidXml}},
    {Code::kVersionsLimitExceeded, {{"VersionsLimitExceededException", 409}}, {kInvalidXml}},
    {Code::kLimitExceeded,
     {{"LimitExceededException", 410}},
     {{"TopicLimitExceeded", 403}, {"SubscriptionLimitExceeded", 403}, {"FilterPolicyLimitExceeded", 403},
      {"TagLimitExceeded", 400}}},
    {Code::kConflict,
     {{"ConflictException", 409}, {"ConflictingResourceUpdateException", 409}},
     {{"ConcurrentAccess", 400}}},
    {Code::kMalformedPolicy, {{"MalformedPolicyException", 400}}, {kInvalidXml}},
    {Code::kCertificateInvalid, {{"CertificateValidationException", 400}}, {kInvalidXml}},
    {Code::kCertificateConflict, {{"CertificateConflictException", 409}}, {kInvalidXml}},
    {Code::kCertificateState, {{"CertificateStateException", 406}}, {kInvalidXml}},
    {Code::kRegistrationCodeInvalid, {{"RegistrationCodeValidationException", 400}}, {kInvalidXml}},
    {Code::kTransferConflict, {{"TransferConflictException", 409}}, {kInvalidXml}},
    {Code::kTransferCompleted, {{"TransferAlreadyCompletedException", 410}}, {kInvalidXml}},
    {Code::kInvalidState, {{"InvalidStateTransitionException", 409}}, {kInvalidXml}},
    {Code::kNotConfigured, {{"NotConfiguredException", 404}}, {{"NotFound", 404}}},
    {Code::kTaskAlreadyExists, {{"TaskAlreadyExistsException", 400}}, {kInvalidXml}},
    {Code::kIndexNotReady, {{"IndexNotReadyException", 400}}, {kInvalidXml}},
    {Code::kInvalidQuery, {{"InvalidQueryException", 400}}, {kInvalidXml}},
    {Code::kInvalidAggregation, {{"InvalidAggregationException", 400}}, {kInvalidXml}},
    {Code::kUnauthenticated, {{"UnrecognizedClientException", 403}}, {{"InvalidClientTokenId", 403}}},
    {Code::kPermissionDenied, {{"AccessDeniedException", 403}}, {{"AuthorizationError", 403}}},
    {Code::kThrottled, {{"ThrottlingException", 400}}, {{"Throttled", 429}}},
    {Code::kNotOffered, {kInvalidJson}, {{"InvalidAction", 400}}},
    {Code::kUnavailable, {{"ServiceUnavailableException", 503}}, {{"ServiceUnavailable", 503}}},
    {Code::kTimeout, {{"ServiceUnavailableException", 503}}, {{"ServiceUnavailable", 503}}},
    {Code::kIo, {{"InternalFailureException", 500}}, {{"InternalError", 500}}},
    {Code::kCorrupt, {{"InternalFailureException", 500}}, {{"InternalError", 500}}},
    {Code::kInternal, {{"InternalFailureException", 500}}, {{"InternalError", 500}}},
};

std::span<const Candidate> CandidatesOf(const Row& row, ErrorForm form) {
  return form == ErrorForm::kJson ? std::span<const Candidate>(row.json) : std::span<const Candidate>(row.xml);
}

bool Lists(const OperationInfo* operation, std::string_view exception) {
  return operation &&
         std::find(operation->errors.begin(), operation->errors.end(), exception) != operation->errors.end();
}

/// Exceptions that any call may get, whatever the model's list says.
bool Universal(Code code) {
  return code == Code::kUnauthenticated || code == Code::kPermissionDenied || code == Code::kThrottled ||
         code == Code::kNotOffered;
}

ApiError Choose(std::span<const Candidate> candidates, Candidate invalid, Code code, const OperationInfo* operation) {
  for (const Candidate& candidate : candidates) {
    if (Lists(operation, candidate.exception)) return {candidate.exception, candidate.status};
  }
  const Candidate& first = candidates[0];
  bool client_fault = first.status < 500 && !Universal(code);
  if (operation && client_fault && Lists(operation, invalid.exception)) return {invalid.exception, invalid.status};
  return {first.exception, first.status};
}

/// The exception that a handler asked for by name, when the model lists it; its status is that of its row.
const std::string_view* Asked(const Error& error, const OperationInfo* operation) {
  auto asked = error.fields().find("exception");
  if (!operation || asked == error.fields().end()) return nullptr;
  auto found = std::find(operation->errors.begin(), operation->errors.end(), asked->second);
  return found == operation->errors.end() ? nullptr : &*found;
}

int StatusOf(std::string_view exception, ErrorForm form, int fallback) {
  for (const Row& row : kTable) {
    for (const Candidate& candidate : CandidatesOf(row, form)) {
      if (candidate.exception == exception) return candidate.status;
    }
  }
  return fallback;
}

}  // namespace

ApiError ExceptionOf(const Error& error, const OperationInfo* operation, ErrorForm form) {
  const Row* row = std::find_if(std::begin(kTable), std::end(kTable),
                                [&](const Row& candidate) { return candidate.code == error.code(); });
  if (row == std::end(kTable)) row = std::end(kTable) - 1;
  auto candidates = CandidatesOf(*row, form);
  while (candidates.back().exception.empty()) candidates = candidates.first(candidates.size() - 1);
  ApiError chosen = Choose(candidates, form == ErrorForm::kJson ? kInvalidJson : kInvalidXml, error.code(), operation);
  if (const std::string_view* asked = Asked(error, operation)) return {*asked, StatusOf(*asked, form, chosen.status)};
  return chosen;
}

ApiError ExceptionOf(access::AuthFault fault, ErrorForm form) {
  bool json = form == ErrorForm::kJson;
  switch (fault) {
    case access::AuthFault::kMissingToken:
      return {json ? "MissingAuthenticationTokenException" : "MissingAuthenticationToken", 403};
    case access::AuthFault::kUnknownKey:
      return {json ? "UnrecognizedClientException" : "InvalidClientTokenId", 403};
    case access::AuthFault::kIncomplete:
      return {json ? "IncompleteSignatureException" : "IncompleteSignature", 400};
    case access::AuthFault::kInvalidSignature:
      return {json ? "InvalidSignatureException" : "SignatureDoesNotMatch", 403};
    case access::AuthFault::kThrottled:
      return {json ? "ThrottlingException" : "Throttled", json ? 400 : 429};
  }
  return {"InternalFailureException", 500};
}

std::string_view PublicMessage(const Error& error) {
  switch (error.code()) {
    case Code::kIo:
    case Code::kCorrupt:
    case Code::kInternal: return "An internal error occurred; the server's log names it under this request's id";
    default: return error.message();
  }
}

http::Response ErrorResponse(const ApiError& error, std::string_view message,
                             const std::map<std::string, std::string>& fields, ErrorForm form,
                             std::string_view request_id) {
  http::Response response;
  response.status = error.status;
  response.headers.emplace_back("x-amzn-RequestId", request_id);
  if (error.exception == "ThrottlingException" || error.exception == "Throttled" || error.status == 503) {
    response.headers.emplace_back("Retry-After", "1");
  }
  if (form == ErrorForm::kXml) {
    response.headers.emplace_back("Content-Type", "text/xml");
    response.body = "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>" +
                    std::string(error.status < 500 ? "Sender" : "Receiver") + "</Type><Code>" +
                    codec::XmlEscape(error.exception) + "</Code><Message>" + codec::XmlEscape(message) +
                    "</Message></Error><RequestId>" + codec::XmlEscape(request_id) + "</RequestId></ErrorResponse>";
    return response;
  }
  response.headers.emplace_back("Content-Type", "application/json");
  response.headers.emplace_back("x-amzn-ErrorType", error.exception);
  codec::JsonWriter writer(response.body);
  writer.BeginStruct();
  writer.Member("message");
  writer.String(message);
  for (const auto& [name, value] : fields) {
    if (name == "exception") continue;
    writer.Member(name);
    writer.String(value);
  }
  writer.EndStruct();
  return response;
}

}  // namespace fleetward::api
