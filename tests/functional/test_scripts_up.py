"""Story 1: scripts/up, with --demo and without, from the first line to Ctrl-C on a terminal. It builds into build/release: run
with that build alone."""
import fcntl
import os
import pty
import re
import signal
import subprocess
import termios
import threading
import time

import pytest

from support.fleetward import clean_environment
from support.paths import BUILD, FLEETWARD, ROOT
from support.processes import free_port, wait_for

pytestmark = pytest.mark.skipif(os.path.realpath(BUILD) != os.path.realpath(os.path.join(ROOT, "build", "release")),
                                reason="scripts/up uses build/release")


def processes_of(data):
    """Whoever names the data folder, or the devices' beside it, on its command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(data) in line and int(pid) != os.getpid():
            found.append((pid, line))
    return found


class Up:
    """`scripts/up` as a person has it: in the foreground of a terminal, where Ctrl-C goes to whatever runs there."""

    def __init__(self, folder, *options):
        os.chmod(folder, 0o755)
        self.folder, self.data, self.text = folder, folder / "data", ""
        self.command = [os.path.join(ROOT, "scripts", "up"), *options, "--data", str(self.data)]
        for key in ("api.listen", "mqtt.listen", "metrics.listen"):
            self.command += ["--set", f"{key}=127.0.0.1:{free_port()}"]

    def __enter__(self):
        self.terminal, slave = pty.openpty()
        self.process = subprocess.Popen(self.command, stdin=slave, stdout=slave, stderr=slave, env=clean_environment(),
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self):
        try:
            while block := os.read(self.terminal, 65536):
                self.text += block.decode(errors="replace").replace("\r\n", "\n")
        except OSError:
            pass  # the last process of the terminal has ended

    def __exit__(self, kind, *_):
        if kind:
            print(self.text)
        for pid, _ in processes_of(self.folder):
            os.kill(int(pid), signal.SIGKILL)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.terminal)

    def wait_serving(self):
        wait_for(lambda: "serving   yes" in self.text, 240, "serving", every=0.2)
        began = time.monotonic()
        wait_for(lambda: "Ctrl-C stops everything." in self.text, 60, "what to do next", every=0.1)
        return began

    def thing(self):
        return re.search(r"this Thing +(\S+),", self.text)[1]

    def run(self, *arguments):
        return subprocess.run([FLEETWARD, *arguments, "--data", str(self.data)], capture_output=True, text=True,
                              timeout=30, check=True).stdout

    def suggestions(self):
        """The commands that it prints, each on one line."""
        part = self.text.split("Three commands worth trying, in another terminal:\n", 1)[1].split("\n\n", 1)[0]
        return [line.strip() for line in part.replace("\\\n", " ").splitlines()]

    def press_ctrl_c(self):
        os.write(self.terminal, b"\x03")
        assert self.process.wait(15) == 0
        wait_for(lambda: "Stopped. The data stays in" in self.text, 5, "its last line")
        assert processes_of(self.folder) == []


def test_this_machine_is_the_first_thing(tmp_path):
    """Without --demo: an account with this machine in it, and nothing else; a second start goes on with it."""
    up = Up(tmp_path)
    with up:
        up.wait_serving()
        for word in ("API ", "ca.pem", "credentials (profile fleetward)"):
            assert word in up.text
        thing = up.thing()
        wait_for(lambda: re.search(r"last report +2\d\d\d-", up.run("status", thing)), 15, "this machine's report", every=0.3)
        assert re.search(r'"count":[1-9]', up.run("metrics", thing, "aws:num-listening-tcp-ports"))
        wait_for(lambda: re.search(r'"count":[1-9]', up.run("metrics", thing, "aws:all-bytes-out")), 30, "its counters", every=0.5)
        assert len(up.suggestions()) == 3
        for command in up.suggestions():
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60,
                                  env=clean_environment(HOME=str(tmp_path)))
            assert done.returncode == 0 and done.stdout.strip(), (command, done.stderr)
        made = subprocess.run(["bash", "-c", f'eval "$({FLEETWARD} env --data {up.data})" && '
                               "aws iot list-things --query 'things[].thingName' --output text && "
                               "aws iot list-security-profiles --query 'securityProfileIdentifiers' --output text"],
                              capture_output=True, text=True, check=True, env=clean_environment(HOME=str(tmp_path)))
        assert made.stdout.split() == [thing]
        identity = {name: (up.data / name).read_bytes() for name in ("ca.pem", "credentials")}
        up.press_ctrl_c()
    up.text = ""
    with up:
        up.wait_serving()
        assert identity == {name: (up.data / name).read_bytes() for name in identity}
        assert up.thing() == thing
        up.press_ctrl_c()


def test_demo_from_start_to_ctrl_c(tmp_path):
    with Up(tmp_path, "--demo") as up:
        began = up.wait_serving()
        # This machine's own sockets and counters, as real reports within seconds.
        wait_for(lambda: re.search(r"last report +2\d\d\d-", up.run("status", up.thing())), 30, "this machine's report", every=0.5)
        wait_for(lambda: '"count":' in up.run("metrics", up.thing(), "aws:all-bytes-out"), 30, "its counters", every=0.5)
        wait_for(lambda: re.search(r"in alarm\n +demo-001\t", up.text), 120, "the first violation", every=0.5)
        wait_for(lambda: "demo-001" in up.run("mail"), 30, "its mail", every=0.5)
        assert time.monotonic() - began < 120
        assert "31337" in up.run("why", "demo-001")
        up.press_ctrl_c()
