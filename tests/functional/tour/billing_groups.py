"""Billing groups."""
from . import ABSENT, ANY, count, fails, ok

INVALID, MISSING, EXISTS = "InvalidRequestException", "ResourceNotFoundException", "ResourceAlreadyExistsException"
CONFLICT = "VersionConflictException"
SOUTH = {"billingGroupName": "bill-south"}
TEXT = {"billingGroupProperties": {"billingGroupDescription": "all of the south"}}


def member(group, thing="paid"):
    return {"billingGroupName": group, "thingName": thing}


STEPS = [
    ok("CreateBillingGroup", {**SOUTH, **TEXT, "tags": [{"Key": "cost", "Value": "7"}]},
       {"billingGroupName": "bill-south", "billingGroupArn": "<<arn>>:billinggroup/bill-south"},
       save={"south": "billingGroupId"}),
    ok("CreateBillingGroup", {**SOUTH, **TEXT}, {"billingGroupId": "<<south>>"}),
    fails(EXISTS, "CreateBillingGroup", SOUTH, says="bill-south already exists"),
    fails(INVALID, "CreateBillingGroup", {"billingGroupName": "no spaces"}, says="billingGroupName"),
    fails(INVALID, "CreateBillingGroup", {"billingGroupName": "x", "tags": [{"Key": "aws:x", "Value": ""}]}, says="reserved"),
    ok("CreateBillingGroup", {"billingGroupName": "bill-north"}),
    ok("DescribeBillingGroup", SOUTH, {
        "billingGroupName": "bill-south", "billingGroupId": "<<south>>", "version": 1,
        "billingGroupArn": "<<arn>>:billinggroup/bill-south", "billingGroupMetadata.creationDate": ANY,
        "billingGroupProperties": TEXT["billingGroupProperties"]}),
    fails(MISSING, "DescribeBillingGroup", {"billingGroupName": "nothing"}, says="nothing"),
    fails(INVALID, "DescribeBillingGroup", {"billingGroupName": "no spaces"}, says="billingGroupName"),
    ok("UpdateBillingGroup", {**SOUTH, "billingGroupProperties": {"billingGroupDescription": "new"}, "expectedVersion": 1},
       {"version": 2}),
    ok("DescribeBillingGroup", SOUTH, {"billingGroupProperties.billingGroupDescription": "new", "version": 2}),
    fails(CONFLICT, "UpdateBillingGroup", {**SOUTH, "billingGroupProperties": {}, "expectedVersion": 1}, says="expected version"),
    fails(MISSING, "UpdateBillingGroup", {"billingGroupName": "nothing", "billingGroupProperties": {}}, says="nothing"),
    fails(INVALID, "UpdateBillingGroup", {**SOUTH, "billingGroupProperties": {"billingGroupDescription": "tab\t"}},
          says="billingGroupDescription"),
    ok("ListBillingGroups", {"namePrefixFilter": "bill-"}, {"billingGroups": [
        {"groupName": "bill-north", "groupArn": "<<arn>>:billinggroup/bill-north"},
        {"groupName": "bill-south", "groupArn": "<<arn>>:billinggroup/bill-south"}], "nextToken": ABSENT}),
    ok("ListBillingGroups", {"maxResults": 1}, {"billingGroups": count(1)}, save={"bills": "nextToken"}),
    ok("ListBillingGroups", {"maxResults": 1, "nextToken": "<<bills>>"}, {"billingGroups.0.groupName": "bill-south"}),
    fails(INVALID, "ListBillingGroups", {"namePrefixFilter": "b", "nextToken": "<<bills>>"}, says="page token"),

    ok("CreateThing", {"thingName": "paid", "billingGroupName": "bill-south"}),
    ok("CreateThing", {"thingName": "paid", "billingGroupName": "bill-south"}),
    fails(EXISTS, "CreateThing", {"thingName": "paid"}, says="paid already exists"),
    ok("DescribeThing", {"thingName": "paid"}, {"billingGroupName": "bill-south", "version": 1}),
    ok("ListThingsInBillingGroup", SOUTH, {"things": ["paid"], "nextToken": ABSENT}),
    fails(MISSING, "ListThingsInBillingGroup", {"billingGroupName": "nothing"}, says="nothing"),
    fails(INVALID, "ListThingsInBillingGroup", {**SOUTH, "maxResults": 0}, says="maxResults"),
    fails(INVALID, "AddThingToBillingGroup", member("bill-north"), says="already in billing group bill-south"),
    fails(INVALID, "AddThingToBillingGroup", {"thingName": "paid"}, says="billingGroupName"),
    fails(MISSING, "AddThingToBillingGroup", member("nothing"), says="nothing"),
    fails(MISSING, "AddThingToBillingGroup", member("bill-north", "nobody"), says="nobody"),
    ok("RemoveThingFromBillingGroup", member("bill-south")),
    ok("RemoveThingFromBillingGroup", member("bill-south")),
    fails(MISSING, "RemoveThingFromBillingGroup", member("nothing"), says="nothing"),
    fails(INVALID, "RemoveThingFromBillingGroup", {"billingGroupName": "bill-south"}, says="thingName"),
    ok("AddThingToBillingGroup", {"billingGroupArn": "<<arn>>:billinggroup/bill-north", "thingArn": "<<arn>>:thing/paid"}),
    ok("AddThingToBillingGroup", member("bill-north")),
    ok("DescribeThing", {"thingName": "paid"}, {"billingGroupName": "bill-north", "version": 1}),

    fails(CONFLICT, "DeleteBillingGroup", {**SOUTH, "expectedVersion": 1}, says="expected version"),
    fails(INVALID, "DeleteBillingGroup", {"billingGroupName": "no spaces"}, says="billingGroupName"),
    ok("DeleteBillingGroup", {"billingGroupName": "bill-north"}),
    ok("DescribeThing", {"thingName": "paid"}, {"billingGroupName": ABSENT}),
    ok("DeleteBillingGroup", {**SOUTH, "expectedVersion": 2}),
    ok("DeleteBillingGroup", SOUTH),
    ok("CreateBillingGroup", SOUTH, save={"south": "billingGroupId"}),
    ok("ListTagsForResource", {"resourceArn": "<<arn>>:billinggroup/bill-south"}, {"tags": []}),
    ok("DeleteBillingGroup", SOUTH),
    ok("DeleteThing", {"thingName": "paid"}),
]
