"""Gaps in series are told with their causes: real connections, a real broker whose buffer runs over, a real restart."""
import json
import signal
import threading
import time

import pytest

from support.device import Reporter, report
from support.fleetward import CommandFailed
from support.processes import wait_for

METRIC = "load"
STEP = 0.5


@pytest.fixture(scope="module")
def fw(make_shared):
    fw = make_shared({"detect.min_duration_seconds": 2})
    fw.iot.create_custom_metric(metricName=METRIC, metricType="number", clientRequestToken="c")
    return fw


class Talker:
    """Reports each STEP seconds."""

    def __init__(self, fw, name, certificate=None):
        self.fw, self.name, self.certificate, self.number = fw, name, certificate or fw.thing(name), 0
        self.device = None

    def connect(self):
        self.device = Reporter(self.fw, self.certificate, self.name)
        return self

    def say(self, times, after=STEP, **parts):
        for left in reversed(range(times)):
            self.number += 1
            self.device.send(report(self.number, **(parts or {"custom_metrics": {METRIC: [{"number": self.number}]}})))
            time.sleep(STEP if left else after)

    def entries(self, *options, metric=METRIC):
        text = self.fw.run("metrics", self.name, metric, "--data", self.fw.data, "--since", "10m", "--json", *options).stdout
        return [json.loads(line) for line in text.splitlines()]

    def gaps(self, metric=METRIC):
        """Between the first and the last value."""
        entries = self.entries(metric=metric)
        values = [i for i, e in enumerate(entries) if "value" in e]
        return [e for e in entries[values[0]:values[-1]] if "gap" in e] if values else []

    def wait_gap(self, gap):
        wait_for(lambda: len(self.gaps()) == 1, 10, lambda: self.entries())
        assert self.gaps()[0]["gap"] == gap, self.entries()
        return self.gaps()[0]


def test_offline_with_the_reason_of_the_disconnect(fw):
    pump = Talker(fw, "away").connect()
    pump.say(6, after=0.1)
    pump.device.close()
    time.sleep(4)
    pump.connect().say(6)
    gap = pump.wait_gap("offline")
    assert gap["reason"] == "CLIENT_INITIATED_DISCONNECT" and 5 <= gap["missing"] <= 12
    assert [e["value"]["number"] for e in pump.entries() if "value" in e] == list(range(1, 13))
    # What people see.
    text = fw.run("metrics", "away", METRIC, "--data", fw.data, "--since", "10m").stdout
    assert "no values until" in text and "offline (CLIENT_INITIATED_DISCONNECT)" in text and "12 values" in text
    pump.device.close()
    # At the end, and of a thing that is away now.
    time.sleep(2)
    last = pump.entries()[-1]
    assert last["gap"] == "offline", last


def test_a_connected_thing_without_reports_has_a_stopped_agent(fw):
    pump = Talker(fw, "mute").connect()
    pump.say(6)
    time.sleep(4)
    pump.say(6)
    assert pump.wait_gap("agent stopped")["reason"] == ""
    pump.device.close()


def test_a_report_without_the_metric_is_another_gap(fw):
    pump = Talker(fw, "forgetful").connect()
    pump.say(6)
    pump.say(8, metrics={"network_stats": {"bytes_in": 1, "bytes_out": 1, "packets_in": 1, "packets_out": 1}})
    pump.say(6)
    pump.wait_gap("not in report")
    assert [e for e in pump.gaps("aws:all-bytes-in")] == []
    pump.device.close()


def test_reports_that_the_brokers_buffer_lost_are_an_overflow(fw):
    pump = Talker(fw, "unlucky").connect()
    flooders = [Reporter(fw, fw.thing(f"flood-{i}"), f"flood-{i}") for i in range(3)]
    pump.say(6)
    large = [{"string_list": ["x" * 1000] * 110}]
    filler = json.dumps(report(1, custom_metrics={"filler": large})).encode()
    # 64 MiB of reports for a server that stands still.
    fw.signal("server", signal.SIGSTOP)
    try:
        done, taken = threading.Event(), []

        def flood(device):
            while not done.is_set():
                taken.append(len(filler))
                device.publish(f"$aws/things/{device.client_id}/defender/metrics/json", filler, qos=1)
        threads = [threading.Thread(target=flood, args=(device,)) for device in flooders]
        for thread in threads:
            thread.start()
        wait_for(lambda: sum(taken) > 80 << 20, 120, lambda: f"the flood; {sum(taken)} bytes")
        # As large as the others' reports: a small one still finds room where they do not.
        pump.say(12, custom_metrics={METRIC: [{"number": 0}], "filler": large})
        done.set()
        for thread in threads:
            thread.join()
    finally:
        fw.signal("server", signal.SIGCONT)
    pump.say(8)
    wait_for(lambda: "overflow" in [g["gap"] for g in pump.gaps()], 30, lambda: (pump.entries()[-30:], fw.log_tail(20)))
    overflow = [g for g in pump.gaps() if g["gap"] == "overflow"]
    assert len(overflow) == 1 and overflow[0]["missing"] >= 2
    # On a busy machine the pump itself may have paused.
    assert {g["gap"] for g in pump.gaps()} <= {"overflow", "agent stopped"}
    assert "reports were lost" in fw.run("status", "unlucky", "--data", fw.data).stdout
    for device in (pump.device, *flooders):
        device.close()


def test_a_broker_that_went_is_told_from_a_silent_agent(make):
    fw = make({"detect.min_duration_seconds": 2})
    fw.iot.create_custom_metric(metricName=METRIC, metricType="number", clientRequestToken="c")
    pump = Talker(fw, "pump").connect()
    pump.say(6)
    fw.signal("broker", signal.SIGKILL)
    wait_for(lambda: fw.run("status", "--data", fw.data, check=False).returncode == 0, 60, "the broker")
    pump.device.close()
    time.sleep(3)
    pump.connect().say(6)
    assert pump.wait_gap("offline")["reason"] == "BROKER_STARTED"
    # The history is as durable as the rest.
    fw.signal("server", signal.SIGKILL)
    wait_for(lambda: fw.run("status", "--data", fw.data, check=False).returncode == 0, 60, "the server")
    assert pump.wait_gap("offline")["reason"] == "BROKER_STARTED"
    # The broker's own counts have the same hole.
    sent = pump.gaps("aws:num-messages-sent")
    assert [g["gap"] for g in sent] in (["offline"], []), sent
    pump.device.close()


def test_what_is_asked_wrongly_is_told(fw):
    for arguments, part in ((("away", "nothing"), "nothing"), (("away", "fleetward:report-silence"), "derived"),
                            (("away", METRIC, "--since", "soon"), "no span"),
                            (("away", "aws:num-messages-sent", "--dimension", "none"), "none")):
        with pytest.raises(CommandFailed) as failure:
            fw.run("metrics", *arguments, "--data", fw.data)
        assert part in failure.value.stderr, failure.value.stderr
    quiet = fw.run("metrics", "never-seen", METRIC, "--data", fw.data).stdout
    assert "0 values, 0 gaps" in quiet
