"""ML behaviors end to end: a model for each thing, what the API tells of it, and that it survives a restart."""
import json
import re
import signal
import time

from support.device import Device, report
from support.processes import wait_for

TARGET = "arn:aws:iot:us-east-1:123456789012:all/things"


def summary(fw):
    found = fw.iot.get_behavior_model_training_summaries(securityProfileName="Learned")["summaries"]
    assert [s["behaviorName"] for s in found] == ["usual"]
    return found[0]


def test_a_model_is_built_told_and_kept(make):
    fw = make({"detect.min_duration_seconds": 1})
    fw.iot.create_custom_metric(metricName="load", metricType="number", clientRequestToken="once")
    fw.aws("iot", "create-security-profile", "--security-profile-name", "Learned", "--behaviors", json.dumps([
        {"name": "usual", "metric": "load", "criteria": {"mlDetectionConfig": {"confidenceLevel": "HIGH"}}}]))
    first = summary(fw)
    assert first["modelStatus"] == "PENDING_BUILD" and first["datapointsCollectionPercentage"] == 0
    assert "trainingDataCollectionStartDate" not in first and "lastModelRefreshDate" not in first
    fw.iot.attach_security_profile(securityProfileName="Learned", securityProfileTargetArn=TARGET)
    missing = fw.aws("iot", "get-behavior-model-training-summaries", "--security-profile-name", "none", check=False)
    assert "ResourceNotFoundException" in missing.stderr
    began = time.time()
    certificate = fw.thing("pump")
    with Device(fw, certificate, "pump") as device:
        for i in range(60):
            device.publish("$aws/things/pump/defender/metrics/json", json.dumps(
                report(i + 1, custom_metrics={"load": [{"number": 50 + i % 3}]})))
            time.sleep(0.5)
            if i == 20:
                assert "does not judge yet" in fw.run("why", "pump", "--data", fw.data).stdout
                assert summary(fw)["modelStatus"] == "PENDING_BUILD"
    built = wait_for(lambda: (s := summary(fw))["modelStatus"] == "ACTIVE" and s, 10, "the model")
    assert 0 < built["datapointsCollectionPercentage"] <= 100
    assert built["trainingDataCollectionStartDate"].timestamp() >= began - 5
    assert built["lastModelRefreshDate"] > built["trainingDataCollectionStartDate"]
    why = fw.run("why", "pump", "--data", fw.data).stdout
    assert "the expected" in why and "anomaly score" in why, why
    fw.signal("server", signal.SIGKILL)
    wait_for(lambda: fw.run("status", "--data", fw.data, check=False).returncode == 0, 60, "the server")
    again = wait_for(lambda: (s := summary(fw))["datapointsCollectionPercentage"] > 0 and s, 20, "the model after a restart")
    assert again["modelStatus"] == "ACTIVE"
    assert again["datapointsCollectionPercentage"] >= built["datapointsCollectionPercentage"]
    assert "anomaly score" in fw.run("why", "pump", "--data", fw.data).stdout


def test_a_false_positive_is_not_raised_again_for_the_same_cause(make):
    """Two devices do the same, twice; of one the user says in between that its alarm was a false one. The other is raised
    again. Over a counter and a dimension: tests/scenarios/ml_feedback.txt."""
    fw = make()
    fw.iot.create_custom_metric(metricName="load", metricType="number", clientRequestToken="once")
    fw.iot.create_security_profile(securityProfileName="Learned", behaviors=[
        {"name": "usual", "metric": "load", "criteria": {"mlDetectionConfig": {"confidenceLevel": "LOW"}}}])
    fw.iot.attach_security_profile(securityProfileName="Learned", securityProfileTargetArn=TARGET)
    devices = [Device(fw, fw.thing(name), name) for name in ("told", "untold")]
    number = 0

    def send(value):
        nonlocal number
        number += 1
        for device in devices:
            device.publish(f"$aws/things/{device.client_id}/defender/metrics/json", json.dumps(
                report(number, custom_metrics={"load": [{"number": value}]})))
        time.sleep(0.05)

    def usual(count):
        for i in range(count):
            send(1000 + 37 * (i + number) % 41 - 20)

    def active():
        found = fw.iot.list_active_violations(securityProfileName="Learned")["activeViolations"]
        return {violation["thingName"]: violation for violation in found}

    def raised(thing):
        now = time.time()
        events = fw.iot.list_violation_events(startTime=now - 600, endTime=now + 60, thingName=thing)["violationEvents"]
        return [event["violationId"] for event in events if event["violationEventType"] == "in-alarm"]

    def why(thing):
        return fw.run("why", thing, "--data", fw.data).stdout.partition("The latest transitions")[0]

    def transitions(thing):
        return fw.run("why", thing, "usual", "--data", fw.data).stdout.partition("The latest transitions")[2].splitlines()[1:]

    def score(thing):
        return float(re.search(r"anomaly score ([0-9.]+)\)", why(thing)).group(1))

    usual(500)
    assert active() == {}
    send(100_000)
    alarms = wait_for(lambda: len(found := active()) == 2 and found, 5, "both alarms")
    assert alarms["told"]["violationEventAdditionalInfo"]["confidenceLevel"] == "LOW"
    fw.iot.put_verification_state_on_violation(violationId=alarms["told"]["violationId"], verificationState="FALSE_POSITIVE",
                                               verificationStateDescription="a backup")
    assert wait_for(lambda: active()["told"]["verificationState"] == "FALSE_POSITIVE", 5, "the state")
    usual(60)
    wait_for(lambda: active() == {}, 10, "the end of the alarms")
    before = {name: raised(name) for name in ("told", "untold")}
    assert all(alarms[name]["violationId"] in before[name] for name in before)
    for name in before:
        cleared, alarm = transitions(name)[:2]
        assert re.search(r"  alarm-cleared Learned / usual: .* is within the expected ", cleared), cleared
        assert re.search(r"  in-alarm Learned / usual: load: 100000 is above the expected [0-9.]+ to [0-9.]+: .*anomaly score 0\.",
                         alarm), alarm
    send(100_000)
    wait_for(lambda: all("100000 is above" in why(name) for name in ("told", "untold")), 5, "the verdicts")
    scores = {name: score(name) for name in ("told", "untold")}
    again = wait_for(lambda: (found := active()) and found, 5, "the alarm of which nothing was said")
    assert set(again) == {"untold"}, scores
    assert again["untold"]["violationId"] not in before["untold"]
    assert raised("told") == before["told"], scores
    for device in devices:
        device.close()
