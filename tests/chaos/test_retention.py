"""What is past its retention is gone, the rest is not: metric values after 14 days, violations after 30, by default and as
configured. Days pass by the wall clock that the processes see."""
import time

from support.device import Reporter, report
from support.processes import wait_for
from test_clock_step import stepped  # noqa: F401

DAY = 86400
METRIC = "load"


def prepare(fw):
    fw.iot.create_custom_metric(metricName=METRIC, metricType="number", clientRequestToken="c")
    fw.iot.create_security_profile(securityProfileName="P", behaviors=[
        {"name": "low", "metric": METRIC, "criteria": {"comparisonOperator": "less-than", "value": {"number": 10}}}])
    fw.iot.attach_security_profile(securityProfileName="P", securityProfileTargetArn=fw.arn("all", "things"))
    with Reporter(fw, fw.thing("pump"), "pump") as device:
        device.listen("json")
        for number, value in enumerate((1, 50, 1), 1):
            assert device.ask(report(number, custom_metrics={METRIC: [{"number": value}]}))[0] == "accepted"


def kinds(fw):
    events = fw.iot.list_violation_events(startTime=1, endTime=time.time() + 60, maxResults=250)["violationEvents"]
    return sorted(e["violationEventType"] for e in events)


def stored(fw):
    data = fw.iot.list_metric_values(thingName="pump", metricName=METRIC, startTime=1, endTime=time.time() + 60)
    return [d["value"]["number"] for d in data["metricDatumList"]]


def live_through(fw, clock, days):
    """The installation as it is when it was started so many days later; then it is asked at today's time, which the
    signatures of the clients have."""
    environment = fw.environment
    fw.stop()
    clock.set(days * DAY)
    fw.environment = lambda **more: environment(LD_PRELOAD=clock.library, FLEETWARD_CLOCK_OFFSET=clock.file, **more)
    fw.launch()
    wait_for(lambda: "serving api" in fw.log().split("Fleetward starts")[-1], 60, fw.log_tail)
    time.sleep(3)  # expiry is the first thing that maintenance does
    fw.stop()
    clock.set(0)
    fw.start()
    fw.environment = environment


def test_days_by_default(stepped):  # noqa: F811
    fw, clock = stepped
    prepare(fw)
    assert kinds(fw) == ["alarm-cleared", "in-alarm"] and stored(fw) == [1, 50, 1]
    live_through(fw, clock, 13)
    assert kinds(fw)[-1] == "in-alarm" and stored(fw) == [1, 50, 1]
    live_through(fw, clock, 16)
    assert "in-alarm" in kinds(fw) and stored(fw) == []
    live_through(fw, clock, 31)
    assert "in-alarm" not in kinds(fw) and "alarm-cleared" not in kinds(fw)


def test_days_as_configured(stepped):  # noqa: F811
    fw, clock = stepped
    fw.settings.update({"telemetry.retention_days": 40, "telemetry.violation_days": 5})
    prepare(fw)
    live_through(fw, clock, 31)
    assert stored(fw) == [1, 50, 1]
    assert "in-alarm" not in kinds(fw)


def test_days_at_lower_resolution(stepped):  # noqa: F811
    fw, clock = stepped
    fw.settings.update({"telemetry.downsampled_days": 20})
    prepare(fw)
    live_through(fw, clock, 13)
    assert stored(fw) == [1, 50, 1]
    live_through(fw, clock, 16)
    coarse = stored(fw)
    # One mean for the hour, or for each of two if one ended meanwhile.
    assert len(coarse) == 1 and abs(coarse[0] - 52 / 3) < 1e-9 or len(coarse) == 2 and coarse != [1, 50], coarse
    live_through(fw, clock, 22)
    assert stored(fw) == []
