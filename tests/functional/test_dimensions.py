"""TOPIC_FILTER dimensions: cloud-side metrics counted by topic, from real packets to alarms and ListMetricValues."""
import socket
import ssl
import time
import uuid

import paho.mqtt.client as mqtt
import pytest
from botocore.exceptions import ClientError

from support.device import Device
from support.edge import Mqtt, packet, text
from support.processes import wait_for

SENT, RECEIVED, FAILURES = "aws:num-messages-sent", "aws:num-messages-received", "aws:num-authorization-failures"
SIZE, ADDRESS = "aws:message-byte-size", "aws:source-ip-address"
METRICS = (SENT, RECEIVED, FAILURES, SIZE, ADDRESS)
TARGET = "arn:aws:iot:us-east-1:123456789012:all/things"
WINDOW = 2


@pytest.fixture(scope="module")
def fw(make_shared):
    fw = make_shared({"detect.min_duration_seconds": WINDOW, "mqtt.on_denied_subscribe": "suback"})
    fw.iot.create_dimension(name="admin", type="TOPIC_FILTER", stringValues=["admin/#", "root/+/x"])
    fw.iot.create_dimension(name="own", type="TOPIC_FILTER", stringValues=["d/${iot:ClientId}/#"])
    fw.iot.create_security_profile(securityProfileName="kept", additionalMetricsToRetainV2=[
        {"metric": metric, "metricDimension": {"dimensionName": name, "operator": operator}}
        for metric in METRICS for name in ("admin", "own") for operator in ("IN", "NOT_IN")])
    fw.iot.attach_security_profile(securityProfileName="kept", securityProfileTargetArn=TARGET)
    return fw


def thing(fw, policy=None):
    name = "t-" + uuid.uuid4().hex[:10]
    return name, fw.thing(name, policy)


def values(fw, name, metric, dimension="admin", operator="IN", kind="count"):
    data = fw.iot.list_metric_values(thingName=name, metricName=metric, dimensionName=dimension,
                                     dimensionValueOperator=operator, startTime=time.time() - 300,
                                     endTime=time.time() + 60, maxResults=250)["metricDatumList"]
    return [each["value"][kind] for each in data]


def totals(fw, name, metric, dimension="admin"):
    return sum(values(fw, name, metric, dimension)), sum(values(fw, name, metric, dimension, "NOT_IN"))


def test_in_and_not_in_alarm_for_their_topics(fw):
    def profile(name, operator):
        fw.iot.create_security_profile(securityProfileName=name, behaviors=[{
            "name": "few", "metric": SENT, "metricDimension": {"dimensionName": "admin", "operator": operator},
            "criteria": {"comparisonOperator": "less-than", "value": {"count": 10}, "durationSeconds": WINDOW,
                         "consecutiveDatapointsToAlarm": 1, "consecutiveDatapointsToClear": 1}}])
        fw.iot.attach_security_profile(securityProfileName=name, securityProfileTargetArn=TARGET)

    def alarms():
        found = fw.iot.list_active_violations(maxResults=250)["activeViolations"]
        return {(v["thingName"], v["securityProfileName"]) for v in found}
    profile("inside", "IN")
    profile("outside", "NOT_IN")
    names = [thing(fw) for _ in range(3)]
    began = time.time() - 5
    devices = [Device(fw, certificate, name) for name, certificate in names]
    (inside, outside, both), topics = [name for name, _ in names], ("admin/a", "other/a", None)

    def burst():
        for device, topic in zip(devices, topics):
            for i in range(30):
                # The third sends as much, yet few enough a window on either side.
                if topic or i < 6:
                    assert device.publish(topic or ("admin/b", "other/b")[i % 2])
    burst()
    wait_for(lambda: {(inside, "inside"), (outside, "outside")} <= alarms(), 15, alarms)
    assert alarms() == {(inside, "inside"), (outside, "outside")}
    wait_for(lambda: alarms() == set(), 15, alarms)  # silent windows conform
    for device in devices:
        device.close()
    events = fw.iot.list_violation_events(startTime=began, endTime=time.time() + 60, maxResults=250)["violationEvents"]
    raised = [e for e in events if e["violationEventType"] == "in-alarm"]
    assert {(e["thingName"], e["securityProfileName"]) for e in raised} == {(inside, "inside"), (outside, "outside")}
    assert {e["behavior"]["metricDimension"]["operator"] for e in raised if e["thingName"] == outside} == {"NOT_IN"}
    wait_for(lambda: totals(fw, both, SENT) == (3, 3), 10)
    assert totals(fw, inside, SENT) == (30, 0) and totals(fw, outside, SENT) == (0, 30)
    for name in ("inside", "outside"):
        fw.iot.delete_security_profile(securityProfileName=name)


def test_values_of_every_metric_by_topic(fw):
    name, certificate = thing(fw, [("Allow", "iot:*", "*"), ("Deny", "iot:Publish", "topic/admin/no"),
                                   ("Deny", "iot:Subscribe", ["topicfilter/admin/+/no", "topicfilter/other/no"])])
    with Device(fw, certificate, name, protocol=mqtt.MQTTv5) as device:
        device.subscribe(f"d/{name}/#")
        for topic, size in (("admin/1", 100), ("admin/2", 700), ("root/1/x", 20), ("root/1/y", 9000),
                            (f"d/{name}/m", 50), (f"d/{name}/m", 60), ("d/somebody/m", 4)):
            assert device.publish(topic, b"x" * size)
        device.wait_message(f"d/{name}/m", 2)
        assert device.subscribe("admin/+/no") >= 0x80
        assert device.subscribe("other/no") >= 0x80
        device.publish("admin/no")
        wait_for(lambda: totals(fw, name, FAILURES) == (2, 1), 15, lambda: totals(fw, name, FAILURES))
        time.sleep(2 * WINDOW + 1)
    assert totals(fw, name, SENT) == (3, 4) and totals(fw, name, SENT, "own") == (2, 5)
    assert totals(fw, name, RECEIVED) == (0, 2) and totals(fw, name, RECEIVED, "own") == (2, 0)
    assert totals(fw, name, FAILURES) == (2, 1) and totals(fw, name, FAILURES, "own") == (0, 3)
    assert max(values(fw, name, SIZE)) == 700 and max(values(fw, name, SIZE, operator="NOT_IN")) == 9000
    assert max(values(fw, name, SIZE, "own")) == 60
    assert 0 in values(fw, name, SENT), "a bucket of silence is a 0 while the thing is connected"
    assert {c.split("/")[0] for v in values(fw, name, ADDRESS, kind="cidrs") for c in v} == {"127.0.0.1"}
    # The same as without a dimension.
    plain = fw.iot.list_metric_values(thingName=name, metricName=SENT, startTime=time.time() - 300, endTime=time.time())
    assert plain["metricDatumList"] == []  # no profile asks for it
    for wrong, code in (({"dimensionName": "nothing"}, "ResourceNotFoundException"),
                        ({"dimensionValueOperator": "IN"}, "InvalidRequestException")):
        with pytest.raises(ClientError) as error:
            fw.iot.list_metric_values(thingName=name, metricName=SENT, startTime=1, endTime=2, **wrong)
        assert error.value.response["Error"]["Code"] == code


def test_filters_and_profiles_change_while_devices_are_connected(fw):
    name, certificate = thing(fw)
    with Device(fw, certificate, name) as device:
        assert device.publish("admin/1")
        fw.iot.create_dimension(name="late", type="TOPIC_FILTER", stringValues=["one"])
        fw.iot.create_security_profile(securityProfileName="late", additionalMetricsToRetainV2=[
            {"metric": SENT, "metricDimension": {"dimensionName": "late"}}])
        fw.iot.attach_security_profile(securityProfileName="late", securityProfileTargetArn=TARGET)
        time.sleep(1)  # the plugin hears of it behind the answer
        assert device.publish("one") and device.publish("two")
        wait_for(lambda: sum(values(fw, name, SENT, "late")) == 1, 15, lambda: values(fw, name, SENT, "late"))
        fw.iot.update_dimension(name="late", stringValues=["two"])
        time.sleep(1)
        assert device.publish("one") and device.publish("two") and device.publish("two")
        wait_for(lambda: sum(values(fw, name, SENT, "late")) == 3, 15, lambda: values(fw, name, SENT, "late"))
        # The same name again is another dimension: nothing of the former is seen.
        fw.iot.delete_security_profile(securityProfileName="late")
        fw.iot.delete_dimension(name="late")
        fw.iot.create_dimension(name="late", type="TOPIC_FILTER", stringValues=["one"])
        fw.iot.create_security_profile(securityProfileName="late", additionalMetricsToRetainV2=[
            {"metric": SENT, "metricDimension": {"dimensionName": "late"}}])
        fw.iot.attach_security_profile(securityProfileName="late", securityProfileTargetArn=TARGET)
        time.sleep(1)
        assert sum(values(fw, name, SENT, "late")) == 0
        assert device.publish("one")
        wait_for(lambda: sum(values(fw, name, SENT, "late")) == 1, 15, lambda: values(fw, name, SENT, "late"))
    assert totals(fw, name, SENT)[0] == 1


def resident_kb(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def test_ever_new_topics_are_counted_and_none_is_kept(make):
    """A topic is looked at once, for the dimensions it belongs to, and forgotten: a device that never uses one twice costs
    neither broker nor server anything that stays, whether it may publish there or not."""
    count, wave = 100_000, 1000
    fw = make({"detect.min_duration_seconds": WINDOW, "mqtt.max_publishes_per_second": 0})
    fw.iot.create_dimension(name="admin", type="TOPIC_FILTER", stringValues=["admin/#"])
    fw.iot.create_dimension(name="own", type="TOPIC_FILTER", stringValues=["admin/${iot:ClientId}/#", "+/1/#"])
    fw.iot.create_security_profile(securityProfileName="kept", additionalMetricsToRetainV2=[
        {"metric": metric, "metricDimension": {"dimensionName": name, "operator": operator}}
        for metric in (SENT, FAILURES, SIZE) for name in ("admin", "own") for operator in ("IN", "NOT_IN")])
    fw.iot.attach_security_profile(securityProfileName="kept", securityProfileTargetArn=TARGET)
    name, certificate = thing(fw, [("Allow", "iot:*", "*"), ("Deny", "iot:Publish", "topic/admin/no/*")])
    context = ssl.create_default_context(cafile=fw.ca)
    context.load_cert_chain(certificate.pem, certificate.key)
    client = Mqtt(context.wrap_socket(socket.create_connection(("127.0.0.1", fw.mqtt_port)), server_hostname="localhost"), 5)
    assert client.connect(name) == 0

    def publish(first, last):
        """Each number on topics of its own: one of the dimension, one of neither, one that is refused."""
        for begin in range(first, last, wave):
            numbers = range(begin, min(begin + wave, last))
            client.sock.sendall(b"".join(
                packet(0x30, text(f"{prefix}/{number}/x") + client.properties() + b"x" * 8)
                for number in numbers for prefix in ("admin", "other")) + b"".join(
                packet(0x32, text(f"admin/no/{number}/x") + b"\0\1" + client.properties() + b"x" * 8) for number in numbers))
            for _ in numbers:
                assert client.read(want=0x40, timeout=60)[1][2] == 0x87

    def resident():
        time.sleep(2 * WINDOW + 1)  # buckets have ended and been stored
        return [resident_kb(fw.pid(part)) for part in ("broker", "server")]
    publish(0, count // 10)
    before = resident()
    publish(count // 10, count)
    after = resident()
    print(f"broker {before[0]} kB, then {after[0]} kB; server {before[1]} kB, then {after[1]} kB")
    # Kept, the topics alone (of three kinds, 14 to 17 bytes each, with a node of some container) would be 20 MB.
    assert after[0] - before[0] < 3000 and after[1] - before[1] < 6000, (before, after)
    wait_for(lambda: totals(fw, name, SENT) == (count, count), 20, lambda: totals(fw, name, SENT))
    assert totals(fw, name, FAILURES) == (count, 0)
    # "admin/1/x" and "other/1/x" were sent, and "admin/no/1/x" refused, which matches neither filter.
    assert totals(fw, name, SENT, "own") == (2, 2 * count - 2) and totals(fw, name, FAILURES, "own") == (0, count)
    client.drop()
