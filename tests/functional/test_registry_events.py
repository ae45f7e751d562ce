"""Registry events: switched on through the API, published on $aws/events/…, seen by the device that they are about and
by nobody else (D31)."""
import json

import pytest

from support.device import Device, Refused
from support.processes import wait_for


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared()


def switch(fw, enabled, *kinds):
    fw.iot.update_event_configurations(eventConfigurations={kind: {"Enabled": enabled} for kind in kinds})


def events(device):
    return [(topic.removeprefix("$aws/events/"), json.loads(payload)) for topic, payload in list(device.messages)]


def wait_event(device, topic):
    wait_for(lambda: any(seen == topic for seen, _ in events(device)), 10, f"{topic} among {[t for t, _ in events(device)]}")
    return next(payload for seen, payload in events(device) if seen == topic)


def test_a_device_sees_what_happens_to_its_thing(fw):
    certificate = fw.thing("lamp")
    fw.iot.create_thing_type(thingTypeName="bulb")
    fw.iot.create_thing_group(thingGroupName="hall")
    switch(fw, True, "THING", "THING_GROUP_MEMBERSHIP", "THING_TYPE_ASSOCIATION", "THING_GROUP")
    with Device(fw, certificate, "lamp") as lamp:
        for topic in ("thing/lamp/+", "thingGroupMembership/thingGroup/+/thing/lamp/#", "thingTypeAssociation/thing/lamp/#"):
            assert lamp.subscribe("$aws/events/" + topic) == 1
        fw.iot.update_thing(thingName="lamp", attributePayload={"attributes": {"site": "north"}}, thingTypeName="bulb")
        seen = wait_event(lamp, "thing/lamp/updated")
        described = fw.iot.describe_thing(thingName="lamp")
        assert seen["eventType"] == "THING_EVENT" and seen["operation"] == "UPDATED" and seen["accountId"] == "123456789012"
        assert (seen["thingId"], seen["versionNumber"]) == (described["thingId"], 2)
        assert seen["thingTypeName"] == "bulb" and seen["attributes"] == {"site": "north"}
        assert wait_event(lamp, "thingTypeAssociation/thing/lamp/thingType/bulb/added")["thingName"] == "lamp"
        fw.iot.add_thing_to_thing_group(thingGroupName="hall", thingName="lamp")
        joined = wait_event(lamp, "thingGroupMembership/thingGroup/hall/thing/lamp/added")
        assert joined["groupArn"] == fw.arn("thinggroup", "hall") and joined["thingArn"] == fw.arn("thing", "lamp")
        fw.iot.delete_thing_group(thingGroupName="hall")
        left = wait_event(lamp, "thingGroupMembership/thingGroup/hall/thing/lamp/removed")
        assert left["membershipId"] == joined["membershipId"] and left["eventId"] != joined["eventId"]
        # Switched off: in force for what comes behind the call.
        switch(fw, False, "THING")
        before = len(events(lamp))
        fw.iot.update_thing(thingName="lamp", removeThingType=True, attributePayload={"attributes": {}})
        wait_event(lamp, "thingTypeAssociation/thing/lamp/thingType/bulb/removed")
        assert len(events(lamp)) == before + 1


def test_no_device_sees_what_happens_to_others_or_to_groups(fw):
    certificate = fw.thing("spy")  # iot:* on *
    fw.thing("victim")
    switch(fw, True, "THING", "THING_GROUP", "THING_TYPE", "THING_GROUP_MEMBERSHIP", "THING_GROUP_HIERARCHY")
    for topic in ("#", "thing/victim/updated", "thing/+/updated", "thingGroup/#", "thingGroup/cellar/created", "thingType/+/created",
                  "thingGroupMembership/thingGroup/+/thing/+/added", "thingGroupMembership/thingGroup/cellar/#",
                  "thingGroupHierarchy/#"):
        with Device(fw, certificate, "spy") as spy:
            with pytest.raises(Refused):
                spy.subscribe("$aws/events/" + topic)
    with Device(fw, certificate, "spy") as spy:
        assert spy.subscribe("#") == 1
        assert spy.subscribe("$aws/events/thing/spy/#") == 1
        fw.iot.create_thing_group(thingGroupName="cellar")
        fw.iot.add_thing_to_thing_group(thingGroupName="cellar", thingName="victim")
        fw.iot.update_thing(thingName="victim", attributePayload={"attributes": {"a": "b"}})
        fw.iot.update_thing(thingName="spy", attributePayload={"attributes": {"a": "b"}})
        wait_event(spy, "thing/spy/updated")
        assert {topic for topic, _ in events(spy)} == {"thing/spy/updated"}


def test_the_switch_outlives_a_restart(make):
    fw = make()
    certificate = fw.thing("lamp")
    switch(fw, True, "THING")
    fw.stop()
    fw.start()
    with Device(fw, certificate, "lamp", clean=False) as lamp:
        assert lamp.subscribe("$aws/events/thing/lamp/updated") == 1
        fw.iot.update_thing(thingName="lamp", attributePayload={"attributes": {"n": "1"}})
        assert wait_event(lamp, "thing/lamp/updated")["attributes"] == {"n": "1"}


def test_an_operators_client_sees_them_all_and_one_with_a_part_sees_that_part(fw):
    """Programs that watch the registry: a certificate whose policy names fleetward:ReadEvents, for all or for some."""
    def watcher(name, resource):
        fw.policy(name, ("Allow", ["iot:Connect", "iot:Subscribe", "iot:Receive"], "*"),
                  ("Allow", "fleetward:ReadEvents", "topic/$aws/events/" + resource))
        certificate = fw.certificate()
        fw.iot.attach_policy(policyName=name, target=certificate.arn)
        return Device(fw, certificate, name)

    switch(fw, True, "THING", "THING_GROUP", "THING_TYPE", "THING_GROUP_MEMBERSHIP", "THING_GROUP_HIERARCHY",
           "THING_TYPE_ASSOCIATION")
    with watcher("watches-all", "*") as everything, watcher("watches-groups", "thingGroup/*") as groups:
        assert everything.subscribe("$aws/events/#") == 1
        assert groups.subscribe("$aws/events/thingGroup/+/created") == 1
        with watcher("watches-groups-2", "thingGroup/*") as curious, pytest.raises(Refused):
            curious.subscribe("$aws/events/thingType/#")
        fw.iot.create_thing_type(thingTypeName="pump", thingTypeProperties={"thingTypeDescription": "moves water"})
        fw.iot.create_thing_group(thingGroupName="site")
        fw.iot.create_thing_group(thingGroupName="well", parentGroupName="site")
        fw.iot.create_thing(thingName="pump-1", thingTypeName="pump")
        fw.iot.add_thing_to_thing_group(thingGroupName="well", thingName="pump-1")
        fw.iot.update_thing_group(thingGroupName="well", thingGroupProperties={"thingGroupDescription": "deep"})
        fw.iot.delete_thing(thingName="pump-1")
        fw.iot.delete_thing_group(thingGroupName="well")
        fw.iot.deprecate_thing_type(thingTypeName="pump")
        expected = ["thingType/pump/created", "thingGroup/site/created", "thingGroup/well/created",
                    "thingGroupHierarchy/thingGroup/site/childThingGroup/well/added", "thing/pump-1/created",
                    "thingTypeAssociation/thing/pump-1/thingType/pump/added",
                    "thingGroupMembership/thingGroup/well/thing/pump-1/added", "thingGroup/well/updated",
                    "thingGroupMembership/thingGroup/well/thing/pump-1/removed", "thing/pump-1/deleted",
                    "thingTypeAssociation/thing/pump-1/thingType/pump/removed", "thingGroup/well/deleted",
                    "thingGroupHierarchy/thingGroup/site/childThingGroup/well/removed", "thingType/pump/updated"]

        def about_the_registry():  # the watchers' own connections are events as well
            return [topic for topic, _ in events(everything) if not topic.startswith(("presence/", "subscriptions/"))]
        wait_for(lambda: len(about_the_registry()) >= len(expected), 10, f"all of them, not {about_the_registry()}")
        assert about_the_registry() == expected
        deep = wait_event(everything, "thingGroup/well/updated")
        assert deep["description"] == "deep" and deep["parentGroupName"] == "site"
        assert deep["rootToParentThingGroups"][0]["groupArn"] == fw.arn("thinggroup", "site")
        assert wait_event(everything, "thingType/pump/updated")["isDeprecated"] is True
        assert [topic for topic, _ in events(groups)] == ["thingGroup/site/created", "thingGroup/well/created"]
