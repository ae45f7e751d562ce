"""The tour of the iot and sns API (tour/) by the AWS SDK for JavaScript v3: the same steps as with boto3, errors included."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

import tour
from support.fleetward import clean_environment
from tour import _coverage

JS = pathlib.Path(__file__).parent / "js"


@pytest.fixture(scope="module")
def sdk():
    """A folder with the SDK as the lock file says. Kept beside the build, with npm's cache: fetched once."""
    build = pathlib.Path(os.environ.get("FLEETWARD_BUILD", "build/release")).resolve()
    folder = build / "js"
    lock = (JS / "package-lock.json").read_text()
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_text() != lock:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(JS / name, folder)
        result = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline",
                                 "--cache", str(build / "npm-cache")], cwd=folder, capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, f"npm ci: {result.stdout}{result.stderr}"
        installed.write_text(lock)
    # Modules are looked for beside the program.
    shutil.copy(JS / "tour.mjs", folder)
    return folder


def run(sdk, fw, service, description, scratch):
    """What tour.mjs saw: {operation: {outcomes}}."""
    credentials = fw.credentials()
    path = scratch / "tour.json"
    path.touch(0o600)
    path.write_text(json.dumps({**description, "service": service, "endpoint": fw.endpoint["api"], "region": "us-east-1",
                                "credentials": {"accessKeyId": credentials["aws_access_key_id"],
                                                "secretAccessKey": credentials["aws_secret_access_key"]}}))
    environment = clean_environment(NODE_EXTRA_CA_CERTS=fw.ca, NODE_NO_WARNINGS="1", AWS_EC2_METADATA_DISABLED="true")
    result = subprocess.run(["node", sdk / "tour.mjs", path], cwd=sdk, capture_output=True, text=True, timeout=300,
                            env=environment)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert not report["faults"], "\n".join(report["faults"])
    return {operation: set(outcomes) for operation, outcomes in report["seen"].items()}


def test_the_tour_of_iot(sdk, make, tmp_path):
    fw = make(tour.settings())
    seen = run(sdk, fw, "iot", tour.description(tmp_path, fw.iot), tmp_path)
    assert _coverage.missing(seen) == []


def test_the_tour_of_sns(sdk, make, tmp_path, kept_hook):
    fw = make(tour.settings("sns"))
    seen = run(sdk, fw, "sns", tour.description(tmp_path, fw.sns, "sns", **kept_hook), tmp_path)
    assert _coverage.missing(seen, service="sns") == []
