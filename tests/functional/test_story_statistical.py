"""A statistical threshold end to end: the tutorial's rule.json as printed, and as its author meant it, over a fleet of
50 steady devices and one that exfiltrates."""
import json
import os
import ssl
import time
import urllib.request

from support import mail as mails
from support.device import Device, report
from support.processes import wait_for

TARGET = "arn:aws:iot:us-east-1:123456789012:all/things"
WINDOW = 10
RETAINED = ["aws:all-packets-out", "aws:all-packets-in", "aws:all-bytes-out", "aws:all-bytes-in",
            "aws:num-established-tcp-connections", "aws:destination-ip-addresses"]
# As the tutorial prints it: 300 s.
RULE = {
    "securityProfileName": "PacketProfile",
    "securityProfileDescription": "Packets out beyond what the fleet sends",
    "behaviors": [{
        "name": "PacketExfiltration", "metric": "aws:all-packets-out",
        "criteria": {"comparisonOperator": "greater-than", "durationSeconds": 300, "consecutiveDatapointsToAlarm": 1,
                     "consecutiveDatapointsToClear": 1, "statisticalThreshold": {"statistic": "p99.99"}}}],
    "additionalMetricsToRetain": RETAINED,
}


def over(seconds, **criteria):
    """The rule's behavior over windows that a test can wait for."""
    behavior = json.loads(json.dumps(RULE["behaviors"][0]))
    behavior["criteria"].update(criteria, durationSeconds=seconds)
    return behavior


class Fleet:
    """All devices over one connection, each with reports of its own."""

    def __init__(self, device, names):
        self.device, self.names, self.rounds = device, names, 0
        # In the middle of a window: whoever reports at its end falls now on this side of it, now on that.
        self.next = time.monotonic() + (1.5 * WINDOW - time.time() % WINDOW) % WINDOW

    def round(self, **packets):
        time.sleep(max(0, self.next - time.monotonic()))
        self.next += WINDOW
        self.rounds += 1
        infos = []
        for name in self.names:
            out = packets.get(name, 100)
            remote = "203.0.113.9:443" if name in packets else "192.0.2.1:443"
            body = report(self.rounds, {"network_stats": {"packets_out": out, "packets_in": 10, "bytes_out": out * 60,
                                                          "bytes_in": 600},
                                        "tcp_connections": {"established_connections": {
                                            "total": 1, "connections": [{"remote_addr": remote}]}}})
            infos.append(self.device.client.publish(f"$aws/things/{name}/defender/metrics/json", json.dumps(body), 1))
        wait_for(lambda: all(i.mid in self.device.published for i in infos), WINDOW,
                 lambda: f"the broker to take the reports of round {self.rounds}: {self.device.ended}")


def gateway(fw):
    """A certificate of no thing, so that it may report for others."""
    certificate = fw.certificate()
    fw.iot.attach_policy(policyName=fw.policy("gateway", ("Allow", "iot:*", "*")), target=certificate.arn)
    return certificate


def alarms(fw):
    return {v["thingName"] for v in fw.iot.list_active_violations(maxResults=250)["activeViolations"]}


def test_one_of_fifty_exfiltrates(make):
    fw = make({"detect.min_duration_seconds": WINDOW})
    rule = os.path.join(fw.scratch, "rule.json")
    with open(rule, "w") as file:
        json.dump(RULE, file)
    fw.aws("iot", "create-security-profile", "--cli-input-json", f"file://{rule}")
    shown = fw.aws("iot", "describe-security-profile", "--security-profile-name", "PacketProfile")
    assert {k: shown[k] for k in RULE} == RULE

    # As printed: valid, and said in plain words what it does.
    checked = fw.aws("iot", "validate-security-profile-behaviors", "--behaviors", json.dumps(RULE["behaviors"]))
    assert checked["valid"] is True
    advice = checked["validationErrors"][0]["errorMessage"]
    assert "PacketExfiltration" in advice and "less-than-equals" in advice and "digest" in advice, advice
    fw.aws("iot", "attach-security-profile", "--security-profile-name", "PacketProfile",
           "--security-profile-target-arn", TARGET)
    topic = fw.sns.create_topic(Name="alarms")["TopicArn"]
    fw.iot.update_security_profile(securityProfileName="PacketProfile", alertTargets={
        "SNS": {"alertTargetArn": topic, "roleArn": "arn:aws:iam::123456789012:role/alerts"}})
    status = fw.run("status", "--data", fw.data).stdout
    assert "PacketProfile/PacketExfiltration" in status and "digest" in status

    # As meant.
    meant = [over(WINDOW, comparisonOperator="less-than-equals")]
    assert fw.iot.validate_security_profile_behaviors(behaviors=meant)["validationErrors"] == []
    fw.iot.update_security_profile(securityProfileName="PacketProfile", behaviors=meant)
    assert "digest" not in fw.run("status", "--data", fw.data).stdout
    certificate = gateway(fw)
    names = [f"steady-{i}" for i in range(50)] + ["rogue"]
    began = int(time.time())
    with Device(fw, certificate, "fleet") as device:
        fleet = Fleet(device, names)
        for _ in range(4):
            fleet.round()
        assert alarms(fw) == set(), fw.run("why", "steady-1", "--data", fw.data).stdout
        assert "p99.99 of 50 other things" in fw.run("why", "rogue", "--data", fw.data).stdout
        for _ in range(3):
            fleet.round(rogue=90000)
            wait_for(lambda: alarms(fw) == {"rogue"}, 5, "the rogue's alarm, and no other")
        fleet.round()
        wait_for(lambda: alarms(fw) == set(), 5, "the alarm to clear")
    now = int(time.time()) + 60
    events = fw.iot.list_violation_events(startTime=began, endTime=now, maxResults=250)["violationEvents"]
    assert [(e["thingName"], e["violationEventType"]) for e in events] == [("rogue", "alarm-cleared"), ("rogue", "in-alarm")]
    assert events[1]["metricValue"] == {"count": 90000}

    def values(metric, key, start=began, end=now):
        datums = fw.iot.list_metric_values(thingName="rogue", metricName=metric, startTime=start, endTime=end)
        return [d["value"][key] for d in datums["metricDatumList"]]
    # Around the moment of the alarm: the report before it, and its own.
    moment = events[1]["violationEventTime"].timestamp()
    around = moment - 1.5 * WINDOW, moment + WINDOW / 2
    assert values("aws:all-packets-out", "count", *around) == [100, 90000]
    assert [[c.split("/")[0] for c in v] for v in values("aws:destination-ip-addresses", "cidrs", *around)] == [
        ["192.0.2.1"], ["203.0.113.9"]]
    assert sorted(values("aws:all-packets-out", "count")) == [100] * 5 + [90000] * 3
    assert ["203.0.113.9"] in [[c.split("/")[0] for c in value] for value in values("aws:destination-ip-addresses", "cidrs")]
    for metric in RETAINED:
        assert values(metric, "cidrs" if metric.endswith("addresses") else "count"), metric
    fw.stop()


def test_alerts_of_a_rule_that_most_things_violate_are_one_digest(make, mail):
    fw = make({"detect.min_duration_seconds": WINDOW, "notify.smtp.url": mail.url})
    topic = fw.sns.create_topic(Name="alarms")["TopicArn"]
    fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")
    link = next(link for link in mails.links(mail.wait(1)[0]) if "ConfirmSubscription" in link)
    urllib.request.urlopen(link, context=ssl.create_default_context(cafile=fw.ca), timeout=10).close()
    fw.iot.create_security_profile(**{**RULE, "behaviors": [over(WINDOW)]}, alertTargets={
        "SNS": {"alertTargetArn": topic, "roleArn": "arn:aws:iam::123456789012:role/alerts"}})
    fw.iot.attach_security_profile(securityProfileName="PacketProfile", securityProfileTargetArn=TARGET)
    certificate = gateway(fw)
    with Device(fw, certificate, "fleet") as device:
        fleet = Fleet(device, [f"steady-{i:02}" for i in range(20)])
        for _ in range(5):
            fleet.round(**{"steady-00": 200})  # far above the others, whose intervals of 9.99 or 10.01 s then decide nothing
        wait_for(lambda: mails.alarms(mail.all()), 2 * WINDOW, "the digest")
    # Once most things are in alarm the others lack others to be compared with: whose report fell behind a window's end is not
    # judged any more (D7).
    found = sorted(alarms(fw))
    assert len(found) > 10
    digests = mails.alarms(mail.all())
    assert len(digests) == 1 and len(mail.all()) == 2, digests
    assert digests[0]["violationEventType"] == "digest" and digests[0]["thingsInAlarm"] == len(found)
    assert digests[0]["thingNames"] == found[:10]
    assert digests[0]["behavior"]["name"] == "PacketExfiltration"
    assert digests[0]["securityProfileName"] == "PacketProfile"
