"""Subscriptions: the handshake with an endpoint, attributes, listings, the end."""
from .. import ABSENT, ANY, arrives, count, fails, has, ok

SETTINGS = {"fetch.allow_loopback": "true", "notify.max_subscriptions_per_topic": "4",
            "notify.max_filter_policies_per_topic": "2"}

INVALID, MISSING = "InvalidParameterException", "NotFoundException"
LIMIT, FILTERS = "SubscriptionLimitExceededException", "FilterPolicyLimitExceededException"
T = {"TopicArn": "<<arn>>:listeners"}
NONE = {"TopicArn": "<<arn>>:none"}
S = {"SubscriptionArn": "<<subscription>>"}
NOBODY = {"SubscriptionArn": "<<arn>>:listeners:0f2d9f9c-8a54-4c12-9d0f-4a1f7ad5a001"}
BAD = {"SubscriptionArn": "PendingConfirmation"}
FILTER = '{"site":["north",{"prefix":"so"}]}'


def mail(name):
    return {**T, "Protocol": "email", "Endpoint": f"{name}@example.com"}


def attribute(name, value, of=None):
    return {**(of or S), "AttributeName": name, "AttributeValue": value}


STEPS = [
    ok("CreateTopic", {"Name": "listeners"}, T),
    ok("Subscribe", {**T, "Protocol": "http", "Endpoint": "<<hook>>"}, {"SubscriptionArn": "pending confirmation"}),
    arrives("SubscriptionConfirmation", {**T, "Token": ANY, "SubscribeURL": has("Action=ConfirmSubscription")}, {"token": "Token"}),
    ok("ListSubscriptionsByTopic", T, {"Subscriptions": [
        {"SubscriptionArn": "PendingConfirmation", "Owner": "<<account>>", "Protocol": "http", "Endpoint": "<<hook>>", **T}]}),
    fails(INVALID, "ConfirmSubscription", {**T, "Token": "x"}),
    fails(INVALID, "ConfirmSubscription", {**T, "Token": "<<token>>0"}),
    fails(MISSING, "ConfirmSubscription", {**NONE, "Token": "<<token>>"}),
    ok("ConfirmSubscription", {**T, "Token": "<<token>>", "AuthenticateOnUnsubscribe": "true"},
       {"SubscriptionArn": has("<<arn>>:listeners:")}, {"subscription": "SubscriptionArn"}),
    ok("Subscribe", {**T, "Protocol": "http", "Endpoint": "<<hook>>"}, S),
    ok("ListSubscriptions", {}, {"Subscriptions": count(1), "Subscriptions.0.SubscriptionArn": "<<subscription>>",
                                 "NextToken": ABSENT}),
    fails(INVALID, "ListSubscriptions", {"NextToken": "eHg="}),
    fails(INVALID, "ListSubscriptionsByTopic", {"TopicArn": "nonsense"}, says="TopicArn"),
    fails(INVALID, "ListSubscriptionsByTopic", {**T, "NextToken": "eHg="}),
    fails(MISSING, "ListSubscriptionsByTopic", NONE, says="does not exist"),

    ok("GetSubscriptionAttributes", S, {
        "Attributes.SubscriptionArn": "<<subscription>>", "Attributes.TopicArn": "<<arn>>:listeners",
        "Attributes.Owner": "<<account>>", "Attributes.Protocol": "http", "Attributes.Endpoint": "<<hook>>",
        "Attributes.PendingConfirmation": "false", "Attributes.ConfirmationWasAuthenticated": "true",
        "Attributes.RawMessageDelivery": "false", "Attributes.EffectiveDeliveryPolicy": has("healthyRetryPolicy"),
        "Attributes.FilterPolicy": ABSENT}),
    ok("SetSubscriptionAttributes", attribute("FilterPolicy", FILTER)),
    ok("GetSubscriptionAttributes", S, {"Attributes.FilterPolicy": FILTER, "Attributes.FilterPolicyScope": "MessageAttributes"}),
    ok("SetSubscriptionAttributes", attribute("FilterPolicy", "{}")),
    ok("GetSubscriptionAttributes", S, {"Attributes.FilterPolicy": ABSENT}),
    fails(INVALID, "SetSubscriptionAttributes", attribute("RawMessageDelivery", "maybe"), says="RawMessageDelivery"),
    fails(INVALID, "SetSubscriptionAttributes", attribute("FilterPolicy", '{"site":"north"}'), says="FilterPolicy"),
    fails(INVALID, "SetSubscriptionAttributes", attribute("Endpoint", "x"), says="Endpoint"),
    fails(MISSING, "SetSubscriptionAttributes", attribute("RawMessageDelivery", "true", NOBODY), says="does not exist"),
    fails(MISSING, "GetSubscriptionAttributes", NOBODY, says="does not exist"),
    fails(INVALID, "GetSubscriptionAttributes", BAD, says="SubscriptionArn"),

    *[fails(INVALID, "Subscribe", {**T, "Protocol": protocol, "Endpoint": endpoint}) for protocol, endpoint in (
        ("http", "https://127.0.0.1/"), ("email", "nobody"), ("email", "a@b.de\r\nX: y"), ("sms", "+4917012345"),
        ("sqs", "arn:aws:sqs:us-east-1:123456789012:q"), ("nonsense", "x"))],
    fails(INVALID, "Subscribe", {**mail("a"), "Attributes": {"RawMessageDelivery": "true"}}),
    fails(INVALID, "Subscribe", {**mail("a"), "Attributes": {"FilterPolicy": "x"}}),
    fails(MISSING, "Subscribe", {**mail("a"), **NONE}, says="does not exist"),
    ok("Subscribe", {**mail("a"), "Attributes": {"FilterPolicy": FILTER}}),
    ok("Subscribe", {**mail("b"), "Attributes": {"FilterPolicy": FILTER}, "ReturnSubscriptionArn": True},
       {"SubscriptionArn": has("<<arn>>:listeners:")}, {"pending": "SubscriptionArn"}),
    fails(FILTERS, "Subscribe", {**mail("c"), "Attributes": {"FilterPolicy": FILTER}}),
    fails(FILTERS, "SetSubscriptionAttributes", attribute("FilterPolicy", FILTER)),
    ok("Subscribe", mail("c")),
    fails(LIMIT, "Subscribe", mail("d")),
    ok("GetTopicAttributes", T, {"Attributes.SubscriptionsConfirmed": "1", "Attributes.SubscriptionsPending": "3"}),
    # A confirmation must not be a weapon: five an hour to an address.
    *[ok("Subscribe", mail("c")) for _ in range(4)],
    fails("ThrottledException", "Subscribe", mail("c"), says="too many confirmation messages"),

    fails(INVALID, "Unsubscribe", {"SubscriptionArn": "<<pending>>"}, says="pending"),
    fails(INVALID, "Unsubscribe", {"SubscriptionArn": "nonsense"}, says="SubscriptionArn"),
    fails(MISSING, "Unsubscribe", {"SubscriptionArn": "arn:aws:sns:us-east-1:999999999999:t:0f2d9f9c-8a54-4c12-9d0f-4a1f7ad5a001"}),
    ok("Unsubscribe", S), ok("Unsubscribe", S),
    arrives("UnsubscribeConfirmation", {**T, "SubscribeURL": has("Action=ConfirmSubscription")}),
    fails(MISSING, "GetSubscriptionAttributes", S, says="does not exist"),
    ok("GetTopicAttributes", T, {"Attributes.SubscriptionsConfirmed": "0", "Attributes.SubscriptionsDeleted": "1"}),
    ok("DeleteTopic", T),
    ok("ListSubscriptions", {}, {"Subscriptions": []}),
]
