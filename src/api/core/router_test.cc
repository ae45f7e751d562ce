#include "fleetward/api/core/router.h"

#include <gtest/gtest.h>

#include <chrono>
#include <regex>
#include <thread>

#include "concurrency_limit.h"
#include "errors.h"
#include "fleetward/api/iot/certificates.h"
#include "fleetward/api/iot/things.h"
#include "fleetward/api/operations.h"
#include "fleetward/crypto/sigv4.h"
#include "route_table.h"
#include "testing/fake_service.h"

namespace fleetward::api {
namespace {

using testing::FakeService;

class RouterTest : public ::testing::Test {
 protected:
  http::Request Request(std::string method, std::string target, std::string body = "",
                        std::vector<http::Header> headers = {}) {
    http::Request request{std::move(method), std::move(target), std::move(headers), std::move(body), "192.0.2.7"};
    request.headers.emplace_back("Host", "127.0.0.1:8443");
    return request;
  }
  void Sign(http::Request& request, const std::string& service = "iot", const access::NewAccessKey* key = nullptr) {
    const access::NewAccessKey& use = key ? *key : service_.admin;
    crypto::HttpCall call{request.method, request.target, request.headers, request.body};
    auto added = crypto::SignCall(call, {use.id, use.secret, "us-east-1", service}, clock_.Now());
    request.headers.insert(request.headers.end(), added.begin(), added.end());
  }
  http::Response Call(std::string method, std::string target, std::string body = "",
                      const std::string& service = "iot", const access::NewAccessKey* key = nullptr,
                      std::vector<http::Header> headers = {}) {
    http::Request request = Request(std::move(method), std::move(target), std::move(body), std::move(headers));
    Sign(request, service, key);
    return service_.router->Serve(request);
  }
  static std::string HeaderOf(const http::Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return "";
  }
  static std::string ErrorType(const http::Response& response) { return HeaderOf(response, "x-amzn-ErrorType"); }

  ManualClock clock_{FromMillis(1'700'000'000'000)};
  FakeService service_{clock_};
};

TEST_F(RouterTest, AnswersWithTheModelsForm) {
  http::Response response = Call("POST", "/things/a%3Ab", R"({"attributePayload":{"attributes":{"k":"v"}}})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"thingName":"a:b","thingArn":"arn:aws:iot:us-east-1:123456789012:thing/a:b"})");
  EXPECT_EQ(HeaderOf(response, "Content-Type"), "application/json");
  EXPECT_EQ(HeaderOf(response, "x-amzn-RequestId").size(), 36u);
}

TEST_F(RouterTest, QueryStringsAreDecodedOnce) {
  http::Response response = Call("GET", "/endpoint?endpointType=iot%3AData-ATS");
  EXPECT_EQ(response.body, R"({"endpointAddress":"us-east-1/iot:Data-ATS"})");
  response = Call("GET", "/things?attributeValue=%2525&attributeName=n&maxResults=1");
  EXPECT_NE(response.body.find("Value '%25' at"), std::string::npos) << response.body;
  response = Call("GET", "/things?attributeValue=a%2Fb&attributeName=n&maxResults=1");
  EXPECT_NE(response.body.find("thing-0a/b"), std::string::npos) << response.body;
}

TEST_F(RouterTest, ConstraintsAreCheckedAndNamed) {
  http::Response response = Call("POST", "/things/a%20b");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(ErrorType(response), "InvalidRequestException");
  EXPECT_EQ(response.body,
            R"({"message":"1 validation error detected: Value 'a b' at 'thingName' failed to satisfy constraint: )"
            R"(Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+"})");
  response = Call("POST", "/security-profiles/p",
                  R"({"behaviors":[{"name":"ok"},{"metric":"m","criteria":{"durationSeconds":"x"}}]})");
  EXPECT_NE(response.body.find("'behaviors[1].name'"), std::string::npos) << response.body;
  response = Call("POST", "/things/t", "{\"attributePayload\":");
  EXPECT_EQ(ErrorType(response), "InvalidRequestException");
}

TEST_F(RouterTest, ErrorsTakeTheirExceptionAndFields) {
  http::Response response = Call("GET", "/things/nope");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(ErrorType(response), "ResourceNotFoundException");
  EXPECT_EQ(response.body, R"({"message":"There is no thing nope","resourceId":"nope"})");
  response = Call("PATCH", "/things/t", "{}");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(ErrorType(response), "InternalFailureException");
  EXPECT_EQ(response.body.find("secret"), std::string::npos) << response.body;
}

TEST_F(RouterTest, OperationsWithoutAHandlerAndOutsideTheScopeSayTheirName) {
  http::Response response = Call("GET", "/policies");
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(response.body.find("iot:ListPolicies"), std::string::npos) << response.body;
  response = Call("GET", "/jobs/j1");
  EXPECT_NE(response.body.find("iot:DescribeJob"), std::string::npos) << response.body;
  response = Call("GET", "/no/such/thing/at/all");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(ErrorType(response), "UnknownOperationException");
  response = Call("POST", "/", "Action=GetSMSAttributes&Version=2010-03-31", "sns");
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(response.body.find("sns:GetSMSAttributes"), std::string::npos) << response.body;
  response = Call("POST", "/", "Action=Nonsense%3C&Version=2010-03-31", "sns");
  EXPECT_NE(response.body.find("<Code>InvalidAction</Code>"), std::string::npos) << response.body;
  EXPECT_NE(response.body.find("Nonsense&lt;"), std::string::npos) << response.body;
}

TEST_F(RouterTest, AuthenticationComesBeforeRouting) {
  for (const char* target : {"/things", "/no/such/path", "/fleetward/v1/x", "/things/%zz"}) {
    http::Response response = service_.router->Serve(Request("GET", target));
    EXPECT_EQ(response.status, 403) << target;
    EXPECT_EQ(ErrorType(response), "MissingAuthenticationTokenException") << target;
  }
  http::Response response = service_.router->Serve(Request("POST", "/", "Action=ListTopics"));
  EXPECT_EQ(response.status, 403);
  EXPECT_NE(response.body.find("<Code>MissingAuthenticationToken</Code>"), std::string::npos) << response.body;
}

TEST_F(RouterTest, AuthenticationFailuresHaveTheirNames) {
  access::NewAccessKey wrong{service_.admin.id, "wrong"}, unknown{"AKFWNOBODY", "x"};
  EXPECT_EQ(ErrorType(Call("GET", "/things", "", "iot", &wrong)), "InvalidSignatureException");
  EXPECT_EQ(ErrorType(Call("GET", "/things", "", "iot", &unknown)), "UnrecognizedClientException");
  http::Response response = Call("POST", "/", "Action=ListTopics", "sns", &wrong);
  EXPECT_NE(response.body.find("<Code>SignatureDoesNotMatch</Code>"), std::string::npos);
  response = Call("POST", "/", "Action=ListTopics", "sns", &unknown);
  EXPECT_NE(response.body.find("<Code>InvalidClientTokenId</Code>"), std::string::npos);
  http::Request odd = Request("GET", "/things", "", {{"Authorization", "AWS4-HMAC-SHA256 Credential=x"}});
  EXPECT_EQ(ErrorType(service_.router->Serve(odd)), "IncompleteSignatureException");
}

TEST_F(RouterTest, SigningNamesMustFitTheOperation) {
  EXPECT_EQ(Call("GET", "/things", "", "execute-api").status, 200);
  EXPECT_EQ(ErrorType(Call("GET", "/things", "", "sns")), "InvalidSignatureException");
  EXPECT_EQ(ErrorType(Call("GET", "/things", "", "s3")), "InvalidSignatureException");
  for (const char* service : {"iotdata", "iotdevicegateway"}) {
    http::Response response = Call("POST", "/topics/a%2Fb/c?qos=1", "pay", service);
    EXPECT_EQ(response.body, R"({"message":"a/b/c|pay|1"})") << service;
  }
  EXPECT_EQ(ErrorType(Call("POST", "/topics/t", "", "iot")), "InvalidSignatureException");
}

TEST_F(RouterTest, RolesAreChecked) {
  access::NewAccessKey viewer = service_.keys->Create(access::Role::kViewer, "", "t").value();
  access::NewAccessKey oper = service_.keys->Create(access::Role::kOperator, "", "t").value();
  EXPECT_EQ(Call("GET", "/things", "", "iot", &viewer).status, 200);
  http::Response denied = Call("POST", "/things/t", "{}", "iot", &viewer);
  EXPECT_EQ(denied.status, 403);
  EXPECT_EQ(ErrorType(denied), "AccessDeniedException");
  EXPECT_EQ(ErrorType(Call("POST", "/things/t", "{}", "iot", &oper)), "AccessDeniedException");
  EXPECT_NE(Call("POST", "/", "Action=Publish&Message=m", "sns", &viewer).body.find("<Code>AuthorizationError</Code>"),
            std::string::npos);
  EXPECT_EQ(Call("POST", "/", "Action=Publish&Message=m", "sns", &oper).status, 200);
}

// threats.md v.
TEST_F(RouterTest, AReplayAfterTheKeyWasDisabledFails) {
  http::Request request = Request("GET", "/things");
  Sign(request);
  EXPECT_EQ(service_.router->Serve(request).status, 200);
  ASSERT_TRUE(service_.keys->Create(access::Role::kAdmin, "", "t").ok());  // the last admin key cannot be disabled
  ASSERT_TRUE(service_.keys->SetActive(service_.admin.id, false, "t").ok());
  EXPECT_EQ(ErrorType(service_.router->Serve(request)), "UnrecognizedClientException");
}

// threats.md u.
TEST_F(RouterTest, PageTokensCannotBeForgedSwappedOrShared) {
  auto token_of = [](const http::Response& response) {
    std::smatch found;
    return std::regex_search(response.body, found, std::regex("\"nextToken\":\"([^\"]+)\"")) ? found[1].str() : "";
  };
  auto encoded = [](std::string token) {
    std::string out;
    for (char c : token) out += c == '+' ? "%2B" : c == '/' ? "%2F" : c == '=' ? "%3D" : std::string(1, c);
    return out;
  };
  http::Response first = Call("GET", "/things?maxResults=4");
  std::string token = encoded(token_of(first));
  ASSERT_FALSE(token.empty()) << first.body;
  http::Response second = Call("GET", "/things?maxResults=250&nextToken=" + token);
  EXPECT_NE(second.body.find("thing-4"), std::string::npos) << second.body;
  EXPECT_EQ(token_of(second), "");
  // Another filter, operation or key.
  EXPECT_EQ(Call("GET", "/things?attributeName=a&attributeValue=x&nextToken=" + token).status, 400);
  EXPECT_EQ(Call("GET", "/thing-types?nextToken=" + token).status, 400);
  access::NewAccessKey viewer = service_.keys->Create(access::Role::kViewer, "", "t").value();
  http::Response swapped = Call("GET", "/things?nextToken=" + token, "", "iot", &viewer);
  EXPECT_EQ(ErrorType(swapped), "InvalidRequestException");
  // Changed bytes and nonsense.
  std::string changed = token;
  changed[10] = changed[10] == 'A' ? 'B' : 'A';
  EXPECT_EQ(Call("GET", "/things?nextToken=" + changed).status, 400);
  EXPECT_EQ(Call("GET", "/things?nextToken=x").status, 400);
}

TEST_F(RouterTest, QueryProtocolReadsFormsAndAnswersXml) {
  http::Response response = Call("POST", "/", "Action=CreateTopic&Version=2010-03-31&Name=alarms", "sns");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(HeaderOf(response, "Content-Type"), "text/xml");
  EXPECT_TRUE(response.body.starts_with(
      "<CreateTopicResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><CreateTopicResult><TopicArn>"
      "arn:aws:sns:us-east-1:123456789012:alarms</TopicArn></CreateTopicResult><ResponseMetadata><RequestId>"))
      << response.body;
  response = Call("POST", "/",
                  "Action=Publish&Message=a+b%26%3Cc%3E&MessageAttributes.entry.1.Name=n&MessageAttributes.entry.1."
                  "Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=v",
                  "sns");
  EXPECT_NE(response.body.find("<MessageId>a b&amp;&lt;c&gt;|-|n:String:v</MessageId>"), std::string::npos)
      << response.body;
  response = Call("POST", "/", "Action=CreateTopic", "sns");
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(response.body.find("<Code>InvalidParameter</Code>"), std::string::npos) << response.body;
  EXPECT_NE(response.body.find("&#39;Name&#39;"), std::string::npos) << response.body;
}

TEST_F(RouterTest, LinksInMessagesWorkUnsignedByGetOnly) {
  const std::string query = "Action=ConfirmSubscription&TopicArn=arn%3At&Token=x";
  http::Response response = service_.router->Serve(Request("GET", "/?" + query));
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_NE(response.body.find("arn:t:unsigned"), std::string::npos) << response.body;
  EXPECT_EQ(service_.router->Serve(Request("POST", "/", query)).status, 403);
  EXPECT_EQ(service_.router->Serve(Request("GET", "/?Action=ListTopics")).status, 403);
  response = Call("GET", "/?" + query, "", "sns");
  EXPECT_NE(response.body.find("arn:t:signed"), std::string::npos) << response.body;
  // A wrong signature is not taken for none.
  access::NewAccessKey wrong{service_.admin.id, "wrong"};
  EXPECT_EQ(Call("GET", "/?" + query, "", "sns", &wrong).status, 403);
}

TEST_F(RouterTest, ChangesAndDenialsReachTheOperatorLog) {
  access::NewAccessKey viewer = service_.keys->Create(access::Role::kViewer, "", "t").value();
  Call("GET", "/things");
  Call("POST", "/things/t?x=secret", "{}");
  Call("POST", "/things/t", "{}", "iot", &viewer);
  std::vector<OperatorEntry> entries = service_.operator_log.entries();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].operation, "CreateThing");
  EXPECT_EQ(entries[0].target, "POST /things/t");
  EXPECT_EQ(entries[0].remote_address, "192.0.2.7");
  EXPECT_EQ(entries[0].role, "admin");
  EXPECT_EQ(entries[0].status, 200);
  EXPECT_EQ(entries[1].access_key_id, viewer.id);
  EXPECT_EQ(entries[1].exception, "AccessDeniedException");
}

TEST_F(RouterTest, ThreatQAScopedKeyIsDeniedByDefault) {
  access::NewAccessKey scoped = service_.keys->Create({access::Role::kOperator, "", {"plant-1"}, {}}, "t").value();
  service_.router->HandleLocal("/fleetward/v1/", LocalAuth::kViewer, [](const CallContext&, const http::Request&) {
    return http::Response{200, {}, "any"};
  });
  // This router knows no scopes at all.
  for (const char* path : {"/things/t", "/things", "/endpoint", "/fleetward/v1/status"}) {
    EXPECT_EQ(Call("GET", path, "", "iot", &scoped).status, 403) << path;
  }
  EXPECT_EQ(service_.operator_log.entries().size(), 4u);
}

TEST_F(RouterTest, RefusedSignaturesReachTheOperatorLogButCannotFloodIt) {
  access::NewAccessKey wrong{service_.admin.id, "wrong"};
  for (int i = 0; i < 30; ++i) Call("GET", "/things", "", "iot", &wrong);
  auto entries = service_.operator_log.entries();
  ASSERT_EQ(entries.size(), 10u);
  EXPECT_EQ(entries[0].operation, "Authenticate");
  EXPECT_EQ(entries[0].access_key_id, service_.admin.id);
  EXPECT_EQ(entries[0].exception, "InvalidSignatureException");
}

TEST_F(RouterTest, LocalEndpointsHaveTheirOwnRules) {
  auto say = [](const char* text) {
    return [text](const CallContext&, const http::Request&) { return http::Response{200, {}, text}; };
  };
  service_.router->HandleLocal("/console/", LocalAuth::kUnsigned, say("console"));
  service_.router->HandleLocal("/fleetward/v1/keys", LocalAuth::kAdmin, say("keys"));
  service_.router->HandleLocal("/fleetward/v1/", LocalAuth::kViewer, say("any"));
  access::NewAccessKey viewer = service_.keys->Create(access::Role::kViewer, "", "t").value();
  EXPECT_EQ(service_.router->Serve(Request("GET", "/console/index.html")).body, "console");
  EXPECT_EQ(service_.router->Serve(Request("GET", "/fleetward/v1/status")).status, 403);
  EXPECT_EQ(Call("GET", "/fleetward/v1/status", "", "iot", &viewer).body, "any");
  EXPECT_EQ(Call("GET", "/fleetward/v1/keys", "", "iot", &viewer).status, 403);
  EXPECT_EQ(Call("GET", "/fleetward/v1/keys").body, "keys");
}

TEST_F(RouterTest, ThrottledCallsSayWhenToComeBack) {
  FakeService slow(clock_, {.calls_per_second = 1});
  http::Request request = Request("GET", "/things");
  crypto::HttpCall call{request.method, request.target, request.headers, request.body};
  auto added = crypto::SignCall(call, {slow.admin.id, slow.admin.secret, "us-east-1", "iot"}, clock_.Now());
  request.headers.insert(request.headers.end(), added.begin(), added.end());
  EXPECT_EQ(slow.router->Serve(request).status, 200);
  http::Response throttled = slow.router->Serve(request);
  EXPECT_EQ(throttled.status, 400);
  EXPECT_EQ(ErrorType(throttled), "ThrottlingException");
  EXPECT_EQ(HeaderOf(throttled, "Retry-After"), "1");
}

// threats.md r: a costly operation leaves the other threads alone.
TEST(ConcurrencyLimit, RunsFewQueuesFewRefusesTheRest) {
  ConcurrencyLimit limit(1, 1);
  ASSERT_TRUE(limit.Enter());
  std::atomic<bool> second_ran{false};
  std::atomic<bool> second_waits{false};
  std::thread second([&] {
    second_waits = true;
    second_ran = limit.Enter();
    limit.Leave();
  });
  while (!second_waits) std::this_thread::yield();
  while (limit.Waiting() == 0) std::this_thread::yield();
  EXPECT_FALSE(second_ran);
  EXPECT_FALSE(limit.Enter());
  limit.Leave();
  second.join();
  EXPECT_TRUE(second_ran);
  EXPECT_TRUE(limit.Enter());
}

// --- tables ---

TEST(RouteTable, EveryOperationOfTheModelsIsReachedByItsOwnPath) {
  RouteTable table;
  std::vector<const OperationInfo*> all(OfferedOperations().begin(), OfferedOperations().end());
  for (const OperationInfo& operation : OperationsNotOffered()) all.push_back(&operation);
  for (const OperationInfo* operation : all) table.Add(*operation);
  EXPECT_EQ(OfferedOperations().size(), 60u + 98u + 4u + 19u + 1u);
  int rest = 0;
  for (const OperationInfo* operation : all) {
    if (operation->protocol != Protocol::kRestJson) continue;
    ASSERT_EQ(operation->uri.find('?'), std::string_view::npos) << operation->name;
    std::string path = std::regex_replace(std::string(operation->uri), std::regex("\\{[^}]*\\}"), "x%2Fy");
    Result<RouteMatch> match = table.Match(operation->method, path);
    ASSERT_TRUE(match.ok()) << path;
    EXPECT_EQ(match->operation, operation) << operation->name << " " << path;
    for (const auto& [name, value] : match->labels) EXPECT_EQ(value, "x/y") << name;
    ++rest;
  }
  EXPECT_GT(rest, 238);
}

TEST(RouteTable, OddPathsMatchNothing) {
  RouteTable table;
  for (const OperationInfo* operation : OfferedOperations()) table.Add(*operation);
  auto operation = [&](const char* path) { return table.Match("GET", path)->operation; };
  EXPECT_EQ(operation("//things/")->name, "ListThings");
  for (const char* path : {"/", "", "/things/../things", "/./things", "/Things", "/things/a/b/c", "things/%"}) {
    Result<RouteMatch> match = table.Match("GET", path);
    EXPECT_TRUE(!match.ok() || !match->operation) << path;
  }
  EXPECT_FALSE(table.Match("GET", "/things/%4").ok());
}

TEST(Errors, EveryCodeHasAnExceptionOfTheOperationsOwnList) {
  for (int code = 0; code <= static_cast<int>(Code::kInternal); ++code) {
    Error error(static_cast<Code>(code), "m");
    for (ErrorForm form : {ErrorForm::kJson, ErrorForm::kXml}) {
      ApiError api = ExceptionOf(error, nullptr, form);
      EXPECT_FALSE(api.exception.empty()) << CodeName(error.code());
      EXPECT_GE(api.status, 400);
    }
  }
  // DeleteThing's list has no LimitExceededException: a quota fault becomes an invalid request.
  EXPECT_EQ(ExceptionOf(Error(Code::kLimitExceeded, "m"), &iot::DeleteThing::kInfo, ErrorForm::kJson).exception,
            "InvalidRequestException");
  EXPECT_EQ(ExceptionOf(Error(Code::kVersionConflict, "m"), &iot::DeleteThing::kInfo, ErrorForm::kJson).status, 409);
  Error asked = Error(Code::kInvalidArgument, "m").WithField("exception", "VersionConflictException");
  EXPECT_EQ(ExceptionOf(asked, &iot::DeleteThing::kInfo, ErrorForm::kJson).status, 409);
}

TEST(DecodeForm, ReadsMembersInOrder) {
  Result<std::vector<NameValue>> members = DecodeForm("a=1&b=x+y%2B&&c&=d");
  ASSERT_TRUE(members.ok());
  EXPECT_EQ(members.value(), (std::vector<NameValue>{{"a", "1"}, {"b", "x y+"}, {"c", ""}, {"", "d"}}));
  EXPECT_FALSE(DecodeForm("a=%").ok());
  EXPECT_FALSE(DecodeForm("%zz=1").ok());
  std::string many;
  for (int i = 0; i < 10'001; ++i) many += "a&";
  EXPECT_FALSE(DecodeForm(many).ok());
}

}  // namespace
}  // namespace fleetward::api
