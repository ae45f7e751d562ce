"""A full disk (D45): every call gets an error or a durable success, reads work, no process ends, no report is answered
accepted unless it is durable, and service resumes within 30 s of space returning. On a tmpfs where mounting is allowed,
and with RLIMIT_FSIZE everywhere."""
import os
import signal
import subprocess
import threading
import time

import botocore.exceptions
import pytest

from load import Fleet, NUMBER, values
from support.processes import marked, wait_for


def may_mount():
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs t /mnt"],
                                                capture_output=True).returncode == 0


needs_mount = pytest.mark.skipif(not may_mount(), reason="mounting is not allowed here")


class SmallDisk:
    """A tmpfs as the data folder, filled and emptied by a file."""

    def __init__(self, fw, megabytes):
        self.fw, self.filler = fw, os.path.join(fw.data, "filler")
        os.makedirs(fw.data)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", fw.data], check=True)

    def fill(self, leave=0):
        """Until nothing but `leave` bytes is free; call again to take what was freed meanwhile."""
        free = os.statvfs(self.fw.data)
        with open(self.filler, "ab") as file:
            rest = free.f_bavail * free.f_frsize - leave
            while rest > 0:
                try:
                    rest -= os.write(file.fileno(), bytes(min(rest, 1 << 20)))
                except OSError:
                    return

    def free(self):
        os.unlink(self.filler)

    def end(self):
        subprocess.run(["umount", "-l", self.fw.data], check=False)


class FileLimit:
    """RLIMIT_FSIZE of all processes: no file can be written behind its first byte."""

    def __init__(self, fw):
        self.fw = fw
        launch, log_file = fw.launch, fw.log_file

        def launch_into_a_pipe():
            """The log, too, would be a file."""
            reader, writer = os.pipe()
            fw.log_file = f"/proc/self/fd/{writer}"
            try:
                return launch()
            finally:
                fw.log_file = log_file
                os.close(writer)
                threading.Thread(target=self._copy, args=(reader, log_file), daemon=True).start()
        fw.launch = launch_into_a_pipe

    @staticmethod
    def _copy(reader, path):
        with open(path, "ab") as file, os.fdopen(reader, "rb", buffering=0) as source:
            while block := source.read(65536):
                file.write(block)
                file.flush()

    def _set(self, size):
        for pid in marked(self.fw.mark):
            owner = os.stat(f"/proc/{pid}")  # only the same user may
            subprocess.run(["prlimit", "--pid", str(pid), f"--fsize={size}:unlimited"], check=True, capture_output=True,
                           **({"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}))

    def fill(self):
        self._set(1)

    def free(self):
        self._set("unlimited")

    def end(self):
        pass


@pytest.fixture(params=[pytest.param("tmpfs", marks=needs_mount), "limit"])
def disk(make, request):
    fw = make(start=False)
    made = SmallDisk(fw, 64) if request.param == "tmpfs" else FileLimit(fw)
    try:
        fw.start()
        yield made
    finally:
        fw.end()
        made.end()


@pytest.fixture
def tmpfs(make):
    made = []

    def small(megabytes):
        made.append(SmallDisk(make(start=False), megabytes))
        return made[-1]
    try:
        yield small
    finally:
        for one in made:
            one.fw.end()
            one.end()


def call(function, **arguments):
    """"ok", or the HTTP status of the error; anything else than an HTTP answer fails the test."""
    try:
        function(**arguments)
        return "ok"
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert 400 <= status <= 599, error
        return status


def pids(fw):
    return {part: fw.living(part) for part in ("supervisor", "server", "broker")}


def test_nothing_is_lost_and_nothing_ends_on_a_full_disk(disk):
    fw, start = disk.fw, time.time()
    fleet = Fleet(fw, 6, interval=0.05, ports=3000)
    made, refused, slowest = [], 0, 0.0
    try:
        wait_for(lambda: fleet.total() > 60, 60, "reports")
        before = pids(fw)
        disk.fill()
        full_at, number = time.monotonic(), 0
        while time.monotonic() - full_at < 15 or not refused:
            assert time.monotonic() - full_at < 60, "nothing was ever refused"
            disk.fill()
            began = time.monotonic()
            name = f"made-{number}"
            outcome = call(fw.iot.create_thing, thingName=name, attributePayload={"attributes": {"a": "x" * 800}})
            if outcome == "ok":
                made.append(name)
            else:
                refused += 1
            assert call(fw.iot.list_things, maxResults=5) == "ok"
            assert call(fw.iot.list_metric_values, thingName="device-0", metricName=NUMBER, startTime=int(start),
                        endTime=int(time.time()) + 1) == "ok"
            outcome = call(fw.iot.create_security_profile, securityProfileName=f"profile-{number}")
            outcome = call(fw.iot.update_thing, thingName="device-1", attributePayload={"attributes": {"n": str(number)}})
            call(fw.sns.create_topic, Name=f"topic-{number}")
            slowest = max(slowest, time.monotonic() - began)
            number += 1
            time.sleep(0.2)
        assert pids(fw) == before and fw.process.poll() is None
        wait_for(lambda: "log-unwritable" in fw.log(), 60, "the event log to fill up", every=0.5)
        accepted = fleet.total()
        time.sleep(3)
        assert fleet.total() == accepted, "accepted without a place for it"
        disk.free()
        freed = time.monotonic()
        at = fleet.total()
        wait_for(lambda: call(fw.iot.create_thing, thingName="again") in ("ok", 409), 30, "calls to succeed again")
        wait_for(lambda: fleet.total() > at + 12, 30 - (time.monotonic() - freed), "reports to be accepted again")
        wait_for(lambda: fw.run("status", "--data", fw.data, check=False).returncode == 0,
                 30 - (time.monotonic() - freed), "health")
        print(f"{len(made)} calls succeeded on the full disk, {refused} did not; slowest round {slowest:.1f} s")
        assert pids(fw) == before and slowest < 20
        fleet.pause()
    finally:
        fleet.stop()
    # What was answered survives a death.
    fw.signal("server", signal.SIGKILL)
    wait_for(lambda: fw.living("server") not in (None, before["server"]), 30, "another server")
    fw.wait_ready(30)
    things = {thing["thingName"] for page in fw.iot.get_paginator("list_things").paginate() for thing in page["things"]}
    assert set(made) <= things
    fleet.check_stored(start)


def test_a_stop_on_a_full_disk_takes_five_seconds_and_loses_nothing(disk):
    fw, start = disk.fw, time.time()
    fleet = Fleet(fw, 4, interval=0.05, ports=2000)
    try:
        wait_for(lambda: fleet.total() > 40, 30, "reports")
        disk.fill()
        time.sleep(3)
        fleet_accepted = {r.name: set(r.accepted) for r in fleet.reporters}
        fw.stop()
    finally:
        fleet.stop()
    if isinstance(disk, SmallDisk):
        disk.free()
    fw.start()
    for name, accepted in fleet_accepted.items():
        stored = [v for _, v in values(fw, name, NUMBER, start)]
        assert accepted <= set(stored) and len(stored) == len(set(stored)), name


@needs_mount
def test_a_server_killed_on_a_full_disk_comes_back_with_the_space(tmpfs):
    disk = tmpfs(64)
    fw, start = disk.fw, time.time()
    fw.start()
    fleet = Fleet(fw, 3, interval=0.1, ports=500)
    try:
        wait_for(lambda: fleet.total() > 30, 30, "reports")
        disk.fill()
        old = fw.living("server")
        fw.signal("server", signal.SIGKILL)
        wait_for(lambda: fw.living("server") != old, 10, "the old one's end")
        for _ in range(6):
            time.sleep(0.5)
            disk.fill()
        assert fw.process.poll() is None
        disk.free()
        freed, before = time.monotonic(), fleet.total()
        wait_for(lambda: fleet.total() > before + 6, 30, "reports to be accepted again")
        fw.wait_ready(max(1, round(30 - (time.monotonic() - freed))))
        fleet.pause()
    finally:
        fleet.stop()
    fleet.check_stored(start)
    fw.stop()


@needs_mount
@pytest.mark.parametrize("leave", [0, 100_000, 1_000_000, 3_000_000])
def test_starting_on_a_nearly_full_disk(tmpfs, leave):
    """It serves, or says why not; with space it serves, and what was there is there."""
    disk = tmpfs(64)
    fw = disk.fw
    fw.start()
    fw.iot.create_thing(thingName="kept")
    credentials = fw.credentials()
    fw.stop()
    disk.fill(leave)
    fw.launch()
    time.sleep(4)
    ended = fw.process.poll()
    if ended is not None:
        assert ended != 0 and ("space" in fw.log_tail(5) or "full" in fw.log_tail(5)), fw.log_tail(5)
        disk.free()
        fw.start(30)
    else:
        disk.free()
        fw.wait_ready(30)
    assert fw.credentials() == credentials
    assert [t["thingName"] for t in fw.iot.list_things()["things"]] == ["kept"]
    fw.stop()


@needs_mount
def test_a_first_start_without_space_ends_with_a_reason(tmpfs):
    disk = tmpfs(64)
    fw = disk.fw
    disk.fill(20_000)
    fw.launch()
    wait_for(lambda: fw.process.poll() is not None, 20, "its end")
    assert fw.process.poll() != 0 and ("space" in fw.log_tail(3) or "full" in fw.log_tail(3)), fw.log_tail(5)
    disk.free()
    fw.start()
    fw.iot.create_thing(thingName="first")


@needs_mount
def test_a_data_folder_of_256_megabytes_is_enough(tmpfs):
    disk = tmpfs(256)
    fw, start = disk.fw, time.time()
    fw.start()
    fleet = Fleet(fw, 6, interval=0.02, ports=1000)
    try:
        wait_for(lambda: fleet.total() > 600, 60, "600 reports")
        fleet.pause()
        space = os.statvfs(fw.data)
        used = (space.f_blocks - space.f_bfree) * space.f_frsize
        print(f"{used >> 20} MiB used")
        assert used < 128 << 20
        assert "disk is full" not in fw.log() and "log-unwritable" not in fw.log()
        fleet.resume()
        before, old = fleet.total(), fw.living("server")
        fw.signal("server", signal.SIGKILL)
        wait_for(lambda: fw.living("server") not in (None, old), 30, "another server")
        fw.wait_ready(30)
        wait_for(lambda: fleet.total() > before + 12, 30, "reports again")
        fleet.pause()
    finally:
        fleet.stop()
    fleet.check_stored(start)
    fw.stop()


def test_a_broken_file_of_the_broker_does_not_keep_it_down(make):
    """What Mosquitto leaves when it saves its state on a full disk."""
    fw = make()
    fw.stop()
    for content in (b"", b"\x00\xb5\x00mosquitto db", b"garbage" * 100):
        with open(os.path.join(fw.data, "broker", "mosquitto.db"), "wb") as file:
            file.write(content)
        fw.start()
        fw.stop()
