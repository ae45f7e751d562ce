"""Processes of a test: each carries a mark in its environment, so that whatever a failed test leaves can be ended."""
import ctypes
import os
import signal
import socket
import time
import random

MARK = "FLEETWARD_TEST_MARK"


def wait_for(condition, seconds=20, what="condition", every=0.03):
    """Polls until condition() is true and returns its value. `what` may be a function that tells how things stand."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"timed out after {seconds} s waiting for {what() if callable(what) else what}; last: {value!r}")
        time.sleep(every)


def never(condition, seconds, what):
    """Fails when condition() becomes true within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        assert not value, f"{what}: {value!r}"
        time.sleep(0.05)


def free_port():
    """A port below the ephemeral range, so that no outgoing connection of a parallel test takes it meanwhile."""
    for _ in range(1000):
        port = random.SystemRandom().randrange(10240, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


def die_with_parent():
    """For preexec_fn: a test run that is killed leaves no process behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


def marked(mark):
    """Pids of the living processes with this mark."""
    needle = f"{MARK}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if needle in file.read().split(b"\0") and state(int(name)) not in (None, "Z"):
                    found.append(int(name))
        except OSError:
            continue
    return found


def state(pid):
    """The kernel's letter for the process's state, or None when there is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


def alive(pid):
    return state(pid) not in (None, "Z")


def command_of(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return [part.decode(errors="replace") for part in file.read().split(b"\0")[:-1]]


def end_all(mark):
    deadline = time.monotonic() + 10
    while pids := marked(mark):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        if time.monotonic() > deadline:
            raise AssertionError(f"cannot end {pids}")
        time.sleep(0.02)


def listeners(port):
    """Pids of the processes that listen on a TCP port."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(fields[9])
    links = {f"socket:[{inode}]" for inode in inodes}
    found = set()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            for fd in os.listdir(f"/proc/{name}/fd"):
                try:
                    if os.readlink(f"/proc/{name}/fd/{fd}") in links:
                        found.add(int(name))
                except OSError:
                    continue
        except OSError:
            continue
    return found
