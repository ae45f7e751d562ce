#include "fleetward/crypto/sigv4.h"

#include <gtest/gtest.h>

#include <chrono>

#include "sigv4_canonical.h"

namespace fleetward::crypto {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr char kSecret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const Timestamp kTime = Timestamp(std::chrono::sys_days(std::chrono::year(2015) / 8 / 30)) + std::chrono::hours(12) +
                        std::chrono::minutes(36);

/// One of AWS's published test vectors ("aws-sig-v4-test-suite": access key AKIDEXAMPLE, service "service").
struct Vector {
  const char* name;
  const char* method;
  const char* target;
  Headers headers;
  const char* body;
  const char* signed_headers;
  const char* signature;
};

std::vector<Vector> Vectors() {
  const char* date = "20150830T123600Z";
  Headers plain = {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", date}};
  Headers form = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Host", "example.amazonaws.com"},
                  {"X-Amz-Date", date}};
  return {
      {"get-vanilla", "GET", "/", plain, "", "host;x-amz-date",
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", plain, "", "host;x-amz-date",
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
      {"get-slash-dot-slash", "GET", "/./", plain, "", "host;x-amz-date",
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"get-relative", "GET", "/example/..", plain, "", "host;x-amz-date",
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"post-vanilla", "POST", "/", plain, "", "host;x-amz-date",
       "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"post-x-www-form-urlencoded", "POST", "/", form, "Param1=value1", "content-type;host;x-amz-date",
       "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
  };
}

std::string Authorization(const Vector& v, const std::string& signature) {
  return std::string("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ") +
         "SignedHeaders=" + v.signed_headers + ", Signature=" + signature;
}

TEST(SigV4, VerifiesAwsPublishedVectors) {
  for (const Vector& v : Vectors()) {
    Headers headers = v.headers;
    headers.emplace_back("Authorization", Authorization(v, v.signature));
    HttpCall call{v.method, v.target, headers, v.body};
    Result<SignatureClaim> claim = ParseSignature(call);
    ASSERT_TRUE(claim.ok()) << v.name << claim.error().ToString();
    EXPECT_TRUE(VerifySignature(*claim, call, kSecret)) << v.name << "\n" << CanonicalRequest(*claim, call);
    EXPECT_FALSE(VerifySignature(*claim, call, "other")) << v.name;
    HttpCall changed = call;
    changed.body = "x";
    EXPECT_FALSE(VerifySignature(*claim, changed, kSecret)) << v.name;
  }
}

// The example of the documentation page "Create a canonical request" (IAM ListUsers).
TEST(SigV4, SignsTheDocumentedExample) {
  Headers headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
                     {"Host", "iam.amazonaws.com"}};
  HttpCall call{"GET", "/?Action=ListUsers&Version=2010-05-08", headers, ""};
  Headers added = SignCall(call, {"AKIDEXAMPLE", kSecret, "us-east-1", "iam"}, kTime);
  ASSERT_EQ(added.size(), 2u);
  EXPECT_EQ(added[0].second, "20150830T123600Z");
  EXPECT_EQ(added[1].second,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

TEST(SigV4, CanonicalFormsOfPathsAndQueries) {
  EXPECT_EQ(CanonicalPath("/"), "/");
  EXPECT_EQ(CanonicalPath(""), "/");
  EXPECT_EQ(CanonicalPath("/things/a%3Ab"), "/things/a%253Ab");
  EXPECT_EQ(CanonicalPath("//things//x/"), "/things/x/");
  EXPECT_EQ(CanonicalPath("/../../x/./y"), "/x/y");
  EXPECT_EQ(CanonicalPath("/a b~c"), "/a%20b~c");
  EXPECT_EQ(CanonicalQuery("b=1&a=x%2fy+z&a=&c"), "a=&a=x%2Fy%2Bz&b=1&c=");
  EXPECT_EQ(CanonicalQuery("a=%zz"), "a=%25zz");
}

SigningCredentials Credentials() { return {"AKIDEXAMPLE", kSecret, "us-east-1", "iot"}; }

TEST(SigV4, PresignedCallsVerifyUntilTheyExpire) {
  std::string target = PresignTarget("GET", "/things?maxResults=2", "h:8443", Credentials(), kTime, 60);
  Headers headers = {{"Host", "h:8443"}};
  HttpCall call{"GET", target, headers, {}};
  Result<SignatureClaim> claim = ParseSignature(call);
  ASSERT_TRUE(claim.ok()) << claim.error().ToString();
  EXPECT_TRUE(claim->presigned);
  EXPECT_TRUE(VerifySignature(*claim, call, kSecret));
  EXPECT_TRUE(CheckSignatureTime(*claim, kTime + std::chrono::seconds(60)).ok());
  EXPECT_FALSE(CheckSignatureTime(*claim, kTime + std::chrono::seconds(61)).ok());
  EXPECT_FALSE(CheckSignatureTime(*claim, kTime - std::chrono::seconds(301)).ok());
}

// threats.md v: presigned beyond 7 days.
TEST(SigV4, RefusesPresignedBeyondSevenDays) {
  Headers headers = {{"Host", "h"}};
  std::string longest = PresignTarget("GET", "/", "h", Credentials(), kTime, 604800);
  EXPECT_TRUE(ParseSignature({"GET", longest, headers, {}}).ok());
  for (std::int64_t seconds : {604801LL, 0LL, -5LL, 99999999999LL}) {
    std::string target = PresignTarget("GET", "/", "h", Credentials(), kTime, seconds);
    EXPECT_EQ(ParseSignature({"GET", target, headers, {}}).error().code(), Code::kInvalidArgument) << seconds;
  }
}

TEST(SigV4, RefusesDuplicatedPresignedMembers) {
  Headers headers = {{"Host", "h"}};
  std::string target = PresignTarget("GET", "/", "h", Credentials(), kTime, 60);
  for (const char* extra : {"&X-Amz-Expires=604800", "&X-Amz-Date=20160101T000000Z", "&X-Amz-Signature=00",
                            "&X%2DAmz-Credential=x", "&X-Amz-SignedHeaders=host"}) {
    EXPECT_EQ(ParseSignature({"GET", target + extra, headers, {}}).error().code(), Code::kInvalidArgument) << extra;
  }
}

TEST(SigV4, HeaderSignaturesHoldFiveMinutes) {
  SignatureClaim claim;
  claim.time = kTime;
  EXPECT_TRUE(CheckSignatureTime(claim, kTime + std::chrono::seconds(300)).ok());
  EXPECT_FALSE(CheckSignatureTime(claim, kTime + std::chrono::seconds(301)).ok());
  EXPECT_TRUE(CheckSignatureTime(claim, kTime - std::chrono::seconds(300)).ok());
  EXPECT_FALSE(CheckSignatureTime(claim, kTime - std::chrono::seconds(301)).ok());
}

Result<SignatureClaim> ParseWith(Headers headers, std::string_view authorization) {
  headers.emplace_back("Authorization", authorization);
  return ParseSignature({"GET", "/", headers, {}});
}

TEST(SigV4, RefusesWhatIsIncomplete) {
  const std::string scope = "Credential=AK/20150830/us-east-1/iot/aws4_request";
  const std::string signature = "Signature=" + std::string(64, 'a');
  const std::string good = "AWS4-HMAC-SHA256 " + scope + ", SignedHeaders=host;x-amz-date, " + signature;
  const Headers headers = {{"Host", "h"}, {"X-Amz-Date", "20150830T123600Z"}};
  ASSERT_TRUE(ParseWith(headers, good).ok()) << ParseWith(headers, good).error().ToString();
  const std::string algorithm = "AWS4-HMAC-SHA256 ";
  for (const std::string& bad : {
           std::string("Basic YTpi"), std::string("AWS4-HMAC-SHA256"), std::string(""), algorithm,
           algorithm + scope + ", " + signature,                                          // no SignedHeaders
           algorithm + scope + ", SignedHeaders=host;x-amz-date",                          // no Signature
           algorithm + "SignedHeaders=host;x-amz-date, " + signature,                      // no Credential
           good + ", " + signature, good + ", Extra=1", good + ",",                        // said twice, unknown
           algorithm + scope + ", SignedHeaders=x-amz-date, " + signature,                 // host not signed
           algorithm + scope + ", SignedHeaders=host, " + signature,                       // x-amz-date not signed
           algorithm + scope + ", SignedHeaders=x-amz-date;host, " + signature,            // not sorted
           algorithm + scope + ", SignedHeaders=Host;x-amz-date, " + signature,            // not lower case
           algorithm + scope + ", SignedHeaders=host;host;x-amz-date, " + signature,
           algorithm + scope + ", SignedHeaders=host;nope;x-amz-date, " + signature,
           algorithm + "Credential=AK/20150831/us-east-1/iot/aws4_request, SignedHeaders=host;x-amz-date, " + signature,
           algorithm + "Credential=AK/us-east-1/iot/aws4_request, SignedHeaders=host;x-amz-date, " + signature,
           algorithm + scope + ", SignedHeaders=host;x-amz-date, Signature=zz",
       }) {
    Result<SignatureClaim> claim = ParseWith(headers, bad);
    ASSERT_FALSE(claim.ok()) << bad;
    EXPECT_EQ(claim.error().code(), Code::kInvalidArgument) << bad;
  }
  EXPECT_EQ(ParseSignature({"GET", "/", headers, {}}).error().code(), Code::kNotFound);
}

TEST(SigV4, RefusesUnsignedAmzHeadersAndDoubledOnes) {
  const std::string good =
      "AWS4-HMAC-SHA256 Credential=AK/20150830/us-east-1/iot/aws4_request, SignedHeaders=host;x-amz-date, Signature=" +
      std::string(64, 'a');
  Headers headers = {{"Host", "h"}, {"X-Amz-Date", "20150830T123600Z"}};
  for (Headers::value_type extra : Headers{{"x-amz-target", "x"}, {"x-amzn-principal", "arn"}, {"host", "evil"},
                                           {"X-Amz-Date", "20150830T123600Z"}, {"authorization", good}}) {
    Headers more = headers;
    more.push_back(extra);
    EXPECT_FALSE(ParseWith(more, good).ok()) << extra.first;
  }
  headers.emplace_back("X-Amzn-Trace-Id", "t");
  EXPECT_TRUE(ParseWith(headers, good).ok());
}

TEST(SigV4, AStatedBodyHashMustBeTrue) {
  Headers headers = {{"Host", "h"}, {"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"}};
  HttpCall call{"POST", "/", headers, "body"};
  Headers added = SignCall(call, Credentials(), kTime);
  headers.insert(headers.end(), added.begin(), added.end());
  call.headers = headers;
  Result<SignatureClaim> claim = ParseSignature(call);
  ASSERT_TRUE(claim.ok());
  EXPECT_FALSE(VerifySignature(*claim, call, kSecret));
}

}  // namespace
}  // namespace fleetward::crypto
