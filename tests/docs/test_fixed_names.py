"""Names that others script against: presets, scripts, options with their defaults, the closing line of a test run."""
import json
import os
import re
import subprocess

import pytest

from repository import ROOT, read

# As `up` is promised to take them. The page is compared with the program's own table by a unit test.
OPTIONS = {"api.listen": "127.0.0.1:8443", "api.public_url": "", "mqtt.listen": ["0.0.0.0:8883"], "tls.hostnames": [],
           "account_id": "123456789012", "region": "us-east-1", "detect.min_duration_seconds": 300,
           "detect.min_report_interval_seconds": 300, "detect.early": True, "detect.max_new_alarms_per_second": 1000,
           "notify.smtp.url": "", "notify.smtp.credentials_file": "", "log.level": "info", "telemetry.store": "all",
           "mqtt.on_denied_subscribe": "close", "ingest.report_for_others": False, "fetch.allow_loopback": False}


def test_options_and_their_defaults():
    rows = {}
    for name, default in re.findall(r"^\| `([\w.]+)` \| [^|]+ \| `([^`]*)` \|", read("docs/configuration.md"), re.M):
        rows.setdefault(name, default)  # the server's come before the agent's
    assert {name: json.loads(rows[name]) for name in OPTIONS} == OPTIONS


def test_presets():
    presets = {preset["name"]: preset for preset in json.loads(read("CMakePresets.json"))["configurePresets"]}
    assert {"release", "dev", "asan-ubsan", "tsan"} <= set(presets)
    assert presets["base"]["binaryDir"] == "${sourceDir}/build/${presetName}"


def test_scripts_can_be_run():
    for name in ("bootstrap", "build", "up", "test", "check"):
        assert os.access(os.path.join(ROOT, "scripts", name), os.X_OK), name
        assert subprocess.run(["bash", "-n", os.path.join(ROOT, "scripts", name)]).returncode == 0
    assert read(".ci/run").splitlines()[-1] == "exec scripts/test"


@pytest.mark.parametrize("lines, said, code", [
    (["100% tests passed, 0 tests failed out of 40"], "40 passed, 0 failed", 0),
    (["98% tests passed, 1 tests failed out of 40", "noise", "100% tests passed, 0 tests failed out of 2"], "41 passed, 1 failed", 1),
    (["No tests were found!!!"], "0 passed, 0 failed", 1)])
def test_a_test_run_ends_with_a_summary_line(tmp_path, lines, said, code):
    (tmp_path / "log").write_text("\n".join(lines) + "\n")
    done = subprocess.run([os.path.join(ROOT, "scripts", "summary"), tmp_path / "log"], capture_output=True, text=True)
    assert (done.stdout.splitlines()[-1], done.returncode) == (said, code)
