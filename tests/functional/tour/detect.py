"""Detect: custom metrics, dimensions, security profiles and their targets, violations, values, models."""
from . import ABSENT, ANY, count, fails, has, ok

SETTINGS = {"detect.min_duration_seconds": "1", "quota.custom_metrics": "3", "quota.dimensions": "2",
            "quota.profiles_per_target": "2", "quota.behaviors_per_profile": "3", "quota.values_per_profile": "4"}

INVALID, MISSING, EXISTS = "InvalidRequestException", "ResourceNotFoundException", "ResourceAlreadyExistsException"
LIMIT, CONFLICT = "LimitExceededException", "VersionConflictException"
TOKEN = {"clientRequestToken": "once"}
EVER = {"startTime": 1, "endTime": 4102444800}
BACKWARDS = {"startTime": 2000000000, "endTime": 1000000000}
LOAD = {"metricName": "load", "metricType": "number", "clientRequestToken": "load"}
ADMIN = {"name": "admin", "type": "TOPIC_FILTER", "stringValues": ["admin/#", "of/${iot:ClientId}/+"], "clientRequestToken": "admin"}
ALL, GROUP = "<<arn>>:all/things", "<<arn>>:thinggroup/watched"
USUAL = {"name": "usual", "metric": "load", "criteria": {"mlDetectionConfig": {"confidenceLevel": "HIGH"}}}
PORTS = {"name": "ports", "metric": "aws:listening-tcp-ports",
         "criteria": {"comparisonOperator": "in-port-set", "value": {"ports": [22, 443]}}}
TOPICS = {"name": "topics", "metric": "aws:num-messages-sent", "metricDimension": {"dimensionName": "admin", "operator": "NOT_IN"},
          "criteria": {"comparisonOperator": "less-than", "durationSeconds": 300, "value": {"count": 5}}}
ALIVE = {"name": "alive", "metric": "fleetward:report-silence",
         "criteria": {"comparisonOperator": "less-than", "value": {"count": 1}}}


def profile(name, **more):
    return {"securityProfileName": name, **more}


def ports(number):
    return [{"name": "many", "metric": "aws:listening-tcp-ports",
             "criteria": {"comparisonOperator": "in-port-set", "value": {"ports": list(range(1, number + 1))}}}]


STEPS = [
    # Custom metrics.
    ok("CreateCustomMetric", {**LOAD, "displayName": "Load"}, {"metricName": "load", "metricArn": "<<arn>>:custommetric/load"}),
    ok("CreateCustomMetric", {**LOAD, "displayName": "Load"}, {"metricName": "load"}),
    fails(EXISTS, "CreateCustomMetric", {**LOAD, "metricType": "string-list", **TOKEN}, says="load already exists"),
    fails(INVALID, "CreateCustomMetric", {**LOAD, "metricName": "no spaces"}, says="metricName"),
    fails(INVALID, "CreateCustomMetric", {**LOAD, "metricName": "aws:load"}, says="must not begin with aws:"),
    fails(INVALID, "CreateCustomMetric", {**LOAD, "metricName": "other", "metricType": "text"}, says="metricType"),
    fails(INVALID, "CreateCustomMetric", {**LOAD, "metricName": "other", "displayName": "x" * 129}, says="displayName"),
    ok("CreateCustomMetric", {"metricName": "names", "metricType": "string-list", **TOKEN}),
    ok("CreateCustomMetric", {"metricName": "peers", "metricType": "ip-address-list", **TOKEN}),
    fails(LIMIT, "CreateCustomMetric", {"metricName": "more", "metricType": "number-list", **TOKEN}, says="already 3 custom metrics"),
    ok("DescribeCustomMetric", {"metricName": "load"}, {
        "metricName": "load", "metricArn": "<<arn>>:custommetric/load", "metricType": "number", "displayName": "Load",
        "creationDate": ANY, "lastModifiedDate": ANY}),
    fails(MISSING, "DescribeCustomMetric", {"metricName": "none"}, says="none"),
    fails(INVALID, "DescribeCustomMetric", {"metricName": "no spaces"}, says="metricName"),
    ok("UpdateCustomMetric", {"metricName": "load", "displayName": "Load of all"}, {"displayName": "Load of all", "metricType": "number"}),
    fails(MISSING, "UpdateCustomMetric", {"metricName": "none", "displayName": "x"}, says="none"),
    fails(INVALID, "UpdateCustomMetric", {"metricName": "load", "displayName": "x" * 129}, says="displayName"),
    ok("ListCustomMetrics", {"maxResults": 2}, {"metricNames": count(2), "nextToken": ANY}, save={"metrics_more": "nextToken"}),
    ok("ListCustomMetrics", {"maxResults": 2, "nextToken": "<<metrics_more>>"}, {"metricNames": count(1), "nextToken": ABSENT}),
    fails(INVALID, "ListCustomMetrics", {"maxResults": 251}, says="maxResults"),
    fails(INVALID, "ListCustomMetrics", {"nextToken": "bm9uc2Vuc2U="}, says="page token"),
    ok("DeleteCustomMetric", {"metricName": "names"}),
    ok("DeleteCustomMetric", {"metricName": "names"}),
    fails(INVALID, "DeleteCustomMetric", {"metricName": "no spaces"}, says="metricName"),

    # Dimensions.
    ok("CreateDimension", ADMIN, {"name": "admin", "arn": "<<arn>>:dimension/admin"}),
    ok("CreateDimension", ADMIN, {"name": "admin"}),
    fails(EXISTS, "CreateDimension", {**ADMIN, "stringValues": ["other"], **TOKEN}, says="admin already exists"),
    fails(INVALID, "CreateDimension", {**ADMIN, "name": "no spaces"}, says="name"),
    fails(INVALID, "CreateDimension", {**ADMIN, "name": "bad", "type": "COLOUR"}, says="type"),
    fails(INVALID, "CreateDimension", {**ADMIN, "name": "bad", "stringValues": ["a/#/b"]}, says="a/#/b"),
    fails(INVALID, "CreateDimension", {**ADMIN, "name": "bad", "stringValues": ["${iot:Other}"]}, says="iot:ClientId"),
    ok("CreateDimension", {**ADMIN, "name": "spare", "stringValues": ["a"]}),
    fails(LIMIT, "CreateDimension", {**ADMIN, "name": "more"}, says="already 2 dimensions"),
    ok("DescribeDimension", {"name": "admin"}, {
        "name": "admin", "arn": "<<arn>>:dimension/admin", "type": "TOPIC_FILTER", "stringValues": ADMIN["stringValues"],
        "creationDate": ANY, "lastModifiedDate": ANY}),
    fails(MISSING, "DescribeDimension", {"name": "none"}, says="none"),
    fails(INVALID, "DescribeDimension", {"name": "no spaces"}, says="name"),
    ok("UpdateDimension", {"name": "spare", "stringValues": ["b", "c/+"]}, {"name": "spare", "stringValues": ["b", "c/+"]}),
    fails(MISSING, "UpdateDimension", {"name": "none", "stringValues": ["b"]}, says="none"),
    fails(INVALID, "UpdateDimension", {"name": "spare", "stringValues": ["+b"]}, says="+b"),
    ok("ListDimensions", {"maxResults": 1}, {"dimensionNames": count(1)}, save={"dimensions_more": "nextToken"}),
    ok("ListDimensions", {"nextToken": "<<dimensions_more>>"}, {"dimensionNames": ["spare"], "nextToken": ABSENT}),
    fails(INVALID, "ListDimensions", {"maxResults": 251}, says="maxResults"),
    ok("DeleteDimension", {"name": "spare"}),
    fails(INVALID, "DeleteDimension", {"name": "no spaces"}, says="name"),

    # Behaviors are checked without being kept; every fault is named.
    ok("ValidateSecurityProfileBehaviors", {"behaviors": [USUAL, PORTS, TOPICS]}, {"valid": True, "validationErrors": count(0)}),
    ok("ValidateSecurityProfileBehaviors", {"behaviors": [
        {**TOPICS, "criteria": {**TOPICS["criteria"], "durationSeconds": 301}}]},
       {"valid": False, "validationErrors.0.errorMessage": has("durationSeconds 301")}),
    fails(INVALID, "ValidateSecurityProfileBehaviors", {"behaviors": [{"name": "no spaces"}]}, says="behaviors"),

    # Security profiles.
    ok("CreateSecurityProfile", profile("tour", securityProfileDescription="A tour", behaviors=[USUAL, PORTS],
                                        additionalMetricsToRetainV2=[{"metric": "aws:all-bytes-in"}]),
       {"securityProfileName": "tour", "securityProfileArn": "<<arn>>:securityprofile/tour"}),
    fails(EXISTS, "CreateSecurityProfile", profile("tour"), says="tour already exists"),
    fails(INVALID, "CreateSecurityProfile", profile("no spaces"), says="securityProfileName"),
    fails(INVALID, "CreateSecurityProfile", profile("bad", behaviors=[{**PORTS, "metric": "none"}]), says="none"),
    fails(INVALID, "CreateSecurityProfile", profile("bad", behaviors=[{**TOPICS, "metricDimension": {"dimensionName": "none"}}]),
          says="none"),
    fails(INVALID, "CreateSecurityProfile", profile("bad", behaviors=[{**PORTS, "name": f"b{i}"} for i in range(4)]), says="3"),
    fails(INVALID, "CreateSecurityProfile", profile("bad", behaviors=ports(5)), says="4"),
    fails(INVALID, "CreateSecurityProfile", profile("bad", alertTargets={"SNS": {"alertTargetArn": "nowhere", "roleArn": "x" * 20}}),
          says="nowhere"),
    ok("DescribeSecurityProfile", profile("tour"), {
        "securityProfileArn": "<<arn>>:securityprofile/tour", "securityProfileDescription": "A tour", "behaviors": [USUAL, PORTS],
        "additionalMetricsToRetain": ["aws:all-bytes-in"], "additionalMetricsToRetainV2": [{"metric": "aws:all-bytes-in"}],
        "version": 1, "creationDate": ANY, "lastModifiedDate": ANY}),
    fails(MISSING, "DescribeSecurityProfile", profile("none"), says="none"),
    fails(INVALID, "DescribeSecurityProfile", profile("no spaces"), says="securityProfileName"),
    ok("UpdateSecurityProfile", profile("tour", behaviors=[USUAL, PORTS, TOPICS], expectedVersion=1),
       {"version": 2, "behaviors": [USUAL, PORTS, TOPICS], "securityProfileDescription": "A tour"}),
    fails(CONFLICT, "UpdateSecurityProfile", profile("tour", expectedVersion=1), says="2, not the expected 1"),
    fails(MISSING, "UpdateSecurityProfile", profile("none"), says="none"),
    fails(INVALID, "UpdateSecurityProfile", profile("tour", behaviors=[PORTS], deleteBehaviors=True), says="deleteBehaviors"),
    fails(INVALID, "UpdateSecurityProfile", profile("tour", deleteAlertTargets=True, alertTargets={}), says="deleteAlertTargets"),
    ok("UpdateSecurityProfile", profile("tour", deleteAdditionalMetricsToRetain=True), {
        "version": 3, "additionalMetricsToRetain": ABSENT, "behaviors": count(3)}),
    # What a profile uses stays.
    fails(INVALID, "DeleteDimension", {"name": "admin"}, says="tour"),
    fails(INVALID, "DeleteCustomMetric", {"metricName": "load"}, says="tour"),
    ok("CreateSecurityProfile", profile("second", behaviors=[ALIVE])),
    ok("CreateSecurityProfile", profile("third")),
    ok("ListSecurityProfiles", {"dimensionName": "admin"}, {"securityProfileIdentifiers": [
        {"name": "tour", "arn": "<<arn>>:securityprofile/tour"}]}),
    ok("ListSecurityProfiles", {"metricName": "load"}, {"securityProfileIdentifiers": count(1)}),
    ok("ListSecurityProfiles", {"maxResults": 2}, {"securityProfileIdentifiers": count(2)}, save={"profiles_more": "nextToken"}),
    ok("ListSecurityProfiles", {"nextToken": "<<profiles_more>>"}, {"securityProfileIdentifiers": count(1), "nextToken": ABSENT}),
    fails(INVALID, "ListSecurityProfiles", {"dimensionName": "admin", "metricName": "load"}, says="together"),
    fails(MISSING, "ListSecurityProfiles", {"dimensionName": "none"}, says="none"),
    fails(MISSING, "ListSecurityProfiles", {"metricName": "none"}, says="none"),

    # Targets.
    ok("CreateThingGroup", {"thingGroupName": "watched"}),
    ok("AttachSecurityProfile", profile("tour", securityProfileTargetArn=GROUP)),
    ok("AttachSecurityProfile", profile("tour", securityProfileTargetArn=GROUP)),
    ok("AttachSecurityProfile", profile("second", securityProfileTargetArn=GROUP)),
    fails(LIMIT, "AttachSecurityProfile", profile("third", securityProfileTargetArn=GROUP), says="already has 2"),
    fails(MISSING, "AttachSecurityProfile", profile("none", securityProfileTargetArn=ALL), says="none"),
    fails(MISSING, "AttachSecurityProfile", profile("third", securityProfileTargetArn="<<arn>>:thinggroup/none"), says="none"),
    fails(INVALID, "AttachSecurityProfile", profile("third", securityProfileTargetArn="<<arn>>:thing/lamp"), says="thing group"),
    ok("AttachSecurityProfile", profile("tour", securityProfileTargetArn=ALL)),
    ok("ListTargetsForSecurityProfile", profile("tour", maxResults=1), {"securityProfileTargets": count(1)},
       save={"targets_more": "nextToken"}),
    ok("ListTargetsForSecurityProfile", profile("tour", nextToken="<<targets_more>>"),
       {"securityProfileTargets": count(1), "nextToken": ABSENT}),
    fails(MISSING, "ListTargetsForSecurityProfile", profile("none"), says="none"),
    fails(INVALID, "ListTargetsForSecurityProfile", profile("tour", maxResults=251), says="maxResults"),
    ok("ListSecurityProfilesForTarget", {"securityProfileTargetArn": GROUP}, {"securityProfileTargetMappings": count(2)}),
    ok("ListSecurityProfilesForTarget", {"securityProfileTargetArn": ALL}, {"securityProfileTargetMappings": [
        {"securityProfileIdentifier": {"name": "tour", "arn": "<<arn>>:securityprofile/tour"}, "target": {"arn": ALL}}]}),
    fails(MISSING, "ListSecurityProfilesForTarget", {"securityProfileTargetArn": "<<arn>>:thinggroup/none"}, says="none"),
    fails(INVALID, "ListSecurityProfilesForTarget", {"securityProfileTargetArn": "everything"}, says="everything"),
    ok("DetachSecurityProfile", profile("tour", securityProfileTargetArn=ALL)),
    ok("DetachSecurityProfile", profile("tour", securityProfileTargetArn=ALL)),
    fails(MISSING, "DetachSecurityProfile", profile("none", securityProfileTargetArn=ALL), says="none"),
    fails(INVALID, "DetachSecurityProfile", profile("tour", securityProfileTargetArn="everything"), says="everything"),

    # A thing that never reports violates "alive".
    ok("CreateThing", {"thingName": "mute"}),
    ok("AddThingToThingGroup", {"thingGroupName": "watched", "thingName": "mute"}),
    ok("ListActiveViolations", {"thingName": "mute", "securityProfileName": "second"}, {
        "activeViolations": count(1), "activeViolations.0.thingName": "mute", "activeViolations.0.securityProfileName": "second",
        "activeViolations.0.behavior": ALIVE, "activeViolations.0.lastViolationValue.count": ANY,
        "activeViolations.0.verificationState": "UNKNOWN", "activeViolations.0.violationStartTime": ANY},
       save={"violation": "activeViolations.0.violationId"}, within=30),
    ok("ListActiveViolations", {"behaviorCriteriaType": "MACHINE_LEARNING"}, {"activeViolations": count(0)}),
    fails(INVALID, "ListActiveViolations", {"behaviorCriteriaType": "MAGIC"}, says="behaviorCriteriaType"),
    fails(INVALID, "ListActiveViolations", {"nextToken": "bm9uc2Vuc2U="}, says="page token"),
    ok("PutVerificationStateOnViolation", {"violationId": "<<violation>>", "verificationState": "BENIGN_POSITIVE",
                                           "verificationStateDescription": "a lamp"}),
    fails(INVALID, "PutVerificationStateOnViolation", {"violationId": "0" * 32, "verificationState": "UNKNOWN"}, says="0" * 32),
    fails(INVALID, "PutVerificationStateOnViolation", {"violationId": "<<violation>>", "verificationState": "GUILTY"},
          says="verificationState"),
    ok("ListActiveViolations", {"verificationState": "BENIGN_POSITIVE"}, {
        "activeViolations.0.violationId": "<<violation>>", "activeViolations.0.verificationStateDescription": "a lamp"}),
    ok("ListViolationEvents", {**EVER, "thingName": "mute", "behaviorCriteriaType": "STATIC"}, {
        "violationEvents": count(1), "violationEvents.0.violationId": "<<violation>>",
        "violationEvents.0.violationEventType": "in-alarm", "violationEvents.0.violationEventTime": ANY,
        "violationEvents.0.verificationState": "BENIGN_POSITIVE"}),
    fails(INVALID, "ListViolationEvents", BACKWARDS, says="endTime"),
    fails(INVALID, "ListViolationEvents", {**EVER, "maxResults": 251}, says="maxResults"),

    # Values and models.
    ok("ListMetricValues", {**EVER, "thingName": "mute", "metricName": "load"}, {"metricDatumList": count(0), "nextToken": ABSENT}),
    ok("ListMetricValues", {**EVER, "thingName": "mute", "metricName": "aws:num-messages-sent", "dimensionName": "admin",
                            "dimensionValueOperator": "NOT_IN"}, {"metricDatumList": count(0)}),
    fails(MISSING, "ListMetricValues", {**EVER, "thingName": "mute", "metricName": "none"}, says="none"),
    fails(MISSING, "ListMetricValues", {**EVER, "thingName": "mute", "metricName": "aws:num-messages-sent", "dimensionName": "none"},
          says="none"),
    fails(INVALID, "ListMetricValues", {**EVER, "thingName": "mute", "metricName": "aws:all-bytes-in", "dimensionName": "admin"},
          says="dimension"),
    fails(INVALID, "ListMetricValues", {**EVER, "thingName": "mute", "metricName": "load", "dimensionValueOperator": "IN"},
          says="dimensionName"),
    fails(INVALID, "ListMetricValues", {**BACKWARDS, "thingName": "mute", "metricName": "load"}, says="endTime"),
    ok("GetBehaviorModelTrainingSummaries", {"securityProfileName": "tour"}, {"summaries": count(1), "summaries.0": {
        "securityProfileName": "tour", "behaviorName": "usual", "modelStatus": "PENDING_BUILD",
        "datapointsCollectionPercentage": 0}}),
    fails(MISSING, "GetBehaviorModelTrainingSummaries", {"securityProfileName": "none"}, says="none"),
    fails(INVALID, "GetBehaviorModelTrainingSummaries", {"maxResults": 11}, says="maxResults"),

    # The end of a profile ends its alarms.
    fails(CONFLICT, "DeleteSecurityProfile", profile("second", expectedVersion=7), says="not the expected 7"),
    fails(INVALID, "DeleteSecurityProfile", profile("no spaces"), says="securityProfileName"),
    *(ok("DeleteSecurityProfile", profile(name)) for name in ("second", "tour", "third", "third")),
    ok("ListActiveViolations", {"thingName": "mute"}, {"activeViolations": count(0)}, within=10),
    ok("ListViolationEvents", {**EVER, "thingName": "mute"}, {
        "violationEvents": count(2), "violationEvents.0.violationEventType": "alarm-invalidated",
        "violationEvents.0.violationId": "<<violation>>", "violationEvents.0.metricValue": ABSENT}, within=10),
    ok("DeleteThing", {"thingName": "mute"}),
    ok("DeleteThingGroup", {"thingGroupName": "watched"}),
    *(ok("DeleteCustomMetric", {"metricName": name}) for name in ("load", "peers")),
    ok("DeleteDimension", {"name": "admin"}),
]
