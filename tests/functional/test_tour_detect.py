"""The operations of Detect through stock boto3: security profiles, custom metrics, dimensions, violations, values, models;
and the errors a client can cause."""
import json
import time

import botocore.exceptions
import pytest

from support.device import Device, Reporter, report
from support.processes import wait_for

ALL = "arn:aws:iot:us-east-1:123456789012:all/things"
PORTS = {"name": "ports", "metric": "aws:listening-tcp-ports",
         "criteria": {"comparisonOperator": "in-port-set", "value": {"ports": [22]}}}


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared({"detect.min_duration_seconds": 1})


def refused(code, text, call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**arguments)
    error = raised.value.response["Error"]
    assert error["Code"] == code and text in error["Message"], error


def everything(iot, operation, key, **arguments):
    """All items, two a page, by the stock paginator."""
    pages = iot.get_paginator(operation).paginate(PaginationConfig={"PageSize": 2}, **arguments)
    return pages.build_full_result()[key]


def test_custom_metrics(fw):
    iot = fw.iot
    for kind in ("number", "number-list", "string-list", "ip-address-list"):
        made = iot.create_custom_metric(metricName=f"m-{kind}", metricType=kind, clientRequestToken=kind)
        assert made["metricArn"].endswith(f":custommetric/m-{kind}")
        assert iot.create_custom_metric(metricName=f"m-{kind}", metricType=kind, clientRequestToken=kind)["metricName"]
    assert set(everything(iot, "list_custom_metrics", "metricNames")) >= {"m-number", "m-string-list"}
    iot.update_custom_metric(metricName="m-number", displayName="a number")
    shown = iot.describe_custom_metric(metricName="m-number")
    assert shown["displayName"] == "a number" and shown["metricType"] == "number"
    refused("ResourceAlreadyExistsException", "m-number", iot.create_custom_metric, metricName="m-number",
            metricType="string-list", clientRequestToken="other")
    refused("InvalidRequestException", "", iot.create_custom_metric, metricName="x y", metricType="number",
            clientRequestToken="t")
    refused("InvalidRequestException", "", iot.create_custom_metric, metricName="x", metricType="nothing",
            clientRequestToken="t")
    refused("ResourceNotFoundException", "none", iot.describe_custom_metric, metricName="none")
    refused("ResourceNotFoundException", "none", iot.update_custom_metric, metricName="none", displayName="d")
    iot.delete_custom_metric(metricName="m-ip-address-list")
    refused("ResourceNotFoundException", "", iot.describe_custom_metric, metricName="m-ip-address-list")
    iot.delete_custom_metric(metricName="m-ip-address-list")


def test_dimensions(fw):
    iot = fw.iot
    made = iot.create_dimension(name="admin", type="TOPIC_FILTER", stringValues=["admin/#", "dev/${iot:ClientId}/+"],
                                clientRequestToken="once")
    assert made["arn"].endswith(":dimension/admin")
    iot.create_dimension(name="other", type="TOPIC_FILTER", stringValues=["a"], clientRequestToken="t")
    assert set(everything(iot, "list_dimensions", "dimensionNames")) == {"admin", "other"}
    changed = iot.update_dimension(name="other", stringValues=["b", "c/+"])
    assert changed["stringValues"] == ["b", "c/+"] and changed["type"] == "TOPIC_FILTER"
    assert iot.describe_dimension(name="other")["stringValues"] == ["b", "c/+"]
    for bad in (["a/#/b"], ["${iot:Other}"], ["x" * 257], []):
        refused("InvalidRequestException", "", iot.create_dimension, name="bad", type="TOPIC_FILTER", stringValues=bad,
                clientRequestToken="t")
    refused("ResourceNotFoundException", "none", iot.describe_dimension, name="none")
    iot.create_security_profile(securityProfileName="scoped", behaviors=[{
        "name": "b", "metric": "aws:num-messages-sent", "metricDimension": {"dimensionName": "admin", "operator": "NOT_IN"},
        "criteria": {"comparisonOperator": "less-than", "durationSeconds": 300, "value": {"count": 5}}}])
    refused("InvalidRequestException", "scoped", iot.delete_dimension, name="admin")
    assert iot.list_security_profiles(dimensionName="admin")["securityProfileIdentifiers"][0]["name"] == "scoped"
    iot.delete_security_profile(securityProfileName="scoped")
    iot.delete_dimension(name="admin")
    iot.delete_dimension(name="admin")


def test_profiles_and_their_errors(fw):
    iot = fw.iot
    made = iot.create_security_profile(securityProfileName="tour", behaviors=[PORTS], securityProfileDescription="d",
                                       additionalMetricsToRetainV2=[{"metric": "aws:all-bytes-in"}])
    again = iot.create_security_profile(securityProfileName="tour", behaviors=[PORTS], securityProfileDescription="d",
                                        additionalMetricsToRetainV2=[{"metric": "aws:all-bytes-in"}])
    assert again["securityProfileArn"] == made["securityProfileArn"]
    refused("ResourceAlreadyExistsException", "tour", iot.create_security_profile, securityProfileName="tour")
    shown = iot.describe_security_profile(securityProfileName="tour")
    assert shown["behaviors"] == [PORTS] and shown["version"] == 1
    assert shown["additionalMetricsToRetain"] == ["aws:all-bytes-in"]
    assert shown["additionalMetricsToRetainV2"] == [{"metric": "aws:all-bytes-in"}]
    changed = iot.update_security_profile(securityProfileName="tour", deleteAdditionalMetricsToRetain=True,
                                          expectedVersion=1)
    assert changed["version"] == 2 and not changed.get("additionalMetricsToRetainV2")
    refused("VersionConflictException", "", iot.update_security_profile, securityProfileName="tour", expectedVersion=1)
    refused("InvalidRequestException", "", iot.update_security_profile, securityProfileName="tour", behaviors=[PORTS],
            deleteBehaviors=True)
    refused("ResourceNotFoundException", "none", iot.describe_security_profile, securityProfileName="none")
    refused("ResourceNotFoundException", "none", iot.attach_security_profile, securityProfileName="none",
            securityProfileTargetArn=ALL)
    iot.attach_security_profile(securityProfileName="tour", securityProfileTargetArn=ALL)
    iot.attach_security_profile(securityProfileName="tour", securityProfileTargetArn=ALL)
    assert everything(iot, "list_targets_for_security_profile", "securityProfileTargets",
                      securityProfileName="tour") == [{"arn": ALL}]
    mapped = everything(iot, "list_security_profiles_for_target", "securityProfileTargetMappings",
                        securityProfileTargetArn=ALL, recursive=True)
    assert [m["securityProfileIdentifier"]["name"] for m in mapped] == ["tour"]
    names = [p["name"] for p in everything(iot, "list_security_profiles", "securityProfileIdentifiers")]
    assert "tour" in names


@pytest.mark.parametrize("behavior, words", [
    ({"name": "b", "metric": "aws:nothing"}, "neither a built-in nor a custom metric"),
    ({"name": "b", "metric": "aws:all-bytes-in", "criteria": {"comparisonOperator": "less-than", "value": {"count": 1}}},
     "requires criteria's duration field to be set"),
    ({"name": "b", "metric": "aws:all-bytes-in", "criteria": {"comparisonOperator": "in-set", "durationSeconds": 300,
                                                             "value": {"count": 1}}}, "cannot be used with metric"),
    ({"name": "b", "metric": "aws:all-bytes-in", "criteria": {"comparisonOperator": "less-than", "durationSeconds": 301,
                                                             "value": {"count": 1}}}, "durationSeconds 301"),
    ({"name": "b", "metric": "aws:source-ip-address", "criteria": {"comparisonOperator": "less-than", "durationSeconds": 300,
                                                                  "statisticalThreshold": {"statistic": "p99"}}},
     "cannot be used with a statisticalThreshold"),
    ({"name": "b", "metric": "aws:listening-tcp-ports", "criteria": {"mlDetectionConfig": {"confidenceLevel": "LOW"}}},
     "ML Detect"),
    ({"name": "b", "metric": "fleetward:report-silence", "criteria": {"comparisonOperator": "greater-than",
                                                                      "value": {"count": 1}}}, "greater-than"),
    ({"name": "b", "metric": "aws:all-bytes-in", "metricDimension": {"dimensionName": "other"}}, "dimension"),
])
def test_faults_of_behaviors(fw, behavior, words):
    checked = fw.iot.validate_security_profile_behaviors(behaviors=[behavior])
    assert checked["valid"] is False
    assert any(words in e["errorMessage"] for e in checked["validationErrors"]), checked["validationErrors"]
    refused("InvalidRequestException", words, fw.iot.create_security_profile, securityProfileName="bad", behaviors=[behavior])


def test_violations_and_values(fw):
    iot = fw.iot
    certificate = fw.thing("tourist")
    began = int(time.time()) - 5
    with Device(fw, certificate, "tourist") as device:
        for i, ports in enumerate(([22], [22, 4444], [22])):
            body = report(i + 1, {"listening_tcp_ports": {"ports": [{"port": p} for p in ports], "total": len(ports)}})
            assert device.publish("$aws/things/tourist/defender/metrics/json", json.dumps(body))
            if i == 1:
                active = wait_for(lambda: iot.list_active_violations(thingName="tourist")["activeViolations"], 10, "alarm")
                assert active[0]["behavior"]["name"] == "ports" and active[0]["lastViolationValue"] == {"ports": [22, 4444]}
    wait_for(lambda: not iot.list_active_violations(thingName="tourist")["activeViolations"], 10, "the alarm to clear")
    now = int(time.time()) + 5
    events = everything(iot, "list_violation_events", "violationEvents", startTime=began, endTime=now, thingName="tourist")
    assert [e["violationEventType"] for e in events] == ["alarm-cleared", "in-alarm"]
    iot.put_verification_state_on_violation(violationId=events[0]["violationId"], verificationState="BENIGN_POSITIVE")
    found = iot.list_violation_events(startTime=began, endTime=now, verificationState="BENIGN_POSITIVE")["violationEvents"]
    assert {e["violationId"] for e in found} == {events[0]["violationId"]}
    refused("InvalidRequestException", "", iot.put_verification_state_on_violation, violationId="0" * 32,
            verificationState="UNKNOWN")
    refused("InvalidRequestException", "", iot.list_violation_events, startTime=now, endTime=began)
    values = everything(iot, "list_metric_values", "metricDatumList", thingName="tourist",
                        metricName="aws:listening-tcp-ports", startTime=began, endTime=now)
    assert sorted(v["value"]["ports"] for v in values) == [[22], [22], [22, 4444]]
    refused("ResourceNotFoundException", "none", iot.list_metric_values, thingName="tourist", metricName="none",
            startTime=began, endTime=now)
    refused("ResourceNotFoundException", "none", iot.list_metric_values, thingName="tourist",
            metricName="aws:num-messages-sent", dimensionName="none", startTime=began, endTime=now)
    iot.detach_security_profile(securityProfileName="tour", securityProfileTargetArn=ALL)
    iot.delete_security_profile(securityProfileName="tour")
    iot.delete_security_profile(securityProfileName="tour")


def test_a_new_thing_of_an_old_name_inherits_nothing(fw):
    """D9: values and alarms belong to the thing's id; what happened stays in the history."""
    iot = fw.iot
    metric = "aws:num-listening-tcp-ports"
    iot.create_security_profile(securityProfileName="heirs", behaviors=[{
        "name": "few", "metric": metric, "criteria": {"comparisonOperator": "less-than", "value": {"count": 5},
                                                      "durationSeconds": 300}}])
    iot.attach_security_profile(securityProfileName="heirs", securityProfileTargetArn=ALL)
    certificate = fw.certificate()
    iot.attach_policy(policyName=fw.policy("heir", ("Allow", "iot:*", "*")), target=certificate.arn)
    old = iot.create_thing(thingName="heir")["thingId"]

    def active():
        return iot.list_active_violations(thingName="heir")["activeViolations"]

    def values():
        now = int(time.time())
        found = iot.list_metric_values(thingName="heir", metricName=metric, startTime=now - 3600, endTime=now + 60)
        return [d["value"]["count"] for d in found["metricDatumList"]]
    with Reporter(fw, certificate, "heir") as device:
        device.listen("json")
        device.ask(report(1, {"listening_tcp_ports": {"total": 9}}))
        wait_for(active, 10, "the alarm")
        wait_for(lambda: values() == [9], 10, "the value")
        iot.delete_thing(thingName="heir")
        assert iot.create_thing(thingName="heir")["thingId"] != old
        wait_for(lambda: not active(), 10, "the end of the old thing's alarm")
        assert values() == []
        device.ask(report(2, {"listening_tcp_ports": {"total": 1}}))
        wait_for(lambda: values() == [1], 10, "the new thing's value")
        assert not active()
    now = int(time.time())
    kinds = [e["violationEventType"] for e in iot.list_violation_events(startTime=now - 600, endTime=now + 60, thingName="heir")[
        "violationEvents"]]
    assert sorted(kinds) == ["alarm-invalidated", "in-alarm"]
    iot.delete_security_profile(securityProfileName="heirs")


def test_silence_alarms_and_clears(fw):
    iot = fw.iot
    iot.create_security_profile(securityProfileName="alive", behaviors=[{
        "name": "alive", "metric": "fleetward:report-silence",
        "criteria": {"comparisonOperator": "less-than", "value": {"count": 6}}}])
    certificate = fw.thing("sleeper")
    with Device(fw, certificate, "sleeper") as device:
        def send(i):
            assert device.publish("$aws/things/sleeper/defender/metrics/json", json.dumps(report(i, {})))
        send(1)
        iot.attach_security_profile(securityProfileName="alive", securityProfileTargetArn=ALL)
        alarms = wait_for(lambda: iot.list_active_violations(thingName="sleeper")["activeViolations"], 20, "the alarm")
        assert alarms[0]["behavior"]["name"] == "alive" and alarms[0]["lastViolationValue"]["count"] >= 6
        assert "its agent has stopped" in fw.run("why", "sleeper", "--data", fw.data).stdout
        send(2)
        wait_for(lambda: not iot.list_active_violations(thingName="sleeper")["activeViolations"], 10, "the alarm to clear")
    wait_for(lambda: iot.list_active_violations(thingName="sleeper")["activeViolations"], 20, "the next alarm")
    wait_for(lambda: "is offline" in fw.run("why", "sleeper", "--data", fw.data).stdout, 10, "the reason")


def test_targets_cover_groups_below_them_and_each_kind_of_thing(make):
    """Five profiles: on a group two levels above the thing's own, on another group, on all, registered and unregistered
    things. One report of each device shows who is covered by which."""
    fw = make({"detect.min_duration_seconds": 1})
    iot = fw.iot
    for name, parent in (("site", None), ("hall", "site"), ("row", "hall"), ("elsewhere", None)):
        iot.create_thing_group(thingGroupName=name, **({"parentGroupName": parent} if parent else {}))
    targets = {"above": fw.arn("thinggroup", "site"), "beside": fw.arn("thinggroup", "elsewhere"), "every": ALL,
               "known": fw.arn("all", "registered-things"), "stray": fw.arn("all", "unregistered-things")}
    for profile, target in targets.items():
        iot.create_security_profile(securityProfileName=profile, behaviors=[PORTS])
        iot.attach_security_profile(securityProfileName=profile, securityProfileTargetArn=target)
    certificates = {"deep": fw.thing("deep"), "lone": fw.thing("lone")}
    iot.add_thing_to_thing_group(thingGroupName="row", thingName="deep")
    unknown = fw.certificate()
    iot.attach_policy(policyName=fw.policy("unknown", ("Allow", "iot:*", "*")), target=unknown.arn)
    certificates["nobody"] = unknown
    for name, certificate in certificates.items():
        body = report(1, {"listening_tcp_ports": {"ports": [{"port": 4444}], "total": 1}})
        with Device(fw, certificate, name) as device:
            assert device.publish(f"$aws/things/{name}/defender/metrics/json", json.dumps(body))

    def alarms():
        found = iot.list_active_violations(maxResults=250)["activeViolations"]
        return {(v["thingName"], v["securityProfileName"]) for v in found}
    expected = {("deep", "above"), ("deep", "every"), ("deep", "known"), ("lone", "every"), ("lone", "known"),
                ("nobody", "every"), ("nobody", "stray")}
    wait_for(lambda: alarms() == expected, 10, alarms)
    # Out of the group it is covered by its ancestors no more.
    iot.remove_thing_from_thing_group(thingGroupName="row", thingName="deep")
    wait_for(lambda: alarms() == expected - {("deep", "above")}, 10, alarms)
    now = time.time()
    events = iot.list_violation_events(startTime=now - 600, endTime=now + 60, thingName="deep", securityProfileName="above")
    assert [e["violationEventType"] for e in events["violationEvents"]] == ["alarm-invalidated", "in-alarm"]
