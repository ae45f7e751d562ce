"""Lifecycle events of clients, and the data plane: retained messages, DeleteConnection."""
import base64
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import paho.mqtt.client as mqtt
import pytest
from botocore.exceptions import ClientError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from support.device import Device, Refused
from support.processes import never, wait_for


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared({"mqtt.on_denied_subscribe": "suback"})


@pytest.fixture(scope="module")
def operator(fw):
    """A client that reads everybody's events: its policy names the action (docs/broker.md)."""
    certificate = fw.certificate()
    fw.policy("operator", ("Allow", "iot:*", "*"), ("Allow", "fleetward:ReadEvents", "topic/$aws/events/*"))
    fw.iot.attach_policy(policyName="operator", target=certificate.arn)
    with Device(fw, certificate, "the-operator") as watcher:
        assert watcher.subscribe("$aws/events/#") == 1
        yield watcher


def event(operator, kind, client_id, count=1):
    return [json.loads(payload) for _, payload in operator.wait_message(f"$aws/events/{kind}/{client_id}", count)]


def name():
    return "c-" + uuid.uuid4().hex[:10]


def test_a_connections_life(fw, operator):
    me = name()
    certificate = fw.thing(me)
    before = time.time() * 1000
    with Device(fw, certificate, me) as device:
        connected = event(operator, "presence/connected", me)[0]
        assert set(connected) == {"clientId", "timestamp", "eventType", "sessionIdentifier", "principalIdentifier",
                                  "ipAddress", "versionNumber"}
        assert connected["clientId"] == me and connected["eventType"] == "connected"
        assert connected["principalIdentifier"] == certificate.id and connected["ipAddress"] == "127.0.0.1"
        assert connected["versionNumber"] == 0 and before - 2000 < connected["timestamp"] < time.time() * 1000 + 2000
        device.client.subscribe([("one/#", 1), ("two", 0)])
        subscribed = event(operator, "subscriptions/subscribed", me)[0]
        assert sorted(subscribed["topics"]) == ["one/#", "two"]
        assert subscribed["sessionIdentifier"] == connected["sessionIdentifier"]
        device.client.unsubscribe("two")
        assert event(operator, "subscriptions/unsubscribed", me)[0]["topics"] == ["two"]
    ended = event(operator, "presence/disconnected", me)[0]
    assert ended["sessionIdentifier"] == connected["sessionIdentifier"] and ended["versionNumber"] == 0
    assert ended["clientInitiatedDisconnect"] is True and ended["disconnectReason"] == "CLIENT_INITIATED_DISCONNECT"
    assert "ipAddress" not in ended
    with Device(fw, certificate, me):
        again = event(operator, "presence/connected", me, 2)[1]
    assert again["versionNumber"] == 1 and again["sessionIdentifier"] != connected["sessionIdentifier"]


def test_reasons_of_ends(fw, operator):
    """Take-over, a cut, a refused publish, an API call, a keep-alive that stops."""
    me = name()
    certificate = fw.thing(me, [("Allow", "iot:*", "*"), ("Deny", "iot:Publish", "topic/no")])
    reasons = []

    def next_reason():
        reasons.append(event(operator, "presence/disconnected", me, len(reasons) + 1)[-1]["disconnectReason"])
        return reasons[-1]
    first = Device(fw, certificate, me)
    second = Device(fw, certificate, me)
    assert next_reason() == "DUPLICATE_CLIENTID"
    first.close()
    assert not second.publish("no")
    assert next_reason() == "AUTH_ERROR"
    second.close()
    with Device(fw, certificate, me) as third:
        third.drop()
        assert next_reason() == "CONNECTION_LOST"
    with Device(fw, certificate, me):
        delete_connection(fw, me)
        assert next_reason() == "API_INITIATED_DISCONNECT"
    with Device(fw, certificate, me):
        fw.iot.update_certificate(certificateId=certificate.id, newStatus="INACTIVE")
        assert next_reason() == "AUTH_ERROR"
    failed = Device(fw, certificate, me, connect=False)
    with pytest.raises(Refused):
        failed.connect()
    refused = event(operator, "presence/connect_failed", me)[0]
    assert refused["connectFailureReason"] == "AUTHORIZATION_FAILED" and refused["eventType"] == "connect_failed"
    assert refused["principalIdentifier"] == certificate.id and refused["ipAddress"] == "127.0.0.1"


def test_events_are_for_oneself_and_for_operators(fw, operator):
    """D31: not for other devices, whatever their policy; a wildcard of actions names no operator."""
    me, other = name(), name()
    wild = fw.thing(me, [("Allow", ["*", "iot:*", "fleetward:*"], "*")])
    with Device(fw, wild, me) as device:
        assert device.subscribe(f"$aws/events/presence/connected/{me}") == 1
        for filter_ in ("$aws/events/#", "$aws/events/presence/#", f"$aws/events/presence/connected/{other}",
                        "$aws/events/certificates/registered/+"):
            assert device.subscribe(filter_) == 0x80, filter_
        with Device(fw, fw.thing(other), other):
            event(operator, "presence/connected", other)
        never(lambda: device.received(f"$aws/events/presence/connected/{other}"), 0.5, "it must not come")
    # Nobody makes events up, operators neither.
    forger = Device(fw, wild, me)
    assert not forger.publish(f"$aws/events/presence/connected/{other}", b"{}")
    forger.close()


def test_clients_that_are_no_things_and_ids_without_a_topic(fw, operator):
    plain, odd = name(), "with/+/wildcard-" + uuid.uuid4().hex[:6]
    certificate = fw.certificate()
    fw.iot.attach_policy(policyName=fw.policy(name(), ("Allow", "iot:*", "*")), target=certificate.arn)
    with Device(fw, certificate, odd) as device:
        assert device.publish("hello")
    with Device(fw, certificate, plain):
        assert event(operator, "presence/connected", plain)[0]["principalIdentifier"] == certificate.id
    assert not [topic for topic, _ in operator.received() if "wildcard" in topic]


# Data plane

def delete_connection(fw, client_id, **query):
    """Signed by hand: the stock clients' model is older than the operation. Status, headers, body."""
    keys = fw.credentials()
    url = f"{fw.endpoint['api']}/connections/{urllib.parse.quote(client_id, safe='')}"
    if query:
        url += "?" + urllib.parse.urlencode(query)
    request = botocore.awsrequest.AWSRequest("DELETE", url)
    credentials = botocore.credentials.Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
    botocore.auth.SigV4Auth(credentials, "iotdevicegateway", "us-east-1").add_auth(request)
    call = urllib.request.Request(url, method="DELETE", headers=dict(request.headers))
    try:
        with urllib.request.urlopen(call, timeout=20, context=ssl.create_default_context(cafile=fw.ca)) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def fails(code, call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code, caught.value


def test_delete_connection(fw):
    me, watcher = name(), name()
    certificate = fw.thing(me)
    with Device(fw, fw.thing(watcher), watcher) as reader:
        reader.subscribe("wills/#")
        with Device(fw, certificate, me, will=("wills/1", b"gone", 1)) as device:
            status, _, body = delete_connection(fw, me)
            assert status == 200 and body in (b"", b"{}")
            device.wait_closed()
            reader.wait_message("wills/1")
        with Device(fw, certificate, me, will=("wills/2", b"gone", 1)) as device:
            assert delete_connection(fw, me, preventWillMessage="true")[0] == 200
            device.wait_closed()
            never(lambda: reader.received("wills/2"), 0.5, "it must not come")
    status, headers, _ = delete_connection(fw, me)
    assert status == 404 and headers["x-amzn-ErrorType"] == "ResourceNotFoundException"
    # A session without a connection counts, and ends with cleanSession.
    with Device(fw, certificate, me, clean=False) as device:
        device.subscribe("kept/#")
    wait_for(lambda: delete_connection(fw, me)[0] == 200, 5)
    with Device(fw, certificate, me, clean=False) as device:
        assert device.session_present
    wait_for(lambda: delete_connection(fw, me, cleanSession="true")[0] == 200, 5)
    assert delete_connection(fw, me)[0] == 404
    with Device(fw, certificate, me, clean=False) as device:
        assert not device.session_present
    assert delete_connection(fw, "$reserved")[0] == 400


def test_who_am_i(fw):
    key = fw.credentials()["aws_access_key_id"]
    identity = fw.client("sts").get_caller_identity()
    assert identity["Account"] == "123456789012" and identity["UserId"] == key
    assert identity["Arn"] == f"arn:aws:iam::123456789012:user/{key}"


def test_retained_messages(fw):
    me, data = name(), fw.client("iot-data")
    with Device(fw, fw.thing(me), me) as device:
        before = time.time() * 1000
        assert device.publish(f"{me}/a", b"first", 1, retain=True)
        assert device.publish(f"{me}/a", b"second\0", 1, retain=True)
        assert device.publish(f"{me}/b", b"plain", 0, retain=True)
        data.publish(topic=f"{me}/c", qos=1, retain=True, payload=b"by the API")
        assert data.get_retained_message(topic=f"{me}/c")["payload"] == b"by the API"
        wait_for(lambda: len(listed(data, me)) == 3, 10, "the listing")
        found = {each["topic"]: each for each in listed(data, me)}
        assert found[f"{me}/a"]["payloadSize"] == 7 and found[f"{me}/a"]["qos"] == 1 and found[f"{me}/b"]["qos"] == 0
        assert before - 2000 < found[f"{me}/a"]["lastModifiedTime"] < time.time() * 1000 + 2000
        one = data.get_retained_message(topic=f"{me}/a")
        assert one["payload"] == b"second\0" and one["qos"] == 1
        assert one["lastModifiedTime"] == found[f"{me}/a"]["lastModifiedTime"]
        device.publish(f"{me}/a", b"", 1, retain=True)
        wait_for(lambda: len(listed(data, me)) == 2, 10, "the listing without it")
        fails("ResourceNotFoundException", data.get_retained_message, topic=f"{me}/a")
        fails("ResourceNotFoundException", data.get_retained_message, topic="never/published")
        fails("InvalidRequestException", data.get_retained_message, topic="not/a/+/topic")
        data.publish(topic=f"{me}/c", retain=True, payload=b"")
        fails("ResourceNotFoundException", data.get_retained_message, topic=f"{me}/c")


def test_retained_messages_that_expired_are_not_listed(fw):
    """Neither of the API's nor of a device's by MQTT 5, whose end no plugin of the broker learns; the others stay."""
    me, data = name(), fw.client("iot-data")
    ends, stays = Properties(PacketTypes.PUBLISH), Properties(PacketTypes.PUBLISH)
    ends.MessageExpiryInterval, stays.MessageExpiryInterval = 2, 600
    with Device(fw, fw.thing(me), me, protocol=mqtt.MQTTv5) as device:
        for i in range(7):
            assert device.publish(f"{me}/ends/{i}", b"x" * 1000 * i + b"x", 1, retain=True, properties=ends)
        assert device.publish(f"{me}/again", b"first", 1, retain=True, properties=ends)
        assert device.publish(f"{me}/stays", b"stays", 1, retain=True, properties=stays)
        assert device.publish(f"{me}/plain", b"plain", 0, retain=True)
        data.publish(topic=f"{me}/api/ends", qos=1, retain=True, payload=b"gone", messageExpiry=2)
        data.publish(topic=f"{me}/api/stays", qos=1, retain=True, payload=b"stays", messageExpiry=600)
        wait_for(lambda: any(each["topic"] == f"{me}/plain" for each in listed(data, me)), 10, "the listing")
        assert data.get_retained_message(topic=f"{me}/stays")["payload"] == b"stays"
        left = {f"{me}/{each}" for each in ("stays", "plain", "api/stays")}
        # By pages of one, which are full until the last: what is gone takes no place in one.
        wait_for(lambda: {each["topic"] for each in listed(data, me)} == left, 10, "the listing without what has ended")
        for topic in ("ends/3", "api/ends", "again"):
            fails("ResourceNotFoundException", data.get_retained_message, topic=f"{me}/{topic}")
        assert device.publish(f"{me}/again", b"anew", 1, retain=True, properties=stays)
        wait_for(lambda: len(listed(data, me)) == 4, 10, "a topic that holds a message again")
        assert data.get_retained_message(topic=f"{me}/again")["payload"] == b"anew"
    assert {each["topic"] for each in data.list_retained_messages(maxResults=200)["retainedTopics"]} >= left


def test_what_the_api_publishes_carries_mqtt_5_properties(fw):
    """To subscribers of MQTT 5 as properties, to others without; and what is no property is refused by its name."""
    me, data = name(), fw.client("iot-data")
    certificate, got = fw.thing(me), []
    with Device(fw, certificate, me, protocol=mqtt.MQTTv5) as device, Device(fw, certificate, name()) as old:
        keep = device.client.on_message
        device.client.on_message = lambda *each: (got.append(each[2]), keep(*each))
        for each in (device, old):
            assert each.subscribe(f"{me}/#") < 0x80
        user = [{"deviceName": "alpha"}, {"deviceCnt": "45"}, {"deviceName": "ω"}]
        full = {"contentType": "text/plain; charset=ü", "responseTopic": f"{me}/answers", "payloadFormatIndicator": "UTF8_DATA",
                "correlationData": base64.b64encode(b"\0\xff id").decode(), "messageExpiry": 3600}
        data.publish(topic=f"{me}/a", qos=1, payload=b"hello", userProperties=user, **full)
        data.publish(topic=f"{me}/b", qos=0, payload=b"text", userProperties=json.dumps(user[:1]))
        data.publish(topic=f"{me}/c", qos=1, payload=b"plain")
        wait_for(lambda: len(got) == 3 and len(old.received()) == 3, 10, "three messages")
        by_topic = {message.topic: message for message in got}
        first = by_topic[f"{me}/a"].properties
        assert by_topic[f"{me}/a"].payload == b"hello" and by_topic[f"{me}/a"].qos == 1
        assert first.ContentType == full["contentType"] and first.ResponseTopic == full["responseTopic"]
        assert first.PayloadFormatIndicator == 1 and first.CorrelationData == b"\0\xff id"
        assert 3590 < first.MessageExpiryInterval <= 3600
        assert first.UserProperty == [("deviceName", "alpha"), ("deviceCnt", "45"), ("deviceName", "ω")]
        assert by_topic[f"{me}/b"].properties.UserProperty == [("deviceName", "alpha")]
        assert not by_topic[f"{me}/c"].properties.json()
        for member, value in (
                ("responseTopic", "a/+"), ("responseTopic", ""), ("correlationData", "not base64!"), ("messageExpiry", 0),
                ("messageExpiry", 604_801), ("contentType", "x" * 1025), ("userProperties", {"no": "array"}),
                ("userProperties", ["no object"]), ("userProperties", [{"number": 1}]), ("userProperties", "no JSON"),
                ("userProperties", [{"a": "x" * 8192}]), ("payloadFormatIndicator", "OTHER")):
            # What is checked before a handler is named as it is on the wire.
            with pytest.raises(ClientError, match=f"InvalidRequestException.*({member}|payload-format-indicator)"):
                data.publish(topic=f"{me}/a", payload=b"no", **{member: value})
        never(lambda: len(got) > 3, 0.5, "nothing of what was refused")


def test_a_message_of_the_api_expires_for_who_comes_too_late(fw):
    me, data = name(), fw.client("iot-data")
    certificate = fw.thing(me)
    with Device(fw, certificate, me, clean=False) as device:
        assert device.subscribe(f"{me}/#") == 1
    data.publish(topic=f"{me}/a", qos=1, payload=b"gone", messageExpiry=1)
    data.publish(topic=f"{me}/a", qos=1, payload=b"stays", messageExpiry=600)
    time.sleep(2.1)
    with Device(fw, certificate, me, clean=False) as device:
        assert [payload for _, payload in device.wait_message(f"{me}/a")] == [b"stays"]


def listed(data, prefix):
    """Page by page of one."""
    out, token = [], {}
    while True:
        page = data.list_retained_messages(maxResults=1, **token)
        out += page["retainedTopics"]
        if "nextToken" not in page:
            return [each for each in out if each["topic"].startswith(prefix)]
        token = {"nextToken": page["nextToken"]}


def test_retained_messages_go_to_filters_that_are_their_topic(fw):
    me = name()
    certificate = fw.thing(me)
    with Device(fw, certificate, me) as device:
        device.publish(f"{me}/kept", b"kept", 1, retain=True)
    with Device(fw, certificate, me) as device:
        for filter_ in (f"{me}/+", f"{me}/#", f"$share/g/{me}/kept"):
            assert device.subscribe(filter_) < 0x80
        never(lambda: device.received(), 0.7, "it must not come")
        device.subscribe(f"{me}/kept")
        device.wait_message(f"{me}/kept")
        # New messages come to wildcards as ever, also those published with RETAIN.
    with Device(fw, certificate, me) as device:
        device.subscribe(f"{me}/#")
        assert device.publish(f"{me}/kept", b"new", 1, retain=True)
        assert device.wait_message(f"{me}/kept")[0][1] == b"new"
