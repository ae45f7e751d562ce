"""Messages, one and in batches, to an endpoint that shows what it got."""
from .. import ANY, arrives, count, fails, ok

SETTINGS = {"fetch.allow_loopback": "true"}

INVALID, VALUE, MISSING = "InvalidParameterException", "InvalidParameterValueException", "NotFoundException"
T = {"TopicArn": "<<arn>>:news"}
NONE = {"TopicArn": "<<arn>>:none"}
M = {**T, "Message": "m"}
BATCH = "PublishBatchRequestEntries"
FULL = 256 * 1024


def attributes(**given):
    return {"MessageAttributes": {name: {"DataType": kind, "StringValue": value} for name, (kind, value) in given.items()}}


def batch(*entries):
    return {**T, BATCH: [{"Id": name, "Message": message} for name, message in entries]}


STEPS = [
    ok("CreateTopic", {"Name": "news"}, T),
    ok("Subscribe", {**T, "Protocol": "http", "Endpoint": "<<hook>>"}),
    arrives("SubscriptionConfirmation", T, {"token": "Token"}),
    ok("ConfirmSubscription", {**T, "Token": "<<token>>"}),

    ok("Publish", {**T, "Message": "Grüße & <tags>\nand lines", "Subject": "s",
                   **attributes(site=("String", "north"), rank=("Number", "1.5"), all=("String.Array", '["x",1]'))},
       {"MessageId": ANY}, {"id": "MessageId"}),
    arrives("Notification", {**T, "MessageId": "<<id>>", "Message": "Grüße & <tags>\nand lines", "Subject": "s",
                             "MessageAttributes.site": {"Type": "String", "Value": "north"},
                             "MessageAttributes.rank": {"Type": "Number", "Value": "1.5"},
                             "MessageAttributes.all": {"Type": "String.Array", "Value": '["x",1]'}}),
    ok("Publish", {"TargetArn": "<<arn>>:news", "MessageStructure": "json", "Message": '{"default":"d","http":"h"}'},
       {"MessageId": ANY}, {"id": "MessageId"}),
    arrives("Notification", {"MessageId": "<<id>>", "Message": "h"}),
    ok("Publish", {**T, "Message": "x" * FULL}, {"MessageId": ANY}, {"id": "MessageId"}),
    arrives("Notification", {"MessageId": "<<id>>", "Message": "x" * FULL}),
    fails(INVALID, "Publish", {**T, "Message": "x" * (FULL + 1)}),
    fails(INVALID, "Publish", {**T, "Message": ""}),
    fails(INVALID, "Publish", {"Message": "m"}, says="TopicArn"),
    fails(INVALID, "Publish", {**M, "TargetArn": "<<arn>>:news"}, says="TargetArn"),
    fails(INVALID, "Publish", {"PhoneNumber": "+4917012345", "Message": "m"}, says="PhoneNumber"),
    fails(INVALID, "Publish", {**M, "Subject": "a\nb"}),
    fails(INVALID, "Publish", {**M, "MessageStructure": "json"}, says="default"),
    fails(INVALID, "Publish", {**M, "MessageGroupId": "g"}, says="FIFO"),
    fails(VALUE, "Publish", {**M, **attributes(rank=("Number", "x"))}),
    fails(VALUE, "Publish", {**M, **attributes(site=("Strange", "x"))}),
    fails(VALUE, "Publish", {**M, **attributes(site=("Binary", "x"))}, says="does not fit its type"),
    fails(MISSING, "Publish", {**NONE, "Message": "m"}, says="does not exist"),

    ok("PublishBatch", {**T, BATCH: [{"Id": "good", "Message": "from a batch", **attributes(site=("String", "north"))},
                                     {"Id": "bad", "Message": "m", "Subject": "a\nb"}]},
       {"Successful": count(1), "Successful.0.Id": "good", "Successful.0.MessageId": ANY, "Failed": count(1),
        "Failed.0.Id": "bad", "Failed.0.Code": "InvalidParameter", "Failed.0.SenderFault": True}, {"id": "Successful.0.MessageId"}),
    arrives("Notification", {"MessageId": "<<id>>", "Message": "from a batch",
                             "MessageAttributes.site": {"Type": "String", "Value": "north"}}),
    ok("PublishBatch", batch(*[(f"e{i}", "m") for i in range(10)]), {"Successful": count(10), "Successful.9.Id": "e9"}),
    fails("EmptyBatchRequestException", "PublishBatch", batch()),
    fails("TooManyEntriesInBatchRequestException", "PublishBatch", batch(*[(str(i), "m") for i in range(11)])),
    fails("BatchEntryIdsNotDistinctException", "PublishBatch", batch(("a", "m"), ("a", "n"))),
    fails("InvalidBatchEntryIdException", "PublishBatch", batch(("a b", "m"))),
    fails("BatchRequestTooLongException", "PublishBatch", batch(("a", "x" * 140000), ("b", "x" * 140000))),
    fails(MISSING, "PublishBatch", {**batch(("a", "m")), **NONE}, says="does not exist"),
    fails(INVALID, "PublishBatch", {**batch(("a", "m")), "TopicArn": "nonsense"}, says="TopicArn"),
    ok("DeleteTopic", T),
]
