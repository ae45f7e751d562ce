"""Which series ListMetricValues shows, the form of each type, and alarms whose alerts are suppressed."""
import time
from urllib.parse import parse_qs, urlparse

import pytest

from support import mail as mails
from support.device import Device, Reporter, report
from support.processes import wait_for

WINDOW = 2
BUILTIN = {  # metric: member of MetricValue, a value that the reports below lead to
    "aws:all-bytes-in": ("count", 1), "aws:all-bytes-out": ("count", 2), "aws:all-packets-in": ("count", 3),
    "aws:all-packets-out": ("count", 4), "aws:num-listening-tcp-ports": ("count", 2),
    "aws:num-listening-udp-ports": ("count", 1), "aws:num-established-tcp-connections": ("count", 2),
    "aws:listening-tcp-ports": ("ports", [22, 443]), "aws:listening-udp-ports": ("ports", [53]),
    "aws:destination-ip-addresses": ("cidrs", ["192.0.2.7", "2001:db8::7"]),
    "aws:num-messages-sent": ("count", 2), "aws:num-messages-received": ("count", 1),
    "aws:num-authorization-failures": ("count", 0), "aws:num-connection-attempts": ("count", 1),
    "aws:num-disconnects": ("count", 0), "aws:message-byte-size": ("count", None),
    "aws:source-ip-address": ("cidrs", ["127.0.0.1"]), "aws:disconnect-duration": ("count", 0)}
CUSTOM = {"n": ("number", "number", -0.5), "ns": ("number-list", "numbers", [1, 2.5]),
          "ss": ("string-list", "strings", ["a", "\u00fc"]), "ips": ("ip-address-list", "cidrs", ["192.0.2.9", "2001:db8::9"])}
METRICS = {"listening_tcp_ports": {"ports": [{"port": 22}, {"port": 443}], "total": 2},
           "listening_udp_ports": {"ports": [{"port": 53}], "total": 1},
           "network_stats": {"bytes_in": 1, "bytes_out": 2, "packets_in": 3, "packets_out": 4},
           "tcp_connections": {"established_connections": {
               "connections": [{"remote_addr": "192.0.2.7:443"}, {"remote_addr": "[2001:db8::7]:443"}], "total": 2}}}
CUSTOM_VALUES = {"n": [{"number": -0.5}], "ns": [{"number_list": [1, 2.5]}], "ss": [{"string_list": ["a", "\u00fc"]}],
                 "ips": [{"ip_list": ["192.0.2.9", "2001:db8::9"]}]}


@pytest.fixture(scope="module")
def fw(make_shared):
    fw = make_shared({"detect.min_duration_seconds": WINDOW})
    for name, (kind, *_) in CUSTOM.items():
        fw.iot.create_custom_metric(metricName=name, metricType=kind, clientRequestToken="c")
    return fw


@pytest.fixture(scope="module")
def reported(fw):
    certificate = fw.thing("whole")
    fw.iot.create_thing_group(thingGroupName="kept")
    fw.iot.add_thing_to_thing_group(thingGroupName="kept", thingName="whole")
    with Reporter(fw, certificate, "whole") as device:
        device.listen("json")
        assert device.ask(report(1, METRICS, custom_metrics=CUSTOM_VALUES))[0] == "accepted"
        assert device.publish("a/topic", b"x" * 10)
        time.sleep(2 * WINDOW + 2)
    fw.whole = certificate
    return "whole"


def values(fw, thing, metric):
    data = fw.iot.list_metric_values(thingName=thing, metricName=metric, startTime=time.time() - 600,
                                     endTime=time.time() + 60, maxResults=250)["metricDatumList"]
    return [d["value"] for d in data]


def retained(fw, name, **members):
    fw.iot.create_security_profile(securityProfileName=name, **members)
    fw.iot.attach_security_profile(securityProfileName=name, securityProfileTargetArn=fw.arn("thinggroup", "kept"))


@pytest.mark.parametrize("form", ["additionalMetricsToRetain", "additionalMetricsToRetainV2"])
def test_each_retained_metric_is_listed_in_its_form(fw, reported, form):
    names = [*BUILTIN, *CUSTOM]
    assert all(values(fw, reported, name) == [] for name in names), "nobody asks for them yet"
    retained(fw, "keep", **{form: names if form == "additionalMetricsToRetain" else [{"metric": n} for n in names]})
    expected = {**BUILTIN, **{name: (member, value) for name, (_, member, value) in CUSTOM.items()}}
    for name, (member, value) in expected.items():
        found = wait_for(lambda n=name: values(fw, reported, n), 10, name)
        assert all(set(each) == {member} for each in found), (name, found)
        if member == "cidrs":
            assert any([c.split("/")[0] for c in each[member]] == value for each in found), (name, found)
        elif value is not None:
            # What was sent within a moment may lie in two of the broker's buckets.
            divided = member == "count" and sum(each[member] for each in found) == value
            assert divided or any(each[member] == value for each in found), (name, found)
    assert max(v["count"] for v in values(fw, reported, "aws:message-byte-size")) > 100  # the report
    if form == "additionalMetricsToRetain":
        fw.iot.update_security_profile(securityProfileName="keep", additionalMetricsToRetain=["n"])
        assert values(fw, reported, "n") and not values(fw, reported, "ns")
        fw.iot.update_security_profile(securityProfileName="keep", deleteAdditionalMetricsToRetain=True)
        assert not values(fw, reported, "n")
    # A behavior's metric is listed as well.
    fw.iot.update_security_profile(securityProfileName="keep", deleteAdditionalMetricsToRetain=True, behaviors=[
        {"name": "b", "metric": "ss"}])
    assert values(fw, reported, "ss") and not values(fw, reported, "ns")
    fw.iot.delete_security_profile(securityProfileName="keep")
    assert not values(fw, reported, "ss")


def test_of_a_dimension_that_was_asked_for(fw, reported):
    fw.iot.create_dimension(name="a", type="TOPIC_FILTER", stringValues=["a/#"], clientRequestToken="d")
    retained(fw, "by-topic", additionalMetricsToRetainV2=[
        {"metric": "aws:num-messages-sent", "metricDimension": {"dimensionName": "a", "operator": "NOT_IN"}}])
    with Device(fw, fw.whole, "whole") as device:
        time.sleep(1)
        assert device.publish("a/1") and device.publish("b") and device.publish("c")

        def listed(**dimension):
            data = fw.iot.list_metric_values(thingName=reported, metricName="aws:num-messages-sent", startTime=time.time() - 60,
                                             endTime=time.time() + 60, **dimension)["metricDatumList"]
            return [d["value"]["count"] for d in data]
        wait_for(lambda: sum(listed(dimensionName="a", dimensionValueOperator="NOT_IN")) == 2, 15)
        assert listed() == [] and listed(dimensionName="a") == []
    fw.iot.delete_security_profile(securityProfileName="by-topic")


def test_only_what_is_retained_is_stored_when_told_so(make):
    fw = make({"telemetry.store": "retained"})
    fw.iot.create_custom_metric(metricName="n", metricType="number", clientRequestToken="c")
    fw.iot.create_thing_group(thingGroupName="kept")
    certificate = fw.thing("pump")
    fw.iot.add_thing_to_thing_group(thingGroupName="kept", thingName="pump")
    with Reporter(fw, certificate, "pump") as device:
        device.listen("json")
        assert device.ask(report(1, custom_metrics={"n": [{"number": 1}]}))[0] == "accepted"
        retained(fw, "keep", additionalMetricsToRetainV2=[{"metric": "n"}])
        time.sleep(1)
        assert device.ask(report(2, custom_metrics={"n": [{"number": 2}]}))[0] == "accepted"
        wait_for(lambda: values(fw, "pump", "n"), 10)
        assert values(fw, "pump", "n") == [{"number": 2}], "from then on"


def test_suppressed_alerts_are_violations_without_a_message(make, mail):
    fw = make({"notify.smtp.url": mail.url})
    topic = fw.sns.create_topic(Name="alerts")["TopicArn"]
    fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")
    link = next(link for link in mails.links(mail.wait(1)[0]) if "ConfirmSubscription" in link)
    fw.sns.confirm_subscription(TopicArn=topic, Token=parse_qs(urlparse(link).query)["Token"][0])
    fw.iot.create_custom_metric(metricName="n", metricType="number", clientRequestToken="c")
    criteria = {"comparisonOperator": "less-than", "value": {"number": 10}}
    behaviors = [{"name": "quiet", "metric": "n", "criteria": criteria, "suppressAlerts": True},
                 {"name": "told", "metric": "n", "criteria": criteria, "suppressAlerts": False},
                 {"name": "plain", "metric": "n", "criteria": criteria}]
    fw.iot.create_security_profile(securityProfileName="P", behaviors=behaviors, alertTargets={
        "SNS": {"alertTargetArn": topic, "roleArn": "arn:aws:iam::123456789012:role/r"}})
    fw.iot.attach_security_profile(securityProfileName="P", securityProfileTargetArn=fw.arn("all", "things"))
    began = time.time() - 5

    def names(listed):
        return sorted(each["behavior"]["name"] for each in listed)

    def active(**filters):
        return names(fw.iot.list_active_violations(thingName="pump", **filters)["activeViolations"])

    def events(**filters):
        found = fw.iot.list_violation_events(startTime=began, endTime=time.time() + 60, **filters)["violationEvents"]
        return names(e for e in found if e["violationEventType"] == "in-alarm")

    with Reporter(fw, fw.thing("pump"), "pump") as device:
        device.listen("json")
        assert device.ask(report(1, custom_metrics={"n": [{"number": 50}]}))[0] == "accepted"
        wait_for(lambda: len(active()) == 3, 15, active)
        assert active() == events() == ["plain", "quiet", "told"]
        assert active(listSuppressedAlerts=True) == events(listSuppressedAlerts=True) == ["quiet"]
        assert active(listSuppressedAlerts=False) == events(listSuppressedAlerts=False) == ["plain", "told"]

        def told():
            return sorted(m["behavior"]["name"] for m in mails.alarms(mail.all()) if m["violationEventType"] == "in-alarm")
        wait_for(lambda: len(told()) >= 2, 20, told)
        # From now on it speaks: the alarm goes on under the same id, its clearing is told.
        before = {v["behavior"]["name"]: v["violationId"] for v in fw.iot.list_active_violations()["activeViolations"]}
        behaviors[0]["suppressAlerts"] = False
        fw.iot.update_security_profile(securityProfileName="P", behaviors=behaviors)
        wait_for(lambda: active(listSuppressedAlerts=False) == ["plain", "quiet", "told"], 10, "the list to follow")
        assert active(listSuppressedAlerts=True) == []
        assert device.ask(report(2, custom_metrics={"n": [{"number": 51}]}))[0] == "accepted"
        after = {v["behavior"]["name"]: v["violationId"] for v in fw.iot.list_active_violations()["activeViolations"]}
        assert before == after
        assert device.ask(report(3, custom_metrics={"n": [{"number": 1}]}))[0] == "accepted"
        wait_for(lambda: sorted(m["behavior"]["name"] for m in mails.alarms(mail.all())
                                if m["violationEventType"] == "alarm-cleared") == ["plain", "quiet", "told"], 20, "the messages")
        assert told() == ["plain", "told"]
