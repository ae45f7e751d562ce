"""ML behaviors end to end: a model for each thing, what the API tells of it, and that it survives a restart."""
import json
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
