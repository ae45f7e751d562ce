"""Listings of 10,000 items, by ones and by hundreds, while others write: each item that stays is given exactly once."""
import concurrent.futures
import itertools
import threading
import time

import pytest

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


def test_things_of_a_group(fw, writer):
    check(walk(fw.iot.list_things_in_thing_group, "things", 100, thingGroupName="all"))
    check(walk(fw.iot.list_things_in_thing_group, "things", 100, thingGroupName="all", recursive=True))


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
