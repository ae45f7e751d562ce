"""SNS messages to http and https endpoints: handshake, signatures, raw delivery, retries, dead letters, isolation, and
what threats.md p forbids."""
import base64
import json
import os
import re
import shutil
import ssl
import stat
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from support.hook import Hook, TestCa, closed_port
from support.mail import links
from support.processes import never, wait_for


@pytest.fixture(scope="module")
def ca():
    folder = tempfile.mkdtemp(prefix="fleetward-test-ca-")  # the server may run as another user: not below pytest's 0700
    yield TestCa(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def fw(make_shared, ca):
    return make_shared({"fetch.allow_loopback": "true", "fetch.ca_file": ca.file,
                        "notify.confirmations_per_key_per_hour": "1000"})


@pytest.fixture
def hook():
    made = []

    def make(**keywords):
        made.append(Hook(**keywords))
        return made[-1]
    yield make
    for each in made:
        each.stop()


def get(fw, url, accept="*/*"):
    """An unsigned GET; status and body."""
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=fw.ca), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def topic(fw, **attributes):
    return fw.sns.create_topic(Name=f"t{time.monotonic_ns()}", Attributes=attributes)["TopicArn"]


def subscribe(fw, arn, hook, attributes=None, confirm=True):
    made = fw.sns.subscribe(TopicArn=arn, Protocol=hook.scheme, Endpoint=hook.url, Attributes=attributes or {},
                            ReturnSubscriptionArn=True)["SubscriptionArn"]
    if confirm:
        asked = hook.wait(1, "SubscriptionConfirmation")[-1]
        status, body = get(fw, asked.json["SubscribeURL"])
        assert status == 200 and made in body, body
    return made


def once(retries=0):
    """A delivery policy without waiting for minutes."""
    return json.dumps({"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": retries}})


def verify(fw, message):
    """As a receiver does: the certificate from SigningCertURL, the documented string to sign."""
    assert message["SigningCertURL"].startswith(fw.endpoint["api"] + "/"), message
    status, pem = get(fw, message["SigningCertURL"])
    assert status == 200
    certificate = x509.load_pem_x509_certificate(pem.encode())
    with open(fw.ca, "rb") as file:
        ca = x509.load_pem_x509_certificate(file.read())
    ca.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    if message["Type"] == "Notification":
        names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    else:
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    digest = {"1": hashes.SHA1(), "2": hashes.SHA256()}[message["SignatureVersion"]]
    certificate.public_key().verify(base64.b64decode(message["Signature"]), text.encode(), padding.PKCS1v15(), digest)


@pytest.mark.parametrize("version", ["1", "2"])
def test_what_email_json_gets_is_signed_as_well(make, mail, version):
    fw = make({"notify.smtp.url": mail.url})
    arn = topic(fw, SignatureVersion=version)
    fw.sns.subscribe(TopicArn=arn, Protocol="email-json", Endpoint="program@example.com")
    link = next(each for each in links(mail.wait(1)[0]) if "ConfirmSubscription" in each)
    assert get(fw, link)[0] == 200
    sent = fw.sns.publish(TopicArn=arn, Subject="S\u00fc\u00df", Message="{\"a\": 1}\n\u00fc\U0001f600" + "x" * 2000,
                          MessageAttributes={"n": {"DataType": "Number", "StringValue": "5"}})["MessageId"]
    message = json.loads(mail.wait(2)[1].get_content())
    assert (message["Type"], message["MessageId"], message["TopicArn"]) == ("Notification", sent, arn)
    assert message["Message"] == "{\"a\": 1}\n\u00fc\U0001f600" + "x" * 2000 and message["Subject"] == "S\u00fc\u00df"
    assert message["SignatureVersion"] == version
    assert message["MessageAttributes"] == {"n": {"Type": "Number", "Value": "5"}}
    verify(fw, message)
    assert "End this subscription?" in get(fw, message["UnsubscribeURL"], "text/html")[1]  # a mail's link asks first


def dead_letters(fw, endpoint):
    out = fw.run("dead-letters", "--data", fw.data, "--json").stdout
    return [letter for letter in map(json.loads, out.splitlines()) if letter["endpoint"] == endpoint]


@pytest.mark.parametrize("version", ["1", "2"])
def test_handshake_notification_and_end_are_signed(fw, ca, hook, version):
    receiver = hook(identity=ca.issue("127.0.0.1"))
    arn = topic(fw, SignatureVersion=version)
    subscription = subscribe(fw, arn, receiver, confirm=False)
    asked = receiver.wait(1)[0]
    message = asked.json
    assert asked.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert asked.headers["User-Agent"] == "Amazon Simple Notification Service Agent"
    assert asked.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation" == message["Type"]
    assert asked.headers["x-amz-sns-topic-arn"] == arn == message["TopicArn"]
    assert asked.headers["x-amz-sns-message-id"] == message["MessageId"]
    assert "x-amz-sns-subscription-arn" not in asked.headers
    assert set(message) == {"Type", "MessageId", "Token", "TopicArn", "Message", "SubscribeURL", "Timestamp",
                            "SignatureVersion", "Signature", "SigningCertURL"}
    assert message["SignatureVersion"] == version
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["Timestamp"])
    assert message["Message"] == (f"You have chosen to subscribe to the topic {arn}.\nTo confirm the subscription, visit "
                                  "the SubscribeURL included in this message.")
    verify(fw, message)
    # Nothing comes before the confirmation.
    fw.sns.publish(TopicArn=arn, Message="early")
    assert message["SubscribeURL"].startswith(fw.endpoint["api"] + "/?Action=ConfirmSubscription&TopicArn=")
    status, body = get(fw, message["SubscribeURL"])
    assert status == 200 and f"<SubscriptionArn>{subscription}</SubscriptionArn>" in body

    sent = fw.sns.publish(TopicArn=arn, Subject="Süß", Message='{"a": "ü\\n"}\n\t\U0001f600',
                          MessageAttributes={"n": {"DataType": "Number", "StringValue": "5"},
                                             "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}})["MessageId"]
    got = receiver.wait(1, "Notification")[0]
    message = got.json
    assert message["MessageId"] == sent == got.headers["x-amz-sns-message-id"]
    assert got.headers["x-amz-sns-subscription-arn"] == subscription
    assert message["Message"] == '{"a": "ü\\n"}\n\t\U0001f600' and message["Subject"] == "Süß"
    assert message["MessageAttributes"] == {"n": {"Type": "Number", "Value": "5"}, "b": {"Type": "Binary", "Value": "AP8="}}
    assert "Token" not in message and "SubscribeURL" not in message
    verify(fw, message)
    fw.sns.publish(TopicArn=arn, Message="without subject")
    second = receiver.wait(2, "Notification")[1].json
    assert "Subject" not in second and "MessageAttributes" not in second
    verify(fw, second)

    assert message["UnsubscribeURL"].startswith(fw.endpoint["api"] + "/?Action=Unsubscribe&SubscriptionArn=")
    assert get(fw, message["UnsubscribeURL"].split("&Token=")[0])[0] == 403
    assert get(fw, message["UnsubscribeURL"])[0] == 200
    ended = receiver.wait(1, "UnsubscribeConfirmation")[0]
    assert ended.headers["x-amz-sns-subscription-arn"] == subscription
    assert subscription in ended.json["Message"]
    verify(fw, ended.json)
    assert not fw.sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    # The message can bring the subscription back.
    assert get(fw, ended.json["SubscribeURL"])[0] == 200
    assert fw.sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"][0]["SubscriptionArn"] == subscription
    forged = dict(message, Message="forged")
    with pytest.raises(Exception):
        verify(fw, forged)


def test_the_signing_key_is_private_and_stays(fw):
    key = os.path.join(fw.data, "sns-signing", "current.key")
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    for path in ("/SimpleNotificationService-00000000000000000000000000000000.pem", "/SimpleNotificationService-",
                 "/SimpleNotificationService-../current.key"):
        assert get(fw, fw.endpoint["api"] + path)[0] == 404


def test_raw_delivery(fw, hook):
    receiver = hook()
    arn = topic(fw)
    subscription = subscribe(fw, arn, receiver, {"RawMessageDelivery": "true"})
    fw.sns.publish(TopicArn=arn, Subject="s", Message="just this")
    got = receiver.wait(1, "Notification")[0]
    assert got.body == "just this"
    assert got.headers["x-amz-sns-rawdelivery"] == "true"
    assert got.headers["x-amz-sns-subscription-arn"] == subscription
    fw.sns.unsubscribe(SubscriptionArn=subscription)
    assert receiver.wait(1, "UnsubscribeConfirmation")[0].json["Type"] == "UnsubscribeConfirmation"


def test_unsubscribe_protected_by_authentication(fw, hook):
    receiver = hook()
    arn = topic(fw)
    subscription = subscribe(fw, arn, receiver, confirm=False)
    token = receiver.wait(1)[0].json["Token"]
    assert get(fw, f"{fw.endpoint['api']}/?Action=ConfirmSubscription&TopicArn={arn}&Token={token}"
                   "&AuthenticateOnUnsubscribe=true")[0] == 403
    fw.sns.confirm_subscription(TopicArn=arn, Token=token, AuthenticateOnUnsubscribe="true")
    assert fw.sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"][
        "ConfirmationWasAuthenticated"] == "true"
    fw.sns.publish(TopicArn=arn, Message="x")
    assert get(fw, receiver.wait(1, "Notification")[0].json["UnsubscribeURL"])[0] == 403
    fw.sns.unsubscribe(SubscriptionArn=subscription)
    receiver.wait(1, "UnsubscribeConfirmation")


def test_failures_are_retried_and_then_dead_letters(fw, hook):
    receiver = hook(answer=lambda n: 200 if n == 1 else 503)
    arn = topic(fw)
    subscribe(fw, arn, receiver, {"DeliveryPolicy": once(2)})
    sent = fw.sns.publish(TopicArn=arn, Message="never taken")["MessageId"]
    tries = receiver.wait(3, "Notification")
    assert {r.json["MessageId"] for r in tries} == {sent}
    assert {r.json["Signature"] for r in tries} == {tries[0].json["Signature"]}
    assert tries[1].at - tries[0].at > 0.9 and tries[2].at - tries[1].at > 0.9
    letter = wait_for(lambda: dead_letters(fw, receiver.url), 90, "a dead letter", every=0.5)[0]
    assert letter["messageId"] == sent and letter["attempts"] == 3 and "503" in letter["failure"]
    assert letter["message"] == "never taken"
    assert "dead letters" in fw.run("status", "--data", fw.data).stdout


@pytest.mark.parametrize("status,tries", [(400, 1), (404, 1), (403, 1), (302, 1), (429, 2), (500, 2)])
def test_which_answers_are_final(fw, hook, status, tries):
    receiver = hook(answer=lambda n: 200 if n == 1 else status, headers={"Location": "http://127.0.0.1:1/"})
    arn = topic(fw)
    subscribe(fw, arn, receiver, {"DeliveryPolicy": once(1)})
    fw.sns.publish(TopicArn=arn, Message="x")
    letter = wait_for(lambda: dead_letters(fw, receiver.url), 90, "a dead letter", every=0.5)[0]
    assert letter["attempts"] == tries, letter
    assert len(receiver.wait(tries, "Notification")) == tries


def test_a_failure_is_mended_by_a_retry(fw, hook):
    receiver = hook(answer=lambda n: 500 if n == 2 else 204)
    arn = topic(fw, DeliveryPolicy=json.dumps({"http": {"defaultHealthyRetryPolicy": {
        "minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 5}}}))
    subscribe(fw, arn, receiver)
    fw.sns.publish(TopicArn=arn, Message="x")
    receiver.wait(2, "Notification")
    assert not dead_letters(fw, receiver.url)


def test_a_slow_endpoint_delays_nobody_else(fw, hook, make):
    slow, quick = hook(delay=0), hook()
    arn, other = topic(fw), topic(fw)
    subscribe(fw, arn, slow)
    subscribe(fw, other, quick)
    slow.delay = 8
    for i in range(40):
        fw.sns.publish(TopicArn=arn, Message=str(i))
    slow.wait(1, "Notification")
    start = time.monotonic()
    for i in range(10):
        fw.sns.publish(TopicArn=other, Message=str(i))
    got = quick.wait(10, "Notification", seconds=60)
    # None waited for the 40 slow answers: ten rounds of 8 s at four at once.
    assert got[-1].at - start < 40
    assert len([r for r in slow.received if r.type == "Notification"]) < 40
    slow.delay = 0
    slow.wait(40, "Notification")


def test_filters(fw, hook):
    by_attribute, by_body = hook(), hook()
    arn = topic(fw)
    subscribe(fw, arn, by_attribute, {"FilterPolicy": '{"colour": ["red", {"prefix": "blu"}]}'})
    subscribe(fw, arn, by_body, {"FilterPolicy": '{"event": {"type": ["in-alarm"]}}', "FilterPolicyScope": "MessageBody"})
    colour = lambda value: {"colour": {"DataType": "String", "StringValue": value}}  # noqa: E731
    fw.sns.publish(TopicArn=arn, Message='{"event": {"type": "in-alarm"}}')
    fw.sns.publish(TopicArn=arn, Message="1", MessageAttributes=colour("green"))
    fw.sns.publish(TopicArn=arn, Message="2", MessageAttributes=colour("blue"))
    fw.sns.publish(TopicArn=arn, Message="3", MessageAttributes=colour("red"))
    got = by_attribute.wait(2, "Notification")
    assert {r.json["Message"] for r in got} == {"2", "3"}
    assert by_body.wait(1, "Notification")[0].json["Message"] == '{"event": {"type": "in-alarm"}}'
    never(lambda: len(by_body.received) > 2 or len(by_attribute.received) > 3, 0.5, "a message that was filtered out")


def test_p_an_untrusted_certificate_gets_nothing(fw, hook, tmp_path):
    receiver = hook(identity=TestCa(tmp_path).issue("127.0.0.1"))
    arn = topic(fw, DeliveryPolicy=json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 0}}}))
    subscribe(fw, arn, receiver, confirm=False)
    letter = wait_for(lambda: dead_letters(fw, receiver.url), 90, "a dead letter", every=0.5)[0]
    assert letter["failure"].startswith("tls:") and "message" not in letter
    assert receiver.connections >= 1 and not receiver.received


def test_p_a_certificate_of_another_name_gets_nothing(fw, ca, hook):
    receiver = hook(identity=ca.issue("other.example"))
    arn = topic(fw, DeliveryPolicy=json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 0}}}))
    subscribe(fw, arn, receiver, confirm=False)
    wait_for(lambda: dead_letters(fw, receiver.url), 90, "a dead letter", every=0.5)
    assert not receiver.received


def test_p_redirects_are_not_followed(fw, hook):
    inner = hook()
    receiver = hook(answer=307, headers={"Location": inner.url})
    arn = topic(fw)
    subscribe(fw, arn, receiver, confirm=False)
    assert "redirect" in wait_for(lambda: dead_letters(fw, receiver.url), 90, "a dead letter", every=0.5)[0]["failure"]
    assert not inner.received


def test_p_with_loopback_allowed_nothing_else_and_no_own_port(fw):
    arn = topic(fw)
    for url in ("http://192.168.1.1/", "https://8.8.8.8/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/",
                f"https://127.0.0.1:{fw.api_port}/", f"https://localhost:{fw.api_port}/", f"http://[::1]:{fw.metrics_port}/",
                f"http://127.0.0.1:{fw.mqtt_port}/", "http://user:password@127.0.0.1:9/"):
        with pytest.raises(fw.sns.exceptions.InvalidParameterException):
            fw.sns.subscribe(TopicArn=arn, Protocol=url.split(":")[0], Endpoint=url)


def test_p_by_default_no_loopback(make):
    fw = make()
    arn = topic(fw)
    for url in ("http://127.0.0.1/", "http://localhost/", "http://LOCALHOST:81/", "http://127.1/", "http://2130706433/",
                "http://0x7f.1/", "http://[::1]/", "http://[::ffff:7f00:1]/", "http://0.0.0.0/", "http://169.254.169.254/",
                "http://[fe80::1]/", "http://224.0.0.1/", "file:///etc/passwd", "ftp://example.com/", "http:///x"):
        with pytest.raises(fw.sns.exceptions.InvalidParameterException):
            fw.sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=url)
    # A name says nothing of itself: it is looked at when it is visited.
    host = subprocess.run(["hostname"], capture_output=True, text=True).stdout.strip()
    receiver = Hook(host="127.0.0.1")
    try:
        for name in (host, "localtest.invalid"):
            fw.sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=f"http://{name}:{receiver.port}/")
        fw.sns.publish(TopicArn=arn, Message="x")
        never(lambda: receiver.connections, 3, "a visit to loopback")
    finally:
        receiver.stop()


def test_restart_sends_what_was_waiting(make, hook, ca):
    fw = make({"fetch.allow_loopback": "true", "fetch.ca_file": ca.file})
    receiver = hook(answer=lambda n: 503 if n == 2 else 200)
    arn = topic(fw)
    subscribe(fw, arn, receiver, {"DeliveryPolicy": once(20)})
    fw.sns.publish(TopicArn=arn, Message="x")
    receiver.wait(1, "Notification")
    fw.stop()
    fw.start()
    verify(fw, receiver.wait(2, "Notification")[1].json)


def test_a_hanging_endpoint_does_not_hold_up_the_end(make, hook, ca):
    fw = make({"fetch.allow_loopback": "true", "fetch.ca_file": ca.file})
    receiver = hook()
    arn = topic(fw)
    subscribe(fw, arn, receiver)
    receiver.delay = 12
    fw.sns.publish(TopicArn=arn, Message="x")
    receiver.wait(1, "Notification")
    fw.stop()  # demands 5 s


def test_nobody_listens(fw, hook):
    url = f"http://127.0.0.1:{closed_port()}/"
    arn = topic(fw, DeliveryPolicy=json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 0}}}))
    fw.sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=url)
    assert wait_for(lambda: dead_letters(fw, url), 90, "a dead letter", every=0.5)[0]["failure"].startswith("connect:")
