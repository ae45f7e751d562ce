#include "fleetward/api/codec/writer.h"
#include "handlers.h"

namespace fleetward::api {
namespace {

using namespace sns;
using notify::TopicService;

constexpr const char* kPending = "PendingConfirmation";

/// A page for those who follow a link of a mail. `html` is escaped already.
std::string Page(std::string_view heading, const std::string& html) {
  return "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + codec::XmlEscape(heading) +
         "</title><style>body{font:1.1rem sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}</style>"
         "</head><body><h1>" + codec::XmlEscape(heading) + "</h1><p>" + html + "</p></body></html>\n";
}

Router::HtmlPage PageFor(std::string done, std::string text, std::string failed) {
  return [done, text, failed](const Error* error) {
    if (!error) return Page(done, codec::XmlEscape(text));
    bool ours = error->code() == Code::kIo || error->code() == Code::kCorrupt || error->code() == Code::kInternal;
    return Page(failed, codec::XmlEscape(ours ? "Something went wrong here. Please try again later." : error->message()));
  };
}

/// Asks before a mail's link ends anything: programs open links by themselves (threats.md o).
std::string AskPage(const Error& ask) {
  auto hidden = [](std::string_view name, std::string_view value) {
    return "<input type=\"hidden\" name=\"" + std::string(name) + "\" value=\"" + codec::XmlEscape(value) + "\">";
  };
  return Page("End this subscription?",
              codec::XmlEscape(ask.message()) + "</p><form method=\"post\" action=\"/\">" + hidden("Action", "Unsubscribe") +
                  hidden("Version", "2010-03-31") + hidden("SubscriptionArn", ask.fields().at("ask")) +
                  hidden("Token", ask.fields().at("token")) + hidden("Confirm", "true") +
                  "<button type=\"submit\">End the subscription</button></form><p>");
}

Router::HtmlPage UnsubscribePage() {
  auto plain = PageFor("Subscription ended", "No more alerts of this topic will be sent to you.",
                       "The subscription could not be ended");
  return [plain](const Error* error) { return error && error->fields().contains("ask") ? AskPage(*error) : plain(error); };
}

Result<Empty> End(TopicService& topics, const CallContext& context, const UnsubscribeInput& request) {
  notify::UnsubscribeProof proof{context.principal.has_value(), request.token.value_or(""),
                                 request.confirm.value_or(false)};
  FW_ASSIGN(auto outcome, topics.Unsubscribe(ActorOf(context), request.subscription_arn, proof));
  if (outcome == notify::UnsubscribeOutcome::kEnded) return Empty{};
  // The router shows an error with this field as a page.
  return Error(Code::kInvalidState, "No more alerts of this topic would be sent to this address.")
      .WithField("ask", request.subscription_arn)
      .WithField("token", proof.token);
}

sns::Subscription ToApi(const TopicService& topics, const CallContext& context, const notify::Subscription& s) {
  return {s.confirmed ? topics.SubscriptionArn(s) : kPending, context.account(), s.protocol, s.endpoint,
          topics.TopicArn(s.topic)};
}

Result<SubscribeResponse> MakeSubscription(TopicService& topics, const CallContext& context, const SubscribeInput& request) {
  FW_ASSIGN(auto subscription, topics.Subscribe(ActorOf(context), request.topic_arn, request.protocol,
                                                request.endpoint.value_or(""),
                                                request.attributes.value_or(notify::Attributes())));
  bool shown = subscription.confirmed || request.return_subscription_arn.value_or(false);
  return SubscribeResponse{shown ? topics.SubscriptionArn(subscription) : "pending confirmation"};
}

Result<ConfirmSubscriptionResponse> Confirm(TopicService& topics, const CallContext& context,
                                            const ConfirmSubscriptionInput& request) {
  const std::string authenticate = request.authenticate_on_unsubscribe.value_or("false");
  if (authenticate != "true" && authenticate != "false") {
    return Error(Code::kInvalidArgument, "Invalid parameter: AuthenticateOnUnsubscribe must be true or false");
  }
  bool protect = authenticate == "true";
  if (protect && !context.principal) {
    return Error(Code::kPermissionDenied, "AuthenticateOnUnsubscribe=true needs a signed call");
  }
  FW_ASSIGN(auto subscription,
            topics.Confirm(request.topic_arn, request.token, context.principal.has_value(), protect));
  return ConfirmSubscriptionResponse{topics.SubscriptionArn(subscription)};
}

/// Both listings: of one topic, or of all when `topic_arn` is empty.
template <class Response>
Result<Response> List(const TopicService& topics, const CallContext& context, const std::string& topic_arn,
                      const std::optional<std::string>& token) {
  FW_ASSIGN(std::string from, context.ReadPageToken(token, topic_arn));
  FW_ASSIGN(auto page, topics.ListSubscriptions(topic_arn, from, kSnsPage));
  Response response;
  response.subscriptions.emplace();
  for (const auto& each : page.items) response.subscriptions->push_back(ToApi(topics, context, each));
  response.next_token = NextToken(context, page.next, topic_arn);
  return response;
}

Result<GetSubscriptionAttributesResponse> GetAttributes(const TopicService& topics, const CallContext& context,
                                                        const GetSubscriptionAttributesInput& request) {
  FW_ASSIGN(auto subscription, topics.GetSubscription(request.subscription_arn));
  notify::Attributes attributes = subscription.attributes;
  attributes["SubscriptionArn"] = topics.SubscriptionArn(subscription);
  attributes["TopicArn"] = topics.TopicArn(subscription.topic);
  attributes["Owner"] = context.account();
  attributes["Protocol"] = subscription.protocol;
  attributes["Endpoint"] = subscription.endpoint;
  attributes["PendingConfirmation"] = subscription.confirmed ? "false" : "true";
  attributes["ConfirmationWasAuthenticated"] = subscription.confirmed_by_signature ? "true" : "false";
  attributes.try_emplace("RawMessageDelivery", "false");
  if (attributes.contains("FilterPolicy")) attributes.try_emplace("FilterPolicyScope", "MessageAttributes");
  FW_ASSIGN(std::string effective, topics.EffectiveDeliveryPolicy(subscription));
  if (!effective.empty()) attributes["EffectiveDeliveryPolicy"] = effective;
  return GetSubscriptionAttributesResponse{std::move(attributes)};
}

}  // namespace

void RegisterSubscriptions(Router& router, TopicService& topics) {
  router.Handle<sns::Subscribe>(
      [&topics](auto& context, auto& request) { return MakeSubscription(topics, context, request); });
  router.Handle<ConfirmSubscription>(
      [&topics](auto& context, auto& request) { return Confirm(topics, context, request); });
  router.ShowPage<ConfirmSubscription>(PageFor("Subscription confirmed",
                                               "Alerts of this topic will be sent to you from now on.",
                                               "The subscription could not be confirmed"));
  router.Handle<Unsubscribe>([&topics](auto& context, auto& request) { return End(topics, context, request); });
  router.ShowPage<Unsubscribe>(UnsubscribePage());
  router.Handle<ListSubscriptions>([&topics](auto& context, const ListSubscriptionsInput& request) {
    return List<ListSubscriptionsResponse>(topics, context, "", request.next_token);
  });
  router.Handle<ListSubscriptionsByTopic>([&topics](auto& context, const ListSubscriptionsByTopicInput& request) {
    return List<ListSubscriptionsByTopicResponse>(topics, context, request.topic_arn, request.next_token);
  });
  router.Handle<GetSubscriptionAttributes>(
      [&topics](auto& context, auto& request) { return GetAttributes(topics, context, request); });
  router.Handle<SetSubscriptionAttributes>(
      [&topics](auto& context, const SetSubscriptionAttributesInput& request) -> Result<Empty> {
        FW_TRY(topics.SetSubscriptionAttribute(ActorOf(context), request.subscription_arn, request.attribute_name,
                                               request.attribute_value.value_or("")));
        return Empty{};
      });
}

}  // namespace fleetward::api
