"""Topics: their attributes, permissions and tags."""
from .. import ABSENT, ANY, count, fails, has, ok

SETTINGS = {"notify.max_topics": "4"}

INVALID, MISSING, LIMIT = "InvalidParameterException", "NotFoundException", "TopicLimitExceededException"
NO_RESOURCE, TAG_LIMIT = "ResourceNotFoundException", "TagLimitExceededException"
T = {"TopicArn": "<<arn>>:pumps"}
NONE = {"TopicArn": "<<arn>>:none"}
BAD = {"TopicArn": "nonsense"}
R = {"ResourceArn": "<<arn>>:pumps"}
TAGS = [{"Key": "site", "Value": "north"}]
PERMISSION = {"Label": "partner", "AWSAccountId": ["111122223333", "444455556666"], "ActionName": ["Publish", "Subscribe"]}
DELIVERY = '{"http":{"defaultHealthyRetryPolicy":{"numRetries":7,"minDelayTarget":20,"maxDelayTarget":60}}}'


def attribute(name, value):
    return {**T, "AttributeName": name, "AttributeValue": value}


STEPS = [
    ok("CreateTopic", {"Name": "pumps", "Attributes": {"DisplayName": "Süd & <West>", "SignatureVersion": "2"}, "Tags": TAGS}, T),
    ok("CreateTopic", {"Name": "pumps"}, T),
    ok("CreateTopic", {"Name": "pumps", "Attributes": {"DisplayName": "Süd & <West>"}, "Tags": TAGS}, T),
    fails(INVALID, "CreateTopic", {"Name": "pumps", "Attributes": {"DisplayName": "Other"}}, says="different attributes"),
    fails(INVALID, "CreateTopic", {"Name": "pumps", "Tags": [{"Key": "site", "Value": "south"}]}, says="different tags"),
    fails(INVALID, "CreateTopic", {"Name": "a b"}, says="Topic Name"),
    fails(INVALID, "CreateTopic", {"Name": "x" * 257}, says="Topic Name"),
    fails(INVALID, "CreateTopic", {"Name": "pumps.fifo"}, says="FIFO"),
    fails(INVALID, "CreateTopic", {"Name": "never", "Attributes": {"SignatureVersion": "3"}}, says="SignatureVersion"),
    fails(INVALID, "CreateTopic", {"Name": "never", "Attributes": {"KmsMasterKeyId": "alias/a"}}, says="KmsMasterKeyId"),
    fails(INVALID, "CreateTopic", {"Name": "never", "DataProtectionPolicy": "{}"}, says="DataProtectionPolicy"),
    fails(TAG_LIMIT, "CreateTopic", {"Name": "never", "Tags": [{"Key": str(i), "Value": ""} for i in range(51)]}, says="50 tags"),
    ok("CreateTopic", {"Name": "a"}), ok("CreateTopic", {"Name": "b"}), ok("CreateTopic", {"Name": "c"}),
    fails(LIMIT, "CreateTopic", {"Name": "never"}, says="limit"),
    ok("ListTopics", {}, {"Topics": count(4), "Topics.3": T, "NextToken": ABSENT}),
    fails(INVALID, "ListTopics", {"NextToken": "eHg="}),
    ok("DeleteTopic", {"TopicArn": "<<arn>>:a"}), ok("DeleteTopic", {"TopicArn": "<<arn>>:b"}),
    ok("DeleteTopic", {"TopicArn": "<<arn>>:c"}), ok("DeleteTopic", {"TopicArn": "<<arn>>:c"}),
    fails(INVALID, "DeleteTopic", BAD, says="TopicArn"),
    fails(MISSING, "DeleteTopic", {"TopicArn": "arn:aws:sns:us-east-1:999999999999:pumps"}),

    ok("GetTopicAttributes", T, {
        "Attributes.TopicArn": "<<arn>>:pumps", "Attributes.Owner": "<<account>>", "Attributes.DisplayName": "Süd & <West>",
        "Attributes.SignatureVersion": "2", "Attributes.SubscriptionsConfirmed": "0", "Attributes.SubscriptionsPending": "0",
        "Attributes.SubscriptionsDeleted": "0", "Attributes.Policy": has("<<arn>>:pumps"),
        "Attributes.EffectiveDeliveryPolicy": has("numRetries"), "Attributes.DeliveryPolicy": ABSENT}),
    fails(MISSING, "GetTopicAttributes", NONE, says="does not exist"),
    fails(INVALID, "GetTopicAttributes", BAD, says="TopicArn"),
    ok("SetTopicAttributes", attribute("DisplayName", "Pumps")),
    ok("SetTopicAttributes", attribute("DeliveryPolicy", DELIVERY)),
    ok("GetTopicAttributes", T, {"Attributes.DisplayName": "Pumps", "Attributes.DeliveryPolicy": DELIVERY}),
    ok("SetTopicAttributes", attribute("DeliveryPolicy", "")),
    ok("GetTopicAttributes", T, {"Attributes.DeliveryPolicy": ABSENT}),
    fails(INVALID, "SetTopicAttributes", attribute("DisplayName", "a\nBcc: b"), says="DisplayName"),
    fails(INVALID, "SetTopicAttributes", attribute("Policy", "[]"), says="Policy"),
    fails(INVALID, "SetTopicAttributes", attribute("Owner", "x"), says="Owner"),
    fails(MISSING, "SetTopicAttributes", {**attribute("DisplayName", "x"), **NONE}, says="does not exist"),

    ok("AddPermission", {**T, **PERMISSION}),
    ok("GetTopicAttributes", T, {"Attributes.Policy": has("arn:aws:iam::444455556666:root")}),
    fails(INVALID, "AddPermission", {**T, **PERMISSION}),
    fails(INVALID, "AddPermission", {**T, **PERMISSION, "Label": "other", "ActionName": ["Fly"]}),
    fails(INVALID, "AddPermission", {**T, **PERMISSION, "Label": "other", "AWSAccountId": ["12"]}),
    fails(MISSING, "AddPermission", {**NONE, **PERMISSION}, says="does not exist"),
    ok("RemovePermission", {**T, "Label": "partner"}),
    fails(MISSING, "RemovePermission", {**T, "Label": "partner"}, says="partner"),
    fails(MISSING, "RemovePermission", {**NONE, "Label": "partner"}, says="does not exist"),
    fails(INVALID, "RemovePermission", {**BAD, "Label": "partner"}, says="TopicArn"),

    ok("TagResource", {**R, "Tags": [{"Key": "site", "Value": "south"}, {"Key": "a:b/c", "Value": ""}]}),
    ok("ListTagsForResource", R, {"Tags": count(2), "Tags.0": {"Key": "a:b/c", "Value": ""},
                                  "Tags.1": {"Key": "site", "Value": "south"}}),
    ok("UntagResource", {**R, "TagKeys": ["a:b/c", "never there"]}),
    ok("ListTagsForResource", R, {"Tags": [{"Key": "site", "Value": "south"}]}),
    fails(TAG_LIMIT, "TagResource", {**R, "Tags": [{"Key": str(i), "Value": ""} for i in range(50)]}, says="50 tags"),
    fails(INVALID, "TagResource", {**R, "Tags": [{"Key": "aws:x", "Value": "x"}]}),
    fails(INVALID, "TagResource", {**R, "Tags": [{"Key": "x", "Value": "1"}, {"Key": "x", "Value": "2"}]}),
    *[fails(error, operation, {"ResourceArn": arn, **more})
      for operation, more in (("TagResource", {"Tags": TAGS}), ("UntagResource", {"TagKeys": ["site"]}),
                              ("ListTagsForResource", {}))
      for error, arn in ((NO_RESOURCE, "<<arn>>:none"), (INVALID, "nonsense"))],

    ok("DeleteTopic", T),
    fails(MISSING, "GetTopicAttributes", T),
    # Tags go with their topic.
    ok("CreateTopic", {"Name": "pumps"}, {"TopicArn": ANY}),
    ok("ListTagsForResource", R, {"Tags": []}),
    ok("DeleteTopic", T),
]
