"""Static thing groups: hierarchy, attributes, members."""
from . import ABSENT, ANY, count, fails, has, ok

SETTINGS = {"quota.group_depth": "3", "quota.children_per_group": "3", "quota.groups_per_thing": "2",
            "quota.group_attributes": "4"}

INVALID, MISSING, EXISTS = "InvalidRequestException", "ResourceNotFoundException", "ResourceAlreadyExistsException"
CONFLICT = "VersionConflictException"
LEAF = {"thingGroupName": "leaf"}
PROPERTIES = {"thingGroupProperties": {"thingGroupDescription": "text", "attributePayload": {"attributes": {"a": "1"}}}}


def member(group, thing="member"):
    return {"thingGroupName": group, "thingName": thing}


STEPS = [
    ok("CreateThingGroup", {"thingGroupName": "tree"}, {"thingGroupName": "tree", "thingGroupArn": "<<arn>>:thinggroup/tree"},
       save={"tree": "thingGroupId"}),
    ok("CreateThingGroup", {"thingGroupName": "tree"}, {"thingGroupId": "<<tree>>"}),
    ok("CreateThingGroup", {"thingGroupName": "branch", "parentGroupName": "tree"}),
    ok("CreateThingGroup", {**LEAF, "parentGroupName": "branch", **PROPERTIES}, save={"leaf": "thingGroupId"}),
    fails(EXISTS, "CreateThingGroup", LEAF, says="leaf already exists"),
    fails(INVALID, "CreateThingGroup", {"thingGroupName": "no spaces"}, says="thingGroupName"),
    fails(INVALID, "CreateThingGroup", {"thingGroupName": "orphan", "parentGroupName": "nothing"}, says="nothing does not exist"),
    fails(INVALID, "CreateThingGroup", {"thingGroupName": "deep", "parentGroupName": "leaf"}, says="at most 3 levels"),
    fails(INVALID, "CreateThingGroup", {"thingGroupName": "full", "thingGroupProperties": {"attributePayload": {
        "attributes": {f"a{i}": "" for i in range(5)}}}}, says="more than the 4 allowed"),
    ok("CreateThingGroup", {"thingGroupName": "branch-2", "parentGroupName": "tree"}),
    ok("CreateThingGroup", {"thingGroupName": "branch-3", "parentGroupName": "tree"}),
    fails(INVALID, "CreateThingGroup", {"thingGroupName": "branch-4", "parentGroupName": "tree"}, says="number of children (3)"),

    ok("DescribeThingGroup", LEAF, {
        "thingGroupName": "leaf", "thingGroupId": "<<leaf>>", "thingGroupArn": "<<arn>>:thinggroup/leaf", "version": 1,
        "thingGroupProperties.thingGroupDescription": "text",
        "thingGroupProperties.attributePayload.attributes": {"a": "1"},
        "thingGroupMetadata.parentGroupName": "branch", "thingGroupMetadata.creationDate": ANY,
        "thingGroupMetadata.rootToParentThingGroups": [
            {"groupName": "tree", "groupArn": "<<arn>>:thinggroup/tree"},
            {"groupName": "branch", "groupArn": "<<arn>>:thinggroup/branch"}], "queryString": ABSENT}),
    fails(MISSING, "DescribeThingGroup", {"thingGroupName": "nothing"}, says="nothing"),
    fails(INVALID, "DescribeThingGroup", {"thingGroupName": "no spaces"}, says="thingGroupName"),

    ok("UpdateThingGroup", {**LEAF, "thingGroupProperties": {"attributePayload": {"attributes": {"b": "2"}, "merge": True}},
                            "expectedVersion": 1}, {"version": 2}),
    ok("DescribeThingGroup", LEAF, {"thingGroupProperties.attributePayload.attributes": {"a": "1", "b": "2"},
                                    "thingGroupProperties.thingGroupDescription": "text"}),
    ok("UpdateThingGroup", {**LEAF, "thingGroupProperties": {"thingGroupDescription": "new", "attributePayload": {
        "attributes": {"c": "3"}}}}, {"version": 3}),
    ok("DescribeThingGroup", LEAF, {"thingGroupProperties.attributePayload.attributes": {"c": "3"},
                                    "thingGroupProperties.thingGroupDescription": "new"}),
    fails(CONFLICT, "UpdateThingGroup", {**LEAF, "thingGroupProperties": {}, "expectedVersion": 1}, says="leaf"),
    fails(MISSING, "UpdateThingGroup", {"thingGroupName": "nothing", "thingGroupProperties": {}}, says="nothing"),
    fails(INVALID, "UpdateThingGroup", {**LEAF, "thingGroupProperties": {"attributePayload": {
        "attributes": {f"a{i}": "" for i in range(5)}}}}, says="more than the 4 allowed"),

    ok("ListThingGroups", {"parentGroup": "tree"}, {"thingGroups": count(3), "thingGroups.0": {
        "groupName": "branch", "groupArn": "<<arn>>:thinggroup/branch"}, "nextToken": ABSENT}),
    ok("ListThingGroups", {"parentGroup": "tree", "recursive": True}, {"thingGroups": count(4)}),
    ok("ListThingGroups", {"recursive": False, "namePrefixFilter": "tr"}, {"thingGroups": count(1)}),
    ok("ListThingGroups", {"namePrefixFilter": "branch"}, {"thingGroups": count(3)}),
    ok("ListThingGroups", {"parentGroup": "tree", "namePrefixFilter": "branch-"}, {"thingGroups": count(2)}),
    ok("ListThingGroups", {"parentGroup": "tree", "maxResults": 2}, {"thingGroups": count(2)}, save={"groups": "nextToken"}),
    ok("ListThingGroups", {"parentGroup": "tree", "maxResults": 2, "nextToken": "<<groups>>"},
       {"thingGroups": count(1), "thingGroups.0.groupName": "branch-3", "nextToken": ABSENT}),
    fails(INVALID, "ListThingGroups", {"parentGroup": "branch", "nextToken": "<<groups>>"}, says="page token"),
    fails(MISSING, "ListThingGroups", {"parentGroup": "nothing"}, says="nothing"),

    ok("CreateThing", {"thingName": "member"}),
    ok("AddThingToThingGroup", {"thingGroupArn": "<<arn>>:thinggroup/leaf", "thingArn": "<<arn>>:thing/member"}),
    ok("AddThingToThingGroup", member("leaf")),
    fails(INVALID, "AddThingToThingGroup", member("tree"), says="same hierarchy"),
    fails(INVALID, "AddThingToThingGroup", {"thingName": "member"}, says="thingGroupName"),
    fails(INVALID, "AddThingToThingGroup", {**member("leaf"), "thingGroupArn": "<<arn>>:thinggroup/tree"}, says="different"),
    fails(MISSING, "AddThingToThingGroup", member("leaf", "nobody"), says="nobody"),
    fails(MISSING, "AddThingToThingGroup", member("nothing"), says="nothing"),
    ok("CreateThingGroup", {"thingGroupName": "second"}),
    ok("CreateThingGroup", {"thingGroupName": "third"}),
    ok("AddThingToThingGroup", member("second")),
    fails(INVALID, "AddThingToThingGroup", member("third"), says="maximum number of groups (2)"),
    ok("ListThingGroupsForThing", {"thingName": "member"}, {"thingGroups": count(2), "thingGroups.0.groupName": "leaf"}),
    fails(MISSING, "ListThingGroupsForThing", {"thingName": "nobody"}, says="nobody"),
    fails(INVALID, "ListThingGroupsForThing", {"thingName": "member", "maxResults": 251}, says="maxResults"),
    ok("ListThingsInThingGroup", LEAF, {"things": ["member"], "nextToken": ABSENT}),
    ok("ListThingsInThingGroup", {"thingGroupName": "tree"}, {"things": []}),
    ok("ListThingsInThingGroup", {"thingGroupName": "tree", "recursive": True}, {"things": ["member"]}),
    fails(MISSING, "ListThingsInThingGroup", {"thingGroupName": "nothing"}, says="nothing"),
    fails(INVALID, "ListThingsInThingGroup", {**LEAF, "nextToken": "eHg="}, says="page token"),

    ok("UpdateThingGroupsForThing", {"thingName": "member", "thingGroupsToAdd": ["third"], "thingGroupsToRemove": ["second"]}),
    ok("ListThingGroupsForThing", {"thingName": "member"}, {"thingGroups.1.groupName": "third"}),
    fails(MISSING, "UpdateThingGroupsForThing", {"thingName": "member", "thingGroupsToAdd": ["nothing"],
                                                 "thingGroupsToRemove": ["third"]}, says="nothing"),
    ok("ListThingGroupsForThing", {"thingName": "member"}, {"thingGroups.1.groupName": "third"}),
    fails(INVALID, "UpdateThingGroupsForThing", {"thingGroupsToAdd": ["third"]}, says="thingName"),
    ok("RemoveThingFromThingGroup", member("third")),
    ok("RemoveThingFromThingGroup", member("third")),
    fails(MISSING, "RemoveThingFromThingGroup", member("nothing"), says="nothing"),
    fails(INVALID, "RemoveThingFromThingGroup", {"thingGroupArn": "nonsense", "thingName": "member"}, says="thingGroupArn"),

    fails(INVALID, "DeleteThingGroup", {"thingGroupName": "tree"}, says="child groups"),
    fails(CONFLICT, "DeleteThingGroup", {**LEAF, "expectedVersion": 1}, says="leaf"),
    ok("DeleteThingGroup", {**LEAF, "expectedVersion": 3}),
    ok("DeleteThingGroup", LEAF),
    ok("ListThingGroupsForThing", {"thingName": "member"}, {"thingGroups": []}),
    *[ok("DeleteThingGroup", {"thingGroupName": name}) for name in ("branch", "branch-2", "branch-3", "tree", "second", "third")],
    fails(MISSING, "DescribeThingGroup", {"thingGroupName": "tree"}, says="tree"),
    ok("DeleteThing", {"thingName": "member"}),
]
