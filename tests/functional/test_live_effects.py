"""What a change of policies and groups does to a client that is connected; everybody else stays, and the broker too."""
import uuid

import pytest
from botocore.exceptions import ClientError

from support.device import Device, Refused
from support.fleetward import document


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared()


def name(prefix="e"):
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def witness(fw):
    """A client that nothing of this concerns, and the broker's process."""
    me, broker = name("witness"), fw.pid("broker")
    with Device(fw, fw.thing(me), me) as device:
        yield device
        assert device.publish("witness/alive") and not device.ended and device.connects == 1
    assert fw.pid("broker") == broker


def group(fw, parent=None, *statements):
    made = name("group")
    fw.iot.create_thing_group(thingGroupName=made, **({"parentGroupName": parent} if parent else {}))
    if statements:
        policy = fw.policy(name("policy"), *statements)
        fw.iot.attach_policy(policyName=policy, target=fw.arn("thinggroup", made))
    return made


@pytest.mark.parametrize("depth", [0, 2])
def test_joining_a_group_that_denies_connecting_disconnects(fw, witness, depth):
    """Also when the policy hangs on an ancestor of the group."""
    me, denying = name(), group(fw, None, ("Deny", "iot:Connect", "*"))
    for _ in range(depth):
        denying = group(fw, denying)
    certificate = fw.thing(me)
    with Device(fw, certificate, me) as device:
        assert device.publish("hello")
        fw.iot.add_thing_to_thing_group(thingGroupName=denying, thingName=me)
        device.wait_closed(2)
    with pytest.raises(Refused):
        Device(fw, certificate, me)
    fw.iot.remove_thing_from_thing_group(thingGroupName=denying, thingName=me)
    with Device(fw, certificate, me) as device:
        assert device.publish("hello")


def test_joining_a_group_that_denies_a_topic_narrows(fw, witness):
    me, sender = name(), name("sender")
    denying = group(fw, None, ("Deny", ["iot:Publish", "iot:Receive"], "topic/closed/*"))
    with Device(fw, fw.thing(me), me) as device, Device(fw, fw.thing(sender), sender) as other:
        device.subscribe("closed/#")
        device.subscribe("open/#")
        assert other.publish("closed/1")
        device.wait_message("closed/1")
        fw.iot.add_thing_to_thing_group(thingGroupName=denying, thingName=me)
        assert other.publish("closed/2") and other.publish("open/2")
        device.wait_message("open/2")
        assert not device.received("closed/2") and not device.ended
        assert device.publish("open/3")
        assert not device.publish("closed/3")  # MQTT 3.1.1: closed


def test_changes_of_a_groups_policies_reach_its_things(fw, witness):
    me, mine = name(), group(fw)
    policy = fw.policy(name("policy"), ("Allow", "iot:Connect", "*"))
    fw.iot.attach_policy(policyName=policy, target=fw.arn("thinggroup", mine))
    certificate = fw.certificate()
    fw.iot.create_thing(thingName=me)
    fw.iot.attach_thing_principal(thingName=me, principal=certificate.arn)
    fw.iot.add_thing_to_thing_group(thingGroupName=mine, thingName=me)
    with Device(fw, certificate, me) as device:
        fw.iot.create_policy_version(policyName=policy, setAsDefault=True, policyDocument=document(
            ("Allow", ["iot:Connect", "iot:Publish"], "*")))
        assert device.publish("hello")  # widened under the connection
        fw.iot.set_default_policy_version(policyName=policy, policyVersionId="1")
        assert not device.publish("hello")
    with Device(fw, certificate, me) as device:
        fw.iot.detach_policy(policyName=policy, target=fw.arn("thinggroup", mine))
        device.wait_closed(2)


def test_what_deleting_does(fw, witness):
    """A detached thing, a deleted group: their policies hold no longer."""
    me, mine = name(), group(fw, None, ("Allow", "iot:*", "*"))
    certificate = fw.certificate()
    fw.iot.create_thing(thingName=me)
    fw.iot.attach_thing_principal(thingName=me, principal=certificate.arn)
    fw.iot.add_thing_to_thing_group(thingGroupName=mine, thingName=me)
    with Device(fw, certificate, me) as device:
        fw.iot.detach_thing_principal(thingName=me, principal=certificate.arn)
        device.wait_closed(2)
    fw.iot.attach_thing_principal(thingName=me, principal=certificate.arn)
    with Device(fw, certificate, me) as device:
        fw.iot.delete_thing_group(thingGroupName=mine)
        device.wait_closed(2)


def fails(code, call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code, caught.value


def test_limits_of_policies(fw):
    iot, arn, mine = fw.iot, fw.certificate().arn, group(fw)
    plain = document(("Allow", "iot:Connect", "*"))
    names = [fw.policy(name("limit"), ("Allow", "iot:Connect", "*")) for _ in range(11)]
    for each in names[:10]:
        iot.attach_policy(policyName=each, target=arn)
    iot.attach_policy(policyName=names[0], target=arn)  # once more is nothing new
    fails("LimitExceededException", iot.attach_policy, policyName=names[10], target=arn)
    for each in names[:2]:
        iot.attach_policy(policyName=each, target=fw.arn("thinggroup", mine))
    fails("LimitExceededException", iot.attach_policy, policyName=names[2], target=fw.arn("thinggroup", mine))
    for _ in range(4):
        iot.create_policy_version(policyName=names[0], policyDocument=plain)
    fails("VersionsLimitExceededException", iot.create_policy_version, policyName=names[0], policyDocument=plain)
    fails("DeleteConflictException", iot.delete_policy, policyName=names[0])
    fails("DeleteConflictException", iot.delete_policy_version, policyName=names[0], policyVersionId="1")
    iot.delete_policy_version(policyName=names[0], policyVersionId="3")
    made = iot.create_policy_version(policyName=names[0], policyDocument=plain)
    assert made["policyVersionId"] == "6"  # numbers are not given again
    long = document(("Allow", "iot:Connect", "*"), ("Allow", "iot:Publish", "topic/" + "x" * 2000))
    fails("MalformedPolicyException", iot.create_policy, policyName=name(), policyDocument=long)
    blank = plain.replace("{", "{" + " " * 3000, 1)
    iot.create_policy(policyName=name(), policyDocument=blank)  # white space does not count
    for bad in ("{}", "[]", "nonsense", plain.replace("Allow", "Perhaps"), plain.replace("iot:Connect", "Connect"),
                plain.replace('"Resource"', '"NotResource"'), plain[:-1] + ', "Version": "2012-10-17"}',
                plain.replace("2012-10-17", "2020-01-01"), plain.replace('"*"', '"${iot:ClientId"'),
                plain[:-2] + ', "Principal": "*"}]}'):
        fails("MalformedPolicyException", iot.create_policy, policyName=name(), policyDocument=bad)
    fails("InvalidRequestException", iot.create_policy, policyName="no blanks", policyDocument=plain)
    fails("ResourceNotFoundException", iot.attach_policy, policyName=name(), target=arn)
    fails("ResourceNotFoundException", iot.attach_policy, policyName=names[0], target=fw.arn("thinggroup", name()))
    fails("InvalidRequestException", iot.attach_policy, policyName=names[0], target=fw.arn("thing", "a"))
