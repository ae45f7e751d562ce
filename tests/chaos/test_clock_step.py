"""Steps of the wall clock by ten minutes, both ways, under load: no report is lost, no process ends, no alarm is raised or
missed (D1, D45)."""
import os
import subprocess
import time

import pytest

from load import Fleet, NUMBER, events, values
from support.device import Device
from support.processes import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
STEP = 600


class SteppedClock:
    """A Fleetward whose processes see a wall clock that the test moves."""

    def __init__(self, folder):
        self.file = os.path.join(str(folder), "offset")
        self.library = os.path.join(str(folder), "clock_shim.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.library, os.path.join(HERE, "clock_shim.c"), "-ldl"],
                       check=True)
        os.chmod(str(folder), 0o755)
        self.set(0)

    def set(self, seconds):
        with open(self.file + ".new", "w") as file:
            file.write(str(seconds))
        os.chmod(self.file + ".new", 0o644)
        os.rename(self.file + ".new", self.file)


@pytest.fixture
def stepped(make):
    # Below /tmp itself: the processes drop to a user that must reach the library.
    import shutil
    import tempfile
    folder = tempfile.mkdtemp(prefix="fleetward-clock-", dir="/tmp")
    clock = SteppedClock(folder)
    fw = make({"detect.min_duration_seconds": 10}, start=False)
    plain = fw.environment
    fw.environment = lambda **more: plain(LD_PRELOAD=clock.library, FLEETWARD_CLOCK_OFFSET=clock.file, **more)
    fw.start()
    fw.environment = plain
    yield fw, clock
    shutil.rmtree(folder, ignore_errors=True)


def test_ten_minutes_forward_and_back(stepped):
    fw, clock = stepped
    start = time.time()
    for part in ("server", "broker"):
        with open(f"/proc/{fw.living(part)}/maps") as maps:
            assert "clock_shim" in maps.read(), part
    # Silence and offline time are what a step could fake.
    fw.iot.create_security_profile(securityProfileName="Presence", behaviors=[
        {"name": "offline", "metric": "aws:disconnect-duration",
         "criteria": {"comparisonOperator": "less-than", "value": {"count": 5}}},
        {"name": "messages", "metric": "aws:num-messages-sent", "criteria": {
            "comparisonOperator": "less-than", "value": {"count": 1000}, "durationSeconds": 10}},
        {"name": "failures", "metric": "aws:num-authorization-failures", "criteria": {
            "comparisonOperator": "less-than-equals", "value": {"count": 0}, "durationSeconds": 10}}])
    fw.iot.attach_security_profile(securityProfileName="Presence", securityProfileTargetArn=fw.arn("all", "things"))
    fleet = Fleet(fw, 8, bad=False)
    pids = {part: fw.pid(part) for part in ("supervisor", "server", "broker")}
    try:
        wait_for(lambda: fleet.total() > 40, 30, "reports")
        for offset in (STEP, 0, -STEP, 0):
            clock.set(offset)
            before, at = fleet.total(), time.monotonic()
            wait_for(lambda: fleet.total() > before + 40 and time.monotonic() > at + 5, 40, "reports after the step")
            # Who connects now is admitted, certificates of a minute ago included.
            with Device(fw, fleet.certificate, "visitor") as device:
                assert device.publish("a/topic")
            if offset == 0:
                fw.iot.list_things(maxResults=1)
        fleet.pause()
    finally:
        fleet.stop()
        clock.set(0)
    assert {part: fw.pid(part) for part in pids} == pids and fw.process.poll() is None
    assert all(r.connects == 1 for r in fleet.reporters), "a device was thrown out"
    fleet.check_stored(start - STEP)
    # At the times that the clock showed then: some ten minutes ahead, some ten minutes behind.
    times = [t.timestamp() for t, _ in values(fw, fleet.reporters[0].name, NUMBER, start - STEP)]
    assert max(times) > time.time() + STEP / 2 and min(times) < start - STEP / 2
    assert events(fw, start - STEP) == []
    assert "log-unwritable" not in fw.log()


def test_alarms_come_and_clear_after_steps(stepped):
    fw, clock = stepped
    start = time.time()
    fleet = Fleet(fw, 2, interval=0.2, bad=False)
    try:
        wait_for(lambda: fleet.total() > 4, 30, "reports")
        for offset in (STEP, 0, -STEP, 0):
            clock.set(offset)
            time.sleep(1.5)  # the plugin looks once a second; the API cannot be asked: signatures have a time, too
            for bad in (True, False):
                for reporter in fleet.reporters:
                    reporter.bad = bad
                before = fleet.total()
                wait_for(lambda: fleet.total() >= before + 8, 20, "reports")
        fleet.pause()
    finally:
        fleet.stop()
        clock.set(0)
    found = events(fw, start - STEP)
    for kind in ("in-alarm", "alarm-cleared"):
        ids = [e["violationId"] for e in found if e["violationEventType"] == kind]
        assert len(ids) == len(set(ids)) == 8, (kind, len(ids))
