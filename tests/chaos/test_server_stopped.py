"""The server at a standstill, or dead for a moment (D44): the broker admits, enforces and carries messages; reports of
that time count afterwards, at their own event times, no alarm is false and none is missed."""
import signal
import time

import pytest

from load import Fleet, NUMBER, events, is_bad, values
from support.device import Device, Refused, Reporter, report
from support.processes import wait_for

STANDSTILL = 60
BROKERS_STANDSTILL = 10  # an edge that is silent for 5 s is left out of the watermark (D2)


def presence_profile(fw):
    """What silence could wrongly set off."""
    fw.iot.create_security_profile(securityProfileName="Presence", behaviors=[
        {"name": "offline", "metric": "aws:disconnect-duration",
         "criteria": {"comparisonOperator": "less-than", "value": {"count": 1}}},
        {"name": "talks", "metric": "aws:num-messages-sent", "criteria": {
            "comparisonOperator": "greater-than", "value": {"count": 0}, "durationSeconds": 10}},
        {"name": "connects", "metric": "aws:num-connection-attempts", "criteria": {
            "comparisonOperator": "less-than", "value": {"count": 5}, "durationSeconds": 10}},
        {"name": "failures", "metric": "aws:num-authorization-failures", "criteria": {
            "comparisonOperator": "less-than-equals", "value": {"count": 0}, "durationSeconds": 10}}])
    group = fw.iot.create_thing_group(thingGroupName="watched")["thingGroupArn"]
    fw.iot.attach_security_profile(securityProfileName="Presence", securityProfileTargetArn=group)


def check_times(fw, fleet, start):
    """Each report is stored at the time at which the broker had it, and judged then."""
    for reporter in fleet.reporters:
        stored = {number: t.timestamp() for t, number in values(fw, reporter.name, NUMBER, start)}
        assert sorted(stored) == list(range(1, reporter.sent + 1)), reporter.name
        late = {n: round(stored[n] - at, 1) for n, at in reporter.sent_at.items() if not -1.5 < stored[n] - at < 2.5}
        assert not late, (reporter.name, late)
        raised = sorted(e["violationEventTime"].timestamp() for e in events(fw, start, thingName=reporter.name)
                        if e["violationEventType"] == "in-alarm" and e["securityProfileName"] == "Watched")
        wanted = [reporter.sent_at[n] for n in range(1, reporter.sent + 1) if is_bad(n)]
        assert len(raised) == len(wanted), (reporter.name, len(raised), len(wanted))
        assert all(-1.5 < a - b < 2.5 for a, b in zip(raised, wanted)), reporter.name


def answered_since(reporter, moment):
    return any(reporter.sent_at[number] > moment for number in list(reporter.accepted))


@pytest.fixture
def watched(make):
    fw = make({"detect.min_duration_seconds": 10})
    presence_profile(fw)
    fleet = Fleet(fw, 6, interval=0.25, eager=True)
    for reporter in fleet.reporters:
        fw.iot.add_thing_to_thing_group(thingGroupName="watched", thingName=reporter.name)
    yield fw, fleet
    fleet.stop()


def test_a_stopped_server_disturbs_nobody(watched):
    fw, fleet = watched
    start = time.time() - 5
    known = fw.thing("newcomer", policy=[("Allow", ["iot:Connect", "iot:Subscribe", "iot:Receive"], "*"),
                                         ("Allow", "iot:Publish", "topic/allowed/*")])
    inactive, foreign = fw.certificate(active=False), fw.certificate()
    wait_for(lambda: fleet.total() > 60, 30, "reports")
    pids = {part: fw.pid(part) for part in ("supervisor", "server", "broker")}
    fw.signal("server", signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        time.sleep(0.5)
        before = fleet.total()
        with Device(fw, known, "newcomer") as device:
            assert device.subscribe("allowed/a") in (0, 1)
            assert device.publish("allowed/a", b"hello")
            device.wait_message("allowed/a")
            assert not device.publish("denied/a")
        for stranger in (inactive, foreign):  # inactive; without a policy
            with pytest.raises(Refused):
                Device(fw, stranger, "stranger")
        while time.monotonic() - stopped < STANDSTILL:
            time.sleep(0.2)
        assert fleet.total() <= before + 6, "accepted by a server that stands still"
    finally:
        fw.signal("server", signal.SIGCONT)
    fleet.pause()
    assert all(r.connects == 1 for r in fleet.reporters)
    assert {part: fw.pid(part) for part in pids} == pids
    fleet.resume()
    time.sleep(11)  # a whole bucket after the standstill is judged, too
    fleet.pause()
    fleet.check_stored(start)
    check_times(fw, fleet, start)
    false = [e for e in events(fw, start) if e["securityProfileName"] == "Presence"]
    assert not false, [(e["behavior"]["name"], e.get("metricValue")) for e in false]
    with Reporter(fw, fw.thing("after"), "after") as device:
        device.listen("json")
        assert device.ask(report(1))[0] == "accepted"
    fw.stop()


def test_reports_while_the_server_is_dead_are_judged_at_their_own_times(watched):
    fw, fleet = watched
    start = time.time() - 5
    wait_for(lambda: fleet.total() > 60, 30, "reports")
    for _ in range(4):
        old = fw.pid("server")
        fw.signal("server", signal.SIGKILL)
        wait_for(lambda: fw.living("server") not in (None, old), 30, "another server")
        back = time.time()
        # Answers come in order: what the broker kept meanwhile was answered, too.
        wait_for(lambda: all(answered_since(r, back) for r in fleet.reporters), 30, "answers of another server")
    fw.wait_ready(30)
    fleet.pause()  # each report was answered: what was durable but not answered at the kill, after the replay
    assert all(r.connects == 1 for r in fleet.reporters)
    fleet.check_stored(start)
    check_times(fw, fleet, start)
    false = [e for e in events(fw, start) if e["securityProfileName"] == "Presence"]
    assert not false, [(e["behavior"]["name"], e.get("metricValue")) for e in false]


def test_a_stopped_broker_wakes_up_without_false_alarms(watched):
    """Time goes on without it: nobody's silence is taken for the device's, and what devices sent meanwhile counts when it is
    read."""
    fw, fleet = watched
    start = time.time() - 5
    for reporter in fleet.reporters:
        reporter.bad = False
    wait_for(lambda: fleet.total() > 60, 30, "reports")
    pids = {part: fw.pid(part) for part in ("supervisor", "server", "broker")}
    fw.signal("broker", signal.SIGSTOP)
    try:
        time.sleep(BROKERS_STANDSTILL)
    finally:
        fw.signal("broker", signal.SIGCONT)
    back = time.time()
    wait_for(lambda: all(answered_since(r, back) for r in fleet.reporters), 20, "answers again")
    time.sleep(21)  # two whole buckets afterwards
    fleet.pause()
    assert {part: fw.pid(part) for part in pids} == pids and all(r.connects == 1 for r in fleet.reporters)
    fleet.check_stored(start)
    false = [e for e in events(fw, start) if e["securityProfileName"] == "Presence"]
    assert not false, [(e["behavior"]["name"], e.get("metricValue"), e["violationEventType"]) for e in false]
