"""Story 3: a custom metric of our agent, from `./myapp` to the alarm and back, with stock aws-cli."""
import json
import os
import pty
import shutil
import subprocess
import time

import pytest

from support.fleetward import Certificate
from support.processes import die_with_parent, never, wait_for

TARGET = "arn:aws:iot:us-east-1:123456789012:all/things"
METRIC = "num_child_procs_myapp"
CONFIG = f"""
[[custom_metric]]
name = "{METRIC}"
child_processes_of = "myapp"
"""


class Shell:
    """A shell under another name, on a terminal, as a person uses it."""

    def __init__(self, fw, program):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([program], stdin=slave, stdout=slave, stderr=slave, env=fw.environment(),
                                        start_new_session=True, preexec_fn=die_with_parent)
        os.close(slave)

    def type(self, text):
        os.write(self.master, text.encode())

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            return file.read().split()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            os.close(self.master)


@pytest.fixture
def shell(make, request):
    shells = []
    yield lambda fw, program: shells.append(Shell(fw, program)) or shells[-1]
    for shell in shells:
        shell.end()


def active(fw):
    return fw.iot.list_active_violations(thingName="MyDevice")["activeViolations"]


def test_child_processes_of_myapp(make, shell):
    fw = make({"detect.min_duration_seconds": 1})
    aws = fw.aws
    created = aws("iot", "create-custom-metric", "--metric-name", METRIC, "--metric-type", "number",
                  "--client-request-token", "once")
    assert created["metricArn"] == f"arn:aws:iot:us-east-1:123456789012:custommetric/{METRIC}"
    assert aws("iot", "list-custom-metrics")["metricNames"] == [METRIC]
    behavior = {"name": "noChildren", "metric": METRIC, "criteria": {
        "comparisonOperator": "less-than-equals", "value": {"number": 0}, "consecutiveDatapointsToAlarm": 1,
        "consecutiveDatapointsToClear": 1}}
    aws("iot", "create-security-profile", "--security-profile-name", "MyApp", "--behaviors", json.dumps([behavior]))
    aws("iot", "attach-security-profile", "--security-profile-name", "MyApp", "--security-profile-target-arn", TARGET)

    out = os.path.join(fw.scratch, "device")
    fw.run("provision", "MyDevice", "--data", fw.data, "--out", out)
    certificate = provisioned(out)
    agent = fw.agent(certificate, "MyDevice", "-f", "json", "-i", "1", config=CONFIG)
    agent.wait_accepted(2)

    program = os.path.join(fw.scratch, "myapp")
    shutil.copy(shutil.which("sh"), program)
    myapp = shell(fw, program)
    never(lambda: active(fw), 3, "an alarm for a shell without children")
    myapp.type("cat\n")
    wait_for(myapp.children, 5, "cat to run")
    violation = wait_for(lambda: active(fw), 15, "the violation")[0]
    assert violation["behavior"]["name"] == "noChildren"
    assert violation["lastViolationValue"] == {"number": 1}
    assert violation["verificationState"] == "UNKNOWN"

    aws("iot", "put-verification-state-on-violation", "--violation-id", violation["violationId"],
        "--verification-state", "TRUE_POSITIVE", "--verification-state-description", "I typed cat")
    shown = aws("iot", "list-active-violations", "--verification-state", "TRUE_POSITIVE")["activeViolations"]
    assert [v["violationId"] for v in shown] == [violation["violationId"]]
    assert shown[0]["verificationStateDescription"] == "I typed cat"
    assert aws("iot", "list-active-violations", "--verification-state", "FALSE_POSITIVE")["activeViolations"] == []

    myapp.type("\x04")  # the end of cat's input
    wait_for(lambda: not myapp.children(), 5, "cat to end")
    assert myapp.process.poll() is None
    wait_for(lambda: not active(fw), 15, "the alarm to clear")

    now = int(time.time())
    points = aws("iot", "list-metric-values", "--thing-name", "MyDevice", "--metric-name", METRIC,
                 "--start-time", str(now - 600), "--end-time", str(now + 60))["metricDatumList"]
    numbers = [point["value"]["number"] for point in points]
    assert set(numbers) == {0, 1} and len(points) >= 5
    events = aws("iot", "list-violation-events", "--start-time", str(now - 600), "--end-time", str(now + 60))
    assert sorted(e["violationEventType"] for e in events["violationEvents"]) == ["alarm-cleared", "in-alarm"]
    assert {e["violationId"] for e in events["violationEvents"]} == {violation["violationId"]}
    assert {e["verificationState"] for e in events["violationEvents"]} == {"TRUE_POSITIVE"}

    why = fw.run("why", "MyDevice", "--data", fw.data).stdout
    assert "noChildren" in why
    agent.stop()
    myapp.end()
    fw.stop()


def provisioned(folder):
    """The certificate and key that `fleetward provision` wrote."""
    names = sorted(os.listdir(folder))
    keys = [n for n in names if n.endswith("key") or n.endswith(".key") or n.endswith("key.pem")]
    certificates = [n for n in names if n.endswith((".pem", ".crt")) and n not in keys and "ca" not in n.lower().split(".")[0].split("-")]
    assert len(keys) == 1 and len(certificates) == 1, names
    assert os.stat(os.path.join(folder, keys[0])).st_mode & 0o077 == 0
    return Certificate(os.path.join(folder, certificates[0]), os.path.join(folder, keys[0]))


def test_a_metric_that_is_not_defined_leaves_the_report_accepted_and_a_fault(make):
    fw = make({"detect.min_duration_seconds": 1})
    certificate = fw.thing("MyDevice")
    agent = fw.agent(certificate, "MyDevice", "-f", "json", "-i", "1", config=CONFIG)
    agent.wait_accepted(2)
    assert METRIC in wait_for(lambda: fw.run("status", "MyDevice", "--data", fw.data).stdout, 10, "the thing's status")
    # From its definition on it counts.
    fw.iot.create_custom_metric(metricName=METRIC, metricType="number", clientRequestToken="once")
    fw.iot.create_security_profile(securityProfileName="keep", additionalMetricsToRetainV2=[{"metric": METRIC}])
    fw.iot.attach_security_profile(securityProfileName="keep", securityProfileTargetArn=TARGET)

    def values():
        now = int(time.time())
        return fw.iot.list_metric_values(thingName="MyDevice", metricName=METRIC, startTime=now - 600,
                                         endTime=now + 60)["metricDatumList"]
    assert wait_for(values, 15, "values")[0]["value"] == {"number": 0.0}
    agent.stop()
