"""Each of the 19 SNS operations with boto3: what works, and every error that a client can cause."""
import base64
import json
import urllib.error
import uuid

import botocore.exceptions
import pytest

import tour
from support.hook import Hook
from support.mail import links
from support.processes import wait_for
from tour import _coverage, _run

ARN = "arn:aws:sns:us-east-1:123456789012:"
OPERATIONS = """AddPermission ConfirmSubscription CreateTopic DeleteTopic GetSubscriptionAttributes GetTopicAttributes
    ListSubscriptions ListSubscriptionsByTopic ListTagsForResource ListTopics Publish PublishBatch RemovePermission
    SetSubscriptionAttributes SetTopicAttributes Subscribe TagResource UntagResource Unsubscribe""".split()
_called = set()


@pytest.fixture(scope="module")
def fw(make_shared):
    fw = make_shared({"fetch.allow_loopback": "true", "notify.max_subscriptions_per_topic": "5", "notify.max_topics": "300",
                      "notify.max_filter_policies_per_topic": "2", "notify.confirmations_per_key_per_hour": "1000"})
    fw.sns.meta.events.register("before-call.sns", lambda model, **_: _called.add(model.name))
    return fw


@pytest.fixture
def sns(fw):
    return fw.sns


@pytest.fixture
def topic(sns):
    return sns.create_topic(Name=f"tour-{uuid.uuid4().hex}")["TopicArn"]


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.stop()


def fails(code, call, *, status=None, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    assert answer["Error"]["Code"] == code, answer
    assert answer["Error"]["Message"] and answer["ResponseMetadata"]["RequestId"]
    if status:
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    return answer["Error"]["Message"]


def confirmed(sns, topic, hook, **attributes):
    """A confirmed subscription; its ARN."""
    before = len(hook.received)
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"{hook.url}?{before}", Attributes=attributes)
    asked = wait_for(lambda: [r for r in hook.received[before:] if r.type == "SubscriptionConfirmation"], 30, "a handshake")[0]
    return sns.confirm_subscription(TopicArn=topic, Token=asked.json["Token"])["SubscriptionArn"]


def test_create_topic(sns):
    name = f"tour-{uuid.uuid4().hex}"
    arn = sns.create_topic(Name=name, Attributes={"DisplayName": "Pumps", "SignatureVersion": "2"},
                           Tags=[{"Key": "site", "Value": "a"}])["TopicArn"]
    assert arn == ARN + name
    assert sns.create_topic(Name=name)["TopicArn"] == arn
    assert sns.create_topic(Name=name, Attributes={"DisplayName": "Pumps"}, Tags=[{"Key": "site", "Value": "a"}])["TopicArn"] == arn
    fails("InvalidParameter", sns.create_topic, status=400, Name=name, Attributes={"DisplayName": "Other"})
    fails("InvalidParameter", sns.create_topic, Name=name, Tags=[{"Key": "site", "Value": "b"}])
    for bad in ("", "a b", "a/b", "a.b", "ä", "x" * 257, "a.fifo"):
        fails("InvalidParameter", sns.create_topic, Name=bad)
    fails("InvalidParameter", sns.create_topic)
    for attributes in ({"DisplayName": "a\r\nBcc: x"}, {"DisplayName": "x" * 101}, {"SignatureVersion": "3"}, {"FifoTopic": "true"},
                       {"ContentBasedDeduplication": "true"}, {"KmsMasterKeyId": "alias/a"}, {"TracingConfig": "Active"},
                       {"Policy": "no"}, {"DeliveryPolicy": '{"http":{"x":1}}'}, {"Nonsense": "1"}):
        fails("InvalidParameter", sns.create_topic, Name="never", Attributes=attributes)
    fails("InvalidParameter", sns.create_topic, Name="never", DataProtectionPolicy="{}")
    fails("InvalidParameter", sns.create_topic, Name="never", Tags=[{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}])
    fails("TagLimitExceeded", sns.create_topic, Name="never", Tags=[{"Key": str(i), "Value": ""} for i in range(51)])


def test_topic_attributes(sns, topic):
    shown = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert shown["TopicArn"] == topic and shown["Owner"] == "123456789012" and shown["DisplayName"] == ""
    assert shown["SubscriptionsConfirmed"] == shown["SubscriptionsPending"] == shown["SubscriptionsDeleted"] == "0"
    assert json.loads(shown["Policy"])["Statement"][0]["Resource"] == topic
    effective = json.loads(shown["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]
    assert effective["numRetries"] == 3 and effective["minDelayTarget"] == effective["maxDelayTarget"] == 20
    policy = {"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Deny", "Principal": "*", "Action": "SNS:Publish",
                                                      "Resource": topic}]}
    delivery = {"http": {"defaultHealthyRetryPolicy": {"numRetries": 7, "backoffFunction": "exponential", "maxDelayTarget": 60}}}
    for name, value in (("DisplayName", "Süd"), ("Policy", json.dumps(policy)), ("DeliveryPolicy", json.dumps(delivery)),
                        ("SignatureVersion", "2"), ("TracingConfig", "PassThrough")):
        sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)
        assert sns.get_topic_attributes(TopicArn=topic)["Attributes"][name] == value
    shown = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert json.loads(shown["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 7
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DeliveryPolicy", AttributeValue="")
    assert "DeliveryPolicy" not in sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    for name, value in (("DisplayName", "a\nb"), ("Policy", "[]"), ("DeliveryPolicy", "[]"), ("SignatureVersion", "0"),
                        ("FifoTopic", "false"), ("TopicArn", "x"), ("Owner", "x"), ("", "x"), ("KmsMasterKeyId", "x"),
                        ("ContentBasedDeduplication", "false"),
                        ("DeliveryPolicy", '{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":60,"maxDelayTarget":60,"numRetries":90}}}')):
        fails("InvalidParameter", sns.set_topic_attributes, TopicArn=topic, AttributeName=name, AttributeValue=value)
    fails("NotFound", sns.get_topic_attributes, status=404, TopicArn=ARN + "none")
    fails("NotFound", sns.set_topic_attributes, TopicArn=ARN + "none", AttributeName="DisplayName", AttributeValue="x")
    for bad in ("x", "arn:aws:iot:us-east-1:123456789012:t", ARN + "a b", ARN):
        fails("InvalidParameter", sns.get_topic_attributes, TopicArn=bad)
    fails("InvalidParameter", sns.get_topic_attributes)
    fails("NotFound", sns.get_topic_attributes, TopicArn="arn:aws:sns:us-east-1:999999999999:t")


def test_delete_topic(sns, topic):
    sns.delete_topic(TopicArn=topic)
    sns.delete_topic(TopicArn=topic)
    fails("NotFound", sns.get_topic_attributes, TopicArn=topic)
    fails("InvalidParameter", sns.delete_topic, TopicArn="x")


def test_subscribe_and_confirm(sns, topic, hook):
    answer = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=hook.url)
    assert answer["SubscriptionArn"] == "pending confirmation"
    hook.wait(1, "SubscriptionConfirmation")
    arn = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=hook.url, ReturnSubscriptionArn=True)["SubscriptionArn"]
    assert arn.startswith(topic + ":") and uuid.UUID(arn.rsplit(":", 1)[1])
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed == [{"SubscriptionArn": "PendingConfirmation", "Owner": "123456789012", "Protocol": "http",
                       "Endpoint": hook.url, "TopicArn": topic}]
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "true"
    first, second = [r.json["Token"] for r in hook.wait(2, "SubscriptionConfirmation")]
    for bad in ("x", first, second[:-1] + ("0" if second[-1] != "0" else "1"), second + "0"):  # a new token replaces the old
        fails("InvalidParameter", sns.confirm_subscription, TopicArn=topic, Token=bad)
    fails("InvalidParameter", sns.confirm_subscription, TopicArn=topic)
    fails("InvalidParameter", sns.confirm_subscription, TopicArn=topic, Token=second, AuthenticateOnUnsubscribe="perhaps")
    fails("NotFound", sns.confirm_subscription, TopicArn=ARN + "none", Token=second)
    assert sns.confirm_subscription(TopicArn=topic, Token=second)["SubscriptionArn"] == arn
    assert sns.confirm_subscription(TopicArn=topic, Token=second)["SubscriptionArn"] == arn
    assert sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=hook.url)["SubscriptionArn"] == arn
    fails("InvalidParameter", sns.subscribe, TopicArn=topic, Protocol="http", Endpoint=hook.url,
          Attributes={"RawMessageDelivery": "true"})
    for protocol, endpoint in (("http", "https://127.0.0.1/"), ("https", "http://127.0.0.1/"), ("email", "nobody"),
                               ("email", "a@b\r\nX: y"), ("email-json", ""), ("sms", "+4917012345"), ("sqs", "arn:aws:sqs:x"),
                               ("lambda", "x"), ("application", "x"), ("firehose", "x"), ("nonsense", "x"), ("", "x")):
        fails("InvalidParameter", sns.subscribe, TopicArn=topic, Protocol=protocol, Endpoint=endpoint)
    fails("InvalidParameter", sns.subscribe, TopicArn=topic, Protocol="http")
    fails("NotFound", sns.subscribe, status=404, TopicArn=ARN + "none", Protocol="http", Endpoint=hook.url)
    for attributes in ({"FilterPolicy": "x"}, {"RawMessageDelivery": "maybe"}, {"Nonsense": "1"}, {"SubscriptionRoleArn": "x"}):
        fails("InvalidParameter", sns.subscribe, TopicArn=topic, Protocol="http", Endpoint=hook.url + "2", Attributes=attributes)
    for i in range(4):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=f"a{i}@example.com")
    fails("SubscriptionLimitExceeded", sns.subscribe, status=403, TopicArn=topic, Protocol="email", Endpoint="a9@example.com")


def test_confirmations_are_limited_per_address(sns):
    """threats.md t: a confirmation must not be a weapon."""
    for _ in range(5):
        arn = sns.create_topic(Name=f"tour-{uuid.uuid4().hex}")["TopicArn"]
        sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="victim@example.com")
    fails("Throttled", sns.subscribe, status=429, TopicArn=arn, Protocol="email", Endpoint="victim@example.com")


def test_confirmations_are_limited_per_key(make):
    sns = make({"notify.confirmations_per_key_per_hour": "3"}).sns
    arn = sns.create_topic(Name="many")["TopicArn"]
    for number in range(3):
        sns.subscribe(TopicArn=arn, Protocol="email", Endpoint=f"somebody-{number}@example.com")
    fails("Throttled", sns.subscribe, status=429, TopicArn=arn, Protocol="email", Endpoint="another@example.com")


def test_subscription_attributes(sns, topic, hook):
    arn = confirmed(sns, topic, hook, FilterPolicy='{"a": ["b"]}')
    shown = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert shown["SubscriptionArn"] == arn and shown["TopicArn"] == topic and shown["Owner"] == "123456789012"
    assert shown["Protocol"] == "http" and shown["Endpoint"].startswith(hook.url)
    assert shown["PendingConfirmation"] == "false" and shown["RawMessageDelivery"] == "false"
    assert shown["ConfirmationWasAuthenticated"] == "true"  # confirmed by a signed call
    assert shown["FilterPolicy"] == '{"a": ["b"]}' and shown["FilterPolicyScope"] == "MessageAttributes"
    assert json.loads(shown["EffectiveDeliveryPolicy"])["healthyRetryPolicy"]["numRetries"] == 3
    redrive = '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"}'
    for name, value in (("RawMessageDelivery", "true"), ("FilterPolicyScope", "MessageBody"), ("RedrivePolicy", redrive),
                        ("FilterPolicy", '{"a": {"b": [{"exists": true}]}}'),
                        ("DeliveryPolicy", '{"healthyRetryPolicy": {"numRetries": 5}, "throttlePolicy": {"maxReceivesPerSecond": 3}}')):
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, AttributeValue=value)
        assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"][name] == value
    effective = json.loads(sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["EffectiveDeliveryPolicy"])
    assert effective["healthyRetryPolicy"]["numRetries"] == 5 and effective["throttlePolicy"]["maxReceivesPerSecond"] == 3
    for name, value in (("RawMessageDelivery", "yes"), ("FilterPolicyScope", "x"), ("FilterPolicyScope", "MessageAttributes"),
                        ("FilterPolicy", '{"a": "b"}'), ("FilterPolicy", json.dumps({str(i): ["x"] for i in range(6)})),
                        ("FilterPolicy", json.dumps({"a": list(range(151))})), ("FilterPolicy", '{"a": [{"like": "x"}]}'),
                        ("RedrivePolicy", "{}"), ("DeliveryPolicy", '{"x": 1}'), ("SubscriptionRoleArn", "x"), ("Endpoint", "x"),
                        ("DeliveryPolicy", '{"healthyRetryPolicy": {"numRetries": 101}}')):
        fails("InvalidParameter", sns.set_subscription_attributes, SubscriptionArn=arn, AttributeName=name, AttributeValue=value)
    for name in ("RedrivePolicy", "DeliveryPolicy"):
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, AttributeValue="")
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue="{}")
    shown = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert not {"RedrivePolicy", "DeliveryPolicy", "FilterPolicy"} & set(shown)
    for missing, code in ((topic + ":" + str(uuid.uuid4()), "NotFound"), ("x", "InvalidParameter"), (topic, "InvalidParameter"),
                          ("PendingConfirmation", "InvalidParameter")):
        fails(code, sns.get_subscription_attributes, SubscriptionArn=missing)
        fails(code, sns.set_subscription_attributes, SubscriptionArn=missing, AttributeName="RawMessageDelivery", AttributeValue="true")
    mail = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=f"{uuid.uuid4().hex}@example.com", ReturnSubscriptionArn=True)
    for name, value in (("RawMessageDelivery", "true"), ("DeliveryPolicy", "{}")):
        fails("InvalidParameter", sns.set_subscription_attributes, SubscriptionArn=mail["SubscriptionArn"], AttributeName=name,
              AttributeValue=value)


def test_filter_policies_are_counted(sns, topic):
    for i in range(2):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=f"{i}{uuid.uuid4().hex}@example.com",
                      Attributes={"FilterPolicy": '{"a": ["b"]}'})
    fails("FilterPolicyLimitExceeded", sns.subscribe, status=403, TopicArn=topic, Protocol="email",
          Endpoint=f"{uuid.uuid4().hex}@example.com", Attributes={"FilterPolicy": '{"a": ["b"]}'})
    plain = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=f"{uuid.uuid4().hex}@example.com", ReturnSubscriptionArn=True)
    fails("FilterPolicyLimitExceeded", sns.set_subscription_attributes, SubscriptionArn=plain["SubscriptionArn"],
          AttributeName="FilterPolicy", AttributeValue='{"a": ["b"]}')


def test_unsubscribe(sns, topic, hook):
    arn = confirmed(sns, topic, hook)
    sns.unsubscribe(SubscriptionArn=arn)
    sns.unsubscribe(SubscriptionArn=arn)
    hook.wait(1, "UnsubscribeConfirmation")
    fails("NotFound", sns.get_subscription_attributes, SubscriptionArn=arn)
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsDeleted"] == "1"
    fails("InvalidParameter", sns.unsubscribe, SubscriptionArn="x")
    fails("InvalidParameter", sns.unsubscribe)
    pending = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=hook.url + "?pending", ReturnSubscriptionArn=True)
    fails("InvalidParameter", sns.unsubscribe, SubscriptionArn=pending["SubscriptionArn"])


def test_publish(sns, topic, hook):
    confirmed(sns, topic, hook)
    ids = {sns.publish(TopicArn=topic, Message="one")["MessageId"], sns.publish(TargetArn=topic, Message="two", Subject="s")["MessageId"]}
    ids.add(sns.publish(TopicArn=topic, MessageStructure="json", Message=json.dumps({"default": "d", "http": "three"}))["MessageId"])
    ids.add(sns.publish(TopicArn=topic, Message="x" * (256 * 1024))["MessageId"])
    got = hook.wait(4, "Notification")
    assert {r.json["MessageId"] for r in got} == ids
    assert sorted(r.json["Message"] for r in got)[:3] == ["one", "three", "two"]
    text = {"DataType": "String", "StringValue": "v"}
    sns.publish(TopicArn=topic, Message="m", MessageAttributes={"a": text, "b": {"DataType": "String.Array", "StringValue": '["x",1]'},
                                                               "c": {"DataType": "Number", "StringValue": "1.5"},
                                                               "d": {"DataType": "Binary", "BinaryValue": b"\0"}})
    fails("InvalidParameter", sns.publish, TopicArn=topic)
    fails("InvalidParameter", sns.publish, TopicArn=topic, Message="")
    fails("InvalidParameter", sns.publish, TopicArn=topic, Message="x" * (256 * 1024 + 1))
    fails("InvalidParameter", sns.publish, TopicArn=topic, Message="x" * (256 * 1024), MessageAttributes={"a": text})
    fails("InvalidParameter", sns.publish, Message="x")
    fails("InvalidParameter", sns.publish, TopicArn=topic, TargetArn=topic, Message="x")
    fails("InvalidParameter", sns.publish, PhoneNumber="+4917012345", Message="x")
    for subject in ("a\nb", "a\rb", "x" * 101, "\x00"):
        fails("InvalidParameter", sns.publish, TopicArn=topic, Message="x", Subject=subject)
    for structure, message in (("json", "no json"), ("json", "{}"), ("json", '{"http": "x"}'), ("xml", '{"default": "x"}')):
        fails("InvalidParameter", sns.publish, TopicArn=topic, MessageStructure=structure, Message=message)
    for name, attribute in ((".a", text), ("AWS.a", text), ("a b", text), ("a", {"DataType": "Number", "StringValue": "x"}),
                            ("a", {"DataType": "String.Array", "StringValue": "x"}), ("a", {"DataType": "Strange", "StringValue": "x"}),
                            ("a", {"DataType": "String", "StringValue": ""}), ("a", {"DataType": "String", "BinaryValue": b"x"}),
                            ("a", {"DataType": "Binary", "StringValue": "x"})):
        fails("ParameterValueInvalid", sns.publish, status=400, TopicArn=topic, Message="x", MessageAttributes={name: attribute})
    fails("InvalidParameter", sns.publish, TopicArn=topic, Message="x", MessageGroupId="g")
    fails("InvalidParameter", sns.publish, TopicArn=topic, Message="x", MessageDeduplicationId="g")
    fails("NotFound", sns.publish, status=404, TopicArn=ARN + "none", Message="x")


def test_publish_batch(sns, topic, hook):
    confirmed(sns, topic, hook)
    entries = [{"Id": f"e{i}", "Message": f"m{i}"} for i in range(10)]
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [e["Id"] for e in answer["Successful"]] == [e["Id"] for e in entries] and not answer.get("Failed")
    got = hook.wait(10, "Notification")
    assert {r.json["MessageId"] for r in got} == {e["MessageId"] for e in answer["Successful"]}
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[
        {"Id": "good", "Message": "x"}, {"Id": "bad", "Message": "x", "Subject": "a\nb"}, {"Id": "empty", "Message": ""}])
    assert [e["Id"] for e in answer["Successful"]] == ["good"]
    assert {e["Id"]: (e["Code"], e["SenderFault"]) for e in answer["Failed"]} == {
        "bad": ("InvalidParameter", True), "empty": ("InvalidParameter", True)}

    def batch(code, entries, arn=topic):
        fails(code, sns.publish_batch, TopicArn=arn, PublishBatchRequestEntries=entries)
    batch("EmptyBatchRequest", [])
    batch("TooManyEntriesInBatchRequest", [{"Id": str(i), "Message": "x"} for i in range(11)])
    batch("BatchEntryIdsNotDistinct", [{"Id": "a", "Message": "x"}, {"Id": "a", "Message": "y"}])
    batch("InvalidBatchEntryId", [{"Id": "a b", "Message": "x"}])
    batch("InvalidBatchEntryId", [{"Id": "x" * 81, "Message": "x"}])
    batch("BatchRequestTooLong", [{"Id": str(i), "Message": "x" * 140000} for i in range(2)])
    batch("NotFound", entries, ARN + "none")
    batch("InvalidParameter", entries, "x")


def test_permissions(sns, topic):
    sns.add_permission(TopicArn=topic, Label="partner", AWSAccountId=["111122223333", "444455556666"],
                       ActionName=["Publish", "Subscribe"])
    statement = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])["Statement"][-1]
    assert statement == {"Sid": "partner", "Effect": "Allow", "Action": ["SNS:Publish", "SNS:Subscribe"], "Resource": topic,
                         "Principal": {"AWS": ["arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:root"]}}
    right = {"TopicArn": topic, "Label": "other", "AWSAccountId": ["111122223333"], "ActionName": ["Publish"]}
    for wrong in ({"Label": "partner"}, {"Label": ""}, {"Label": "a b"}, {"Label": "x" * 81}, {"AWSAccountId": ["12"]},
                  {"AWSAccountId": []}, {"ActionName": ["Fly"]}, {"ActionName": []}, {"TopicArn": "x"}):
        fails("InvalidParameter", sns.add_permission, **{**right, **wrong})
    fails("NotFound", sns.add_permission, **{**right, "TopicArn": ARN + "none"})
    sns.remove_permission(TopicArn=topic, Label="partner")
    assert "partner" not in sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    fails("NotFound", sns.remove_permission, status=404, TopicArn=topic, Label="partner")
    fails("NotFound", sns.remove_permission, TopicArn=ARN + "none", Label="partner")
    fails("InvalidParameter", sns.remove_permission, TopicArn="x", Label="partner")


def test_tags(sns, topic):
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "a", "Value": "2"}])
    listed = {t["Key"]: t["Value"] for t in sns.list_tags_for_resource(ResourceArn=topic)["Tags"]}
    assert listed == {"a": "2", "b": ""}
    sns.untag_resource(ResourceArn=topic, TagKeys=["b", "none"])
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "a", "Value": "2"}]
    fails("TagLimitExceeded", sns.tag_resource, ResourceArn=topic, Tags=[{"Key": str(i), "Value": ""} for i in range(50)])
    for tags in ([{"Key": "", "Value": "x"}], [{"Key": "aws:x", "Value": "x"}], [{"Key": "x" * 129, "Value": ""}],
                 [{"Key": "x", "Value": "y" * 257}], [{"Key": "x", "Value": "1"}, {"Key": "x", "Value": "2"}]):
        fails("InvalidParameter", sns.tag_resource, ResourceArn=topic, Tags=tags)
    for call, arguments in ((sns.tag_resource, {"Tags": []}), (sns.untag_resource, {"TagKeys": ["a"]}),
                            (sns.list_tags_for_resource, {})):
        fails("ResourceNotFound", call, status=404, ResourceArn=ARN + "none", **arguments)
        fails("InvalidParameter", call, ResourceArn="x", **arguments)


def test_paging(fw, sns):
    names = {sns.create_topic(Name=f"page-{uuid.uuid4().hex}")["TopicArn"] for _ in range(205)}
    token, seen, pages = None, [], 0
    while True:
        page = sns.list_topics(**({"NextToken": token} if token else {}))
        assert len(page["Topics"]) <= 100
        seen += [t["TopicArn"] for t in page["Topics"]]
        pages += 1
        token = page.get("NextToken")
        if not token:
            break
        sns.create_topic(Name=f"during-{uuid.uuid4().hex}")  # a token survives writes
    assert len(seen) == len(set(seen)) and names <= set(seen) and pages >= 3
    first = sns.list_topics()["NextToken"]
    fails("InvalidParameter", sns.list_topics, NextToken="x")
    fails("InvalidParameter", sns.list_topics, NextToken=base64.b64encode(base64.b64decode(first)[:-1] + b"z").decode())
    fails("InvalidParameter", sns.list_subscriptions, NextToken=first)  # threats.md u
    assert "Subscriptions" in sns.list_subscriptions()
    fails("NotFound", sns.list_subscriptions_by_topic, TopicArn=ARN + "none")
    fails("InvalidParameter", sns.list_subscriptions_by_topic, TopicArn="x")
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        for i in range(300):
            sns.create_topic(Name=f"limit-{i}")
    assert caught.value.response["Error"]["Code"] == "TopicLimitExceeded"
    for arn in names:
        sns.delete_topic(TopicArn=arn)


def test_calls_that_are_not_signed_or_not_known(fw):
    fails("SignatureDoesNotMatch", fw.client("sns", secret="x" * 40).list_topics, status=403)
    fails("InvalidClientTokenId", fw.client("sns", key="AKFWNOBODY").list_topics, status=403)
    fails("SignatureDoesNotMatch", fw.client("sns", region="eu-west-1").list_topics, status=403)
    message = fails("InvalidAction", fw.sns.list_platform_applications, status=400)
    assert "ListPlatformApplications" in message


def test_o_a_mails_link(make, mail):
    """threats.md o: a forwarded mail's link needs a second step, and others learn of it."""
    import re
    import ssl
    import urllib.parse
    import urllib.request
    fw = make({"notify.smtp.url": mail.url})
    context = ssl.create_default_context(cafile=fw.ca)
    topic = fw.sns.create_topic(Name="alerts")["TopicArn"]
    for who in ("a@example.com", "b@example.com"):
        fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=who)
    for message in mail.wait(2):
        link = next(u for u in links(message) if "ConfirmSubscription" in u)
        assert urllib.request.urlopen(link, context=context).status == 200
    fw.sns.publish(TopicArn=topic, Message="alarm")
    alarm = next(m for m in mail.wait(4)[2:] if "a@example.com" in m["To"])
    link = next(u for u in links(alarm) if "Unsubscribe" in u)
    for accept in ("text/html", "*/*"):
        page = urllib.request.urlopen(urllib.request.Request(link, headers={"Accept": accept}), context=context)
        html = page.read().decode()
        assert page.status == 200 and "End this subscription?" in html
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert len(fw.sns.list_subscriptions()["Subscriptions"]) == 2
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', html))
    done = urllib.request.urlopen(fw.endpoint["api"] + "/", urllib.parse.urlencode(form).encode(), context=context)
    assert done.status == 200
    assert [s["Endpoint"] for s in fw.sns.list_subscriptions()["Subscriptions"]] == ["b@example.com"]
    told = {m["To"].strip("<>"): m for m in mail.wait(6)[4:]}
    assert "was ended" in told["b@example.com"]["Subject"] and "a@example.com" in told["b@example.com"].get_content()
    assert "Unsubscribe Confirmation" in told["a@example.com"]["Subject"]
    restore = next(u for u in links(told["a@example.com"]) if "ConfirmSubscription" in u)
    assert urllib.request.urlopen(restore, context=context).status == 200
    assert len(fw.sns.list_subscriptions()["Subscriptions"]) == 2
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(link.split("&Token=")[0], context=context)


def test_the_tour_that_all_clients_run(make, tmp_path, kept_hook):
    fw = make(tour.settings("sns"))
    seen = _run.run(_run.by_boto3(fw.sns), tour.description(tmp_path, fw.sns, "sns", **kept_hook))
    assert _coverage.missing(seen, service="sns") == []
    assert set(OPERATIONS) == _coverage.scope("sns")


def test_zz_all_operations_were_called():
    assert _called >= set(OPERATIONS), set(OPERATIONS) - _called
