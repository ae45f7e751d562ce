"""Tags: set, changed, removed and listed on each kind of resource, and given at its creation."""
from . import count, fails, ok

SETTINGS = {"quota.tags_per_resource": "4"}

INVALID, MISSING, LIMIT = "InvalidRequestException", "ResourceNotFoundException", "LimitExceededException"
TAGS = [{"Key": "site", "Value": "north"}]


def created(operation, kind, parameters, name):
    """The resource is made with a tag, which is then seen, changed, joined by another, and removed."""
    of = {"resourceArn": f"<<arn>>:{kind}/{name}"}
    return [
        ok(operation, {**parameters, "tags": TAGS}),
        ok("ListTagsForResource", of, {"tags": TAGS}),
        ok("TagResource", {**of, "tags": [{"Key": "site", "Value": "south"}, {"Key": "a:b/c"}]}),
        ok("ListTagsForResource", of, {"tags": count(2), "tags.0.Key": "a:b/c", "tags.1": {"Key": "site", "Value": "south"}}),
        ok("UntagResource", {**of, "tagKeys": ["a:b/c", "never there"]}),
        ok("ListTagsForResource", of, {"tags": count(1)}),
    ]


def removed(operation, parameters, kind, name):
    return [ok(operation, parameters),
            fails(MISSING, "ListTagsForResource", {"resourceArn": f"<<arn>>:{kind}/{name}"}, says=name)]


ROLE = "arn:aws:iam::123456789012:role/device"
G = {"resourceArn": "<<arn>>:thinggroup/tagged"}

STEPS = [
    *created("CreateThingGroup", "thinggroup", {"thingGroupName": "tagged"}, "tagged"),
    *created("CreateThingType", "thingtype", {"thingTypeName": "tagged"}, "tagged"),
    *created("CreateBillingGroup", "billinggroup", {"billingGroupName": "tagged"}, "tagged"),
    *created("CreatePolicy", "policy", {"policyName": "tagged", "policyDocument": "<<document>>"}, "tagged"),
    *created("CreateRoleAlias", "rolealias", {"roleAlias": "tagged", "roleArn": ROLE}, "tagged"),
    *created("CreateSecurityProfile", "securityprofile", {"securityProfileName": "tagged"}, "tagged"),
    *created("CreateCustomMetric", "custommetric", {"metricName": "tagged", "metricType": "number",
                                                    "clientRequestToken": "t"}, "tagged"),
    *created("CreateDimension", "dimension", {"name": "tagged", "type": "TOPIC_FILTER", "stringValues": ["a/#"],
                                              "clientRequestToken": "t"}, "tagged"),

    fails(LIMIT, "TagResource", {**G, "tags": [{"Key": f"k{i}", "Value": ""} for i in range(4)]}, says="at most 4 tags"),
    ok("ListTagsForResource", G, {"tags": count(1)}),
    fails(INVALID, "CreateThingGroup", {"thingGroupName": "over", "tags": [{"Key": f"k{i}"} for i in range(5)]}, says="at most 4"),
    fails(INVALID, "TagResource", {**G, "tags": [{"Key": "aws:mine", "Value": ""}]}, says="reserved"),
    fails(INVALID, "TagResource", {**G, "tags": [{"Key": "AWS:mine", "Value": ""}]}, says="reserved"),
    fails(INVALID, "TagResource", {**G, "tags": [{"Key": "x"}, {"Key": "x"}]}, says="twice"),
    fails(INVALID, "TagResource", {**G, "tags": [{"Key": "", "Value": ""}]}, says="tags[0].Key"),
    fails(INVALID, "TagResource", {**G, "tags": [{"Key": "x" * 129, "Value": ""}]}, says="tags[0].Key"),
    fails(INVALID, "TagResource", {**G, "tags": [{"Key": "x", "Value": "x" * 257}]}, says="tags[0].Value"),
    fails(INVALID, "TagResource", {"resourceArn": "<<arn>>:thing/x", "tags": TAGS}, says="cannot carry tags"),
    fails(INVALID, "TagResource", {"resourceArn": "nonsense", "tags": TAGS}, says="resourceArn"),
    fails(MISSING, "TagResource", {"resourceArn": "<<arn>>:thinggroup/nothing", "tags": TAGS}, says="nothing"),
    fails(MISSING, "UntagResource", {"resourceArn": "<<arn>>:policy/nothing", "tagKeys": ["x"]}, says="nothing"),
    fails(INVALID, "UntagResource", {"resourceArn": "nonsense", "tagKeys": ["x"]}, says="resourceArn"),
    fails(INVALID, "ListTagsForResource", {"resourceArn": "nonsense"}, says="resourceArn"),
    fails(INVALID, "ListTagsForResource", {**G, "nextToken": "eHg="}, says="page token"),

    *removed("DeleteThingGroup", {"thingGroupName": "tagged"}, "thinggroup", "tagged"),
    *removed("DeleteBillingGroup", {"billingGroupName": "tagged"}, "billinggroup", "tagged"),
    *removed("DeletePolicy", {"policyName": "tagged"}, "policy", "tagged"),
    *removed("DeleteRoleAlias", {"roleAlias": "tagged"}, "rolealias", "tagged"),
    *removed("DeleteSecurityProfile", {"securityProfileName": "tagged"}, "securityprofile", "tagged"),
    *removed("DeleteCustomMetric", {"metricName": "tagged"}, "custommetric", "tagged"),
    *removed("DeleteDimension", {"name": "tagged"}, "dimension", "tagged"),
    # Tags go with their resource.
    ok("CreateThingGroup", {"thingGroupName": "tagged"}),
    ok("ListTagsForResource", G, {"tags": []}),
    ok("DeleteThingGroup", {"thingGroupName": "tagged"}),
]
