"""Listings of 10,000 items, by ones and by hundreds, while others write: each item that stays is given exactly once. Both
families of page tokens: things, members of a group and hits of a search; certificates and the targets of a policy."""
import concurrent.futures
import itertools
import json
import subprocess
import threading
import time

import pytest

from support.paths import FLEETWARD
from support.pki import EC
from support.plain_broker import openssl
from support.processes import wait_for

ITEMS = 10_000
STAYS = [f"item-{number:05}" for number in range(ITEMS)]


@pytest.fixture(scope="module")
def fw(make_shared):
    fw = make_shared({"api.rate_per_key": "100000"})
    fw.iot.create_thing_group(thingGroupName="all")

    def create(names):
        iot = fw.client("iot", region="us-east-1")
        for name in names:
            iot.create_thing(thingName=name, attributePayload={"attributes": {"row": name[-1]}})
            iot.add_thing_to_thing_group(thingGroupName="all", thingName=name)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(create, [STAYS[i::4] for i in range(4)]))
    return fw


@pytest.fixture
def writer(fw):
    """Makes, changes and deletes things in front of, between and behind those that stay, until the test is over."""
    stop, faults = threading.Event(), []

    def write():
        iot = fw.client("iot", region="us-east-1")
        try:
            for number in itertools.count():
                for name in (f"a-{number}", f"item-{number * 37 % ITEMS:05}x", f"z-{number}"):
                    iot.create_thing(thingName=name, attributePayload={"attributes": {"row": "3"}})
                    iot.add_thing_to_thing_group(thingGroupName="all", thingName=name)
                iot.update_thing(thingName=STAYS[number * 7 % ITEMS], attributePayload={"attributes": {"n": str(number)}, "merge": True})
                if number % 2:
                    for name in (f"a-{number}", f"item-{number * 37 % ITEMS:05}x"):
                        iot.delete_thing(thingName=name)
                if stop.is_set():
                    return
        except Exception as fault:  # shown by the test's thread
            faults.append(fault)

    thread = threading.Thread(target=write)
    thread.start()
    yield
    stop.set()
    thread.join()
    assert not faults, faults


def walk(call, member, size, **arguments):
    seen, token = [], {}
    while True:
        page = call(maxResults=size, **arguments, **token)
        assert len(page[member]) <= size
        seen += page[member]
        if "nextToken" not in page:
            return seen
        token = {"nextToken": page["nextToken"]}


def check(seen, expected=STAYS):
    assert len(set(seen)) == len(seen), "an item was given twice"
    stays = set(expected)
    assert [name for name in seen if name in stays] == expected


@pytest.mark.parametrize("size", [1, 100])
def test_things(fw, writer, size):
    check([thing["thingName"] for thing in walk(fw.iot.list_things, "things", size)])


@pytest.mark.parametrize("size", [1, 100])
def test_things_of_a_group(fw, writer, size):
    check(walk(fw.iot.list_things_in_thing_group, "things", size, thingGroupName="all"))


def test_things_of_a_group_and_those_below(fw, writer):
    check(walk(fw.iot.list_things_in_thing_group, "things", 100, thingGroupName="all", recursive=True))


@pytest.mark.parametrize("size", [1, 100])
def test_a_search(fw, writer, size):
    fw.iot.update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})
    wait_for(lambda: fw.iot.describe_index(indexName="AWS_Things")["indexStatus"] == "ACTIVE", 20, "the index")
    found = walk(fw.iot.search_index, "things", size, queryString="thingGroupNames:all AND thingName:item-*")
    names = [thing["thingName"] for thing in found]
    assert len(set(names)) == len(names)
    assert sorted(name for name in names if name in set(STAYS)) == STAYS


def test_things_by_an_attribute(fw, writer):
    found = walk(fw.iot.list_things, "things", 100, attributeName="row", attributeValue="3")
    check([thing["thingName"] for thing in found], [name for name in STAYS if name.endswith("3")])


def test_a_large_group_is_deleted_while_others_are_served(fw):
    """In steps: a call beside it waits for one step at most, not for 10,000 members."""
    iot, waits = fw.client("iot", region="us-east-1"), []
    deletion = threading.Thread(target=lambda: fw.client("iot", region="us-east-1").delete_thing_group(thingGroupName="all"))
    deletion.start()
    number = 0
    while deletion.is_alive():
        begun = time.monotonic()
        iot.create_thing(thingName=f"beside-{number}")
        waits.append(time.monotonic() - begun)
        number += 1
    deletion.join()
    assert fw.iot.list_thing_groups_for_thing(thingName=STAYS[-1])["thingGroups"] == []
    print(f"{len(waits)} calls beside the deletion, the longest {max(waits) * 1000:.0f} ms")
    assert len(waits) >= 5


# The other family of page tokens: markers.

@pytest.fixture(scope="module")
def certified(make_shared, tmp_path_factory):
    """10,000 things with a certificate and the policy; the server, the request they were made from, the certificates' ids."""
    fw, folder = make_shared({"api.rate_per_key": "100000"}), tmp_path_factory.mktemp("request")
    fw.policy("everybody", ("Allow", "iot:Connect", "*"))
    openssl("req", *EC, "-subj", "/CN=many", "-keyout", str(folder / "key"), "-out", str(folder / "csr"))
    request = (folder / "csr").read_text()
    rows = (json.dumps({"thingName": name, "csr": request, "policyNames": ["everybody"]}) + "\n" for name in STAYS)
    done = subprocess.run([FLEETWARD, "import", "--jsonl", "--data", fw.data, "--out", folder / "made"], input="".join(rows),
                          capture_output=True, text=True, timeout=300)
    assert f"{ITEMS} things imported" in done.stdout, done
    ids = {json.loads(line)["certificateId"] for line in (folder / "made").read_text().splitlines()}
    assert len(ids) == ITEMS
    return fw, request, ids


@pytest.fixture
def issuer(certified):
    """Makes certificates with the policy while a listing is walked, and deletes every other."""
    fw, request, _ = certified
    stop, faults = threading.Event(), []

    def issue():
        iot = fw.client("iot", region="us-east-1")
        try:
            for number in itertools.count():
                made = iot.create_certificate_from_csr(certificateSigningRequest=request)
                iot.attach_policy(policyName="everybody", target=made["certificateArn"])
                if number % 2:
                    iot.delete_certificate(certificateId=made["certificateId"], forceDelete=True)
                if stop.is_set():
                    return
        except Exception as fault:  # shown by the test's thread
            faults.append(fault)

    thread = threading.Thread(target=issue)
    thread.start()
    yield
    stop.set()
    thread.join()
    assert not faults, faults


def walk_markers(call, member, size, **arguments):
    seen, marker = [], {}
    while True:
        page = call(pageSize=size, **arguments, **marker)
        assert len(page[member]) <= size
        seen += page[member]
        if "nextMarker" not in page:
            return seen
        marker = {"marker": page["nextMarker"]}


@pytest.mark.parametrize("size,ascending", [(1, True), (100, True), (100, False)])
def test_certificates(certified, issuer, size, ascending):
    fw, _, ids = certified
    found = walk_markers(fw.iot.list_certificates, "certificates", size, ascendingOrder=ascending)
    seen = [each["certificateId"] for each in found]
    assert len(set(seen)) == len(seen) and ids <= set(seen)


@pytest.mark.parametrize("size", [1, 100])
def test_targets_of_a_policy(certified, issuer, size):
    fw, _, ids = certified
    seen = walk_markers(fw.iot.list_targets_for_policy, "targets", size, policyName="everybody")
    assert len(set(seen)) == len(seen) and {fw.arn("cert", each) for each in ids} <= set(seen)
