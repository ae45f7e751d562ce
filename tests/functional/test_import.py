"""`fleetward import`: many things in one go, each row as the single calls would have it."""
import csv
import io
import json
import subprocess
import time

import pytest

from support.device import Device
from support.paths import FLEETWARD
from support.pki import EC
from support.plain_broker import openssl


@pytest.fixture(scope="module")
def fleet(make_shared):
    fleet = make_shared()
    fleet.iot.create_thing_group(thingGroupName="g1")
    fleet.iot.create_thing_group(thingGroupName="g2")
    fleet.iot.create_thing_type(thingTypeName="Lamp")
    fleet.policy("everything", ("Allow", "iot:*", "*"))
    return fleet


def run(fleet, flag, text, *more):
    return subprocess.run([FLEETWARD, "import", flag, "--data", fleet.data, *more], input=text,
                          capture_output=True, text=True, timeout=120)


def test_csv(fleet):
    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerow(["thingName", "thingTypeName", "attributes.site", "thingGroupNames"])
    for i in range(600):  # more than one call holds
        writer.writerow([f"lamp-{i}", "Lamp", "north" if i % 2 else "", "g1;g2"])
    result = run(fleet, "--csv", rows.getvalue())
    assert result.returncode == 0 and "600 things imported, 0 rows refused" in result.stdout, result
    thing = fleet.iot.describe_thing(thingName="lamp-599")
    assert thing["attributes"] == {"site": "north"} and thing["thingTypeName"] == "Lamp"
    assert fleet.iot.describe_thing(thingName="lamp-598")["attributes"] == {}
    assert len(fleet.iot.list_things_in_thing_group(thingGroupName="g2", maxResults=250)["things"]) == 250
    again = run(fleet, "--csv", rows.getvalue())  # the same content again is fine
    assert again.returncode == 0 and "600 things imported" in again.stdout


def test_rows_that_are_refused_change_nothing(fleet):
    rows = [{"thingName": "fine"}, {"thingName": "bad name"}, {"thingName": "x", "thingGroupNames": ["g1", "nosuch"]},
            {"thingName": "y", "thingTypeName": "nosuch"}, {"thingName": "z", "certificatePem": "no certificate"},
            {"thingName": "w", "policyNames": ["everything"]}, {"thingName": "v", "attributes": {"a b": "c"}},
            {"thingName": "u", "colour": "red"}, {"thingName": "lamp-1", "attributes": {"other": "1"}}, {}]
    result = run(fleet, "--jsonl", "\n".join(json.dumps(r) for r in rows) + "\nnot json\n")
    assert result.returncode == 1
    assert "1 things imported, 10 rows refused" in result.stdout, result
    for line, text in ((2, "thingName"), (3, "nosuch"), (4, "nosuch"), (5, ""), (6, "policies"), (7, "attributes"),
                       (8, "unknown member colour"), (9, "already exists"), (10, "required"), (11, "no JSON")):
        assert any(l.startswith(f"line {line}: ") and text in l for l in result.stderr.splitlines()), (line, result.stderr)
    names = {t["thingName"] for t in fleet.iot.list_things(maxResults=250)["things"]}
    assert "fine" in names and not names & {"x", "y", "z", "w", "v", "u"}


def test_csv_faults(fleet):
    assert "a quote is open" in run(fleet, "--csv", 'thingName\n"x\n').stderr
    result = run(fleet, "--csv", "thingName,attributes.a\nonly-one-field\nok,1\n")
    assert result.returncode == 1 and "line 2: has 1 fields, the header 2" in result.stderr
    assert "1 things imported" in result.stdout
    assert run(fleet, "--csv", "=cmd()\n'=1+1\n").returncode == 1  # spreadsheet formulas are no names (threat w)
    missing = subprocess.run([FLEETWARD, "import", "--csv", "/nosuch", "--data", fleet.data],
                             capture_output=True, text=True)
    assert missing.returncode == 1 and "/nosuch" in missing.stderr


def test_devices_connect_with_imported_requests(fleet, tmp_path):
    openssl("req", *EC, "-subj", "/CN=imported", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "csr"))
    key, csr = (tmp_path / "key").read_text(), (tmp_path / "csr").read_text()
    out = tmp_path / "certificates.jsonl"
    result = run(fleet, "--jsonl", json.dumps({"thingName": "imported", "csr": csr, "policyNames": ["everything"]}),
                 "--out", str(out))
    assert result.returncode == 0, result
    made = json.loads(out.read_text())
    assert made["thingName"] == "imported"
    assert fleet.iot.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]["status"] == "ACTIVE"
    with Device(fleet, fleet.save(made["certificatePem"], key), "imported") as device:
        device.publish("a/b", b"x")


def test_is_much_faster_than_one_call_each(fleet):
    """At least ten times; 27 to 35 were seen, the lower ones on a machine with five times its cores' load."""
    count = 100
    begun = time.monotonic()
    for i in range(count):
        fleet.iot.create_thing(thingName=f"single-{i}", attributePayload={"attributes": {"site": "north"}})
        fleet.iot.add_thing_to_thing_group(thingName=f"single-{i}", thingGroupName="g1")
    single = (time.monotonic() - begun) / count
    many = 2000
    text = "\n".join(json.dumps({"thingName": f"bulk-{i}", "attributes": {"site": "north"}, "thingGroupNames": ["g1"]})
                     for i in range(many))
    begun = time.monotonic()
    assert run(fleet, "--jsonl", text).returncode == 0
    bulk = (time.monotonic() - begun) / many
    print(f"one call each {single * 1e6:.0f} us, import {bulk * 1e6:.0f} us a thing: {single / bulk:.1f} times")
    assert single / bulk >= 10


def test_only_admins_import(fleet):
    result = subprocess.run([FLEETWARD, "import", "--jsonl", "--data", str(fleet.data) + "-none"],
                            input="{}", capture_output=True, text=True)
    assert result.returncode == 1 and "no server is running" in result.stderr


def test_w_texts_of_other_languages_in_rows_stay_text(fleet):
    """Threat w: what a spreadsheet, a database or a log would take for its own is refused as in a single call, or kept as
    it came."""
    kept = {"at": "@SUM", "comment": "a--b", "minus": "-1", "path": "../../etc/passwd"}
    values = ["=cmd", "' OR '1'='1", "<script>", "a\ninfo forged=1"]
    things = ["'; DROP TABLE t_things; --", "=cmd|' /C calc'!A0", "w\ninfo forged=1", "<script>", "w\u202egnp", ""]
    rows = [{"thingName": f"w-{name}", "attributes": {"v": value}} for name, value in kept.items()]
    rows += [{"thingName": f"w-bad-{i}", "attributes": {"v": value}} for i, value in enumerate(values)]
    rows += [{"thingName": name} for name in things]
    result = run(fleet, "--jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert f"{len(kept)} things imported, {len(values) + len(things)} rows refused" in result.stdout, result
    for name, value in kept.items():
        assert fleet.iot.describe_thing(thingName=f"w-{name}")["attributes"] == {"v": value}
        found = fleet.iot.list_things(attributeName="v", attributeValue=value)["things"]
        assert [thing["thingName"] for thing in found] == [f"w-{name}"]
    assert not any(line.startswith("info forged") for line in (result.stdout + result.stderr + fleet.log_tail()).splitlines())
