#include <atomic>

#include "envelope.h"
#include "fleetward/notify/http_channel.h"

namespace fleetward::notify {
namespace {

constexpr std::size_t kMaxAnswer = 4096;  // nobody reads it

Attempt JudgeStatus(int status) {
  if (status >= 200 && status < 300) return {};
  std::string detail = "the endpoint answered " + std::to_string(status);
  if (status >= 300 && status < 400) detail += "; redirects are not followed";
  return {Failure::kRefused, status == 429 || status >= 500, std::move(detail)};
}

Attempt JudgeError(const Error& error) {
  switch (error.code()) {
    case Code::kInvalidState: return {Failure::kCancelled, true, error.message()};
    case Code::kInvalidArgument:
    case Code::kPermissionDenied: return {Failure::kInvalid, false, error.message()};
    case Code::kCertificateInvalid: return {Failure::kTls, true, error.message()};
    case Code::kTimeout: return {Failure::kTimeout, true, error.message()};
    default: return {Failure::kConnect, true, error.message()};
  }
}

class HttpChannel : public Channel {
 public:
  HttpChannel(const fetch::Fetcher& fetcher, MessageSigner& signer) : fetcher_(fetcher), signer_(signer) {}

  Attempt Send(const Delivery& delivery) override {
    fetch::FetchRequest request;
    request.method = "POST";
    request.url = delivery.endpoint;
    request.max_answer_bytes = kMaxAnswer;
    request.cancel = &cancelled_;
    request.headers = {{"Content-Type", "text/plain; charset=UTF-8"},
                       {"User-Agent", "Amazon Simple Notification Service Agent"},
                       {"x-amz-sns-message-type", std::string(MessageType(delivery))},
                       {"x-amz-sns-message-id", delivery.message_id.Uuid()},
                       {"x-amz-sns-topic-arn", delivery.topic}};
    if (delivery.kind != "confirmation") request.headers.emplace_back("x-amz-sns-subscription-arn", delivery.subscription_arn);
    if (delivery.raw && delivery.kind == "notification") {
      request.headers.emplace_back("x-amz-sns-rawdelivery", "true");
      request.body = delivery.body;
    } else {
      auto signature = signer_.Sign(StringToSign(delivery), delivery.signature_version);
      if (!signature.ok()) return {Failure::kOther, true, signature.error().ToString()};
      request.body = Envelope(delivery, *signature);
    }
    auto answer = fetcher_.Fetch(request);
    return answer.ok() ? JudgeStatus(answer->status) : JudgeError(answer.error());
  }
  void Cancel() override { cancelled_ = true; }

 private:
  const fetch::Fetcher& fetcher_;
  MessageSigner& signer_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace

std::unique_ptr<Channel> MakeHttpChannel(const fetch::Fetcher& fetcher, MessageSigner& signer) {
  return std::make_unique<HttpChannel>(fetcher, signer);
}

}  // namespace fleetward::notify
