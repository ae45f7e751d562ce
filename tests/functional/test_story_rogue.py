"""Story 2: the rogue device, with stock aws-cli and real SMTP, as a user types it."""
import datetime
import json
import re
import signal
import ssl
import subprocess
import time
import urllib.request

import pytest

from support import mail as mails
from support.device import Device
from support.mail import MailSink
from support.network import enter_private_network
from support.paths import FLEETWARD
from support.plain_broker import TestCa
from support.processes import die_with_parent, never, wait_for

# The agent counts the test's own questions too.
POLL = 1.0
ACCOUNT = "arn:aws:iot:us-east-1:123456789012:"
GROUP = ACCOUNT + "thinggroup/allMyDevices"
POLICY = json.dumps({
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect",
         "Resource": [ACCOUNT + "client/MyDevice", ACCOUNT + "client/RogueAgent"]},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": ACCOUNT + "topic/*"},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": ACCOUNT + "topicfilter/*"}]})


def behaviors(messages, size, window):
    def behavior(name, metric, count):
        return {"name": name, "metric": metric, "criteria": {
            "comparisonOperator": "less-than", "value": {"count": count}, "durationSeconds": window,
            "consecutiveDatapointsToAlarm": 1, "consecutiveDatapointsToClear": 1}}
    return [behavior("msgReceive", "aws:num-messages-received", messages), behavior("bytesOut", "aws:all-bytes-out", size)]


def follow_the_story(fw, sink, window, messages, size):
    """The story's commands, one by one; returns the device's certificate and the topic."""
    aws = fw.aws
    assert aws("iot", "create-thing-group", "--thing-group-name", "allMyDevices")["thingGroupArn"] == GROUP
    assert aws("iot", "create-thing", "--thing-name", "MyDevice")["thingName"] == "MyDevice"
    pem, key = f"{fw.scratch}/device.pem", f"{fw.scratch}/device.key"
    made = aws("iot", "create-keys-and-certificate", "--set-as-active", "--certificate-pem-outfile", pem,
               "--private-key-outfile", key)
    certificate = fw.save(made["certificatePem"], made["keyPair"]["PrivateKey"], made["certificateArn"],
                          made["certificateId"])
    aws("iot", "create-policy", "--policy-name", "MyPolicy", "--policy-document", POLICY)
    aws("iot", "attach-policy", "--policy-name", "MyPolicy", "--target", certificate.arn)
    aws("iot", "attach-thing-principal", "--thing-name", "MyDevice", "--principal", certificate.arn)
    aws("iot", "add-thing-to-thing-group", "--thing-group-name", "allMyDevices", "--thing-name", "MyDevice")
    assert aws("iot", "list-things-in-thing-group", "--thing-group-name", "allMyDevices")["things"] == ["MyDevice"]

    topic = aws("sns", "create-topic", "--name", "MisbehavingDevices")["TopicArn"]
    assert topic == "arn:aws:sns:us-east-1:123456789012:MisbehavingDevices"
    pending = aws("sns", "subscribe", "--topic-arn", topic, "--protocol", "email", "--notification-endpoint",
                  "ops@example.org")
    assert pending["SubscriptionArn"] == "pending confirmation"
    confirm(fw, sink, topic)

    create_profile(fw, topic, window, messages, size)
    return certificate, topic


def create_profile(fw, topic, window, messages, size):
    fw.aws("iot", "create-security-profile", "--security-profile-name", "CheckRogueDevices",
        "--behaviors", json.dumps(behaviors(messages, size, window)),
        "--alert-targets", json.dumps({"SNS": {"alertTargetArn": topic,
                                               "roleArn": "arn:aws:iam::123456789012:role/Alerts"}}))
    fw.aws("iot", "attach-security-profile", "--security-profile-name", "CheckRogueDevices",
        "--security-profile-target-arn", GROUP)
    targets = fw.aws("iot", "list-targets-for-security-profile", "--security-profile-name", "CheckRogueDevices")
    assert targets["securityProfileTargets"] == [{"arn": GROUP}]


def confirm(fw, sink, topic):
    """The confirmation mail's link, by one unsigned GET."""
    message = sink.wait(1)[0]
    assert message["To"] == "<ops@example.org>" or message["To"] == "ops@example.org"
    assert "aws sns confirm-subscription" in mails.body(message)
    link = next(link for link in mails.links(message) if "ConfirmSubscription" in link)
    assert link.startswith(fw.endpoint["api"])
    listed = fw.aws("sns", "list-subscriptions-by-topic", "--topic-arn", topic)["Subscriptions"]
    assert [s["SubscriptionArn"] for s in listed] == ["PendingConfirmation"]
    with urllib.request.urlopen(link, context=ssl.create_default_context(cafile=fw.ca), timeout=10) as answer:
        assert 200 <= answer.status < 300
    listed = fw.aws("sns", "list-subscriptions-by-topic", "--topic-arn", topic)["Subscriptions"]
    assert [s["Endpoint"] for s in listed] == ["ops@example.org"]
    assert listed[0]["SubscriptionArn"].startswith(topic + ":")


@pytest.fixture(autouse=True)
def quiet_network():
    """The agent counts all traffic of its machine: here it must be this test's alone."""
    back = enter_private_network()
    yield
    if back:
        back()


def start_rogue(fw, certificate, rate):
    return subprocess.Popen(
        [FLEETWARD, "simulate", "rogue", "--data", fw.data, "--cert", certificate.pem, "--key", certificate.key,
         "--rate", str(rate)],
        env=fw.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=die_with_parent)


def end_rogue(rogue):
    rogue.send_signal(signal.SIGINT)
    _, errors = rogue.communicate(timeout=10)
    assert rogue.returncode == 0, errors


def events_of(fw, started):
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    events = fw.iot.list_violation_events(startTime=started, endTime=end)["violationEvents"]
    return {(e["behavior"]["name"], e["violationEventType"]): e for e in events}, events


def active(fw):
    return {v["behavior"]["name"]: v for v in fw.iot.list_active_violations(thingName="MyDevice")["activeViolations"]}


def test_rogue_device_is_noticed_reported_and_cleared(make, mail):
    """Windows of 10 s, as `detect.min_duration_seconds` allows; the rogue is as much faster."""
    fw = make({"detect.min_duration_seconds": 10, "notify.smtp.url": mail.url})
    started = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
    certificate, topic = follow_the_story(fw, mail, 10, 100, 250000)
    agent = fw.agent(certificate, "MyDevice", "-f", "json", "-i", "2")
    agent.wait_accepted(2)
    for _ in range(4):
        time.sleep(1)
        assert not active(fw), "an alarm without a reason"

    rogue = start_rogue(fw, certificate, 90)
    wait_for(lambda: set(active(fw)) == {"msgReceive", "bytesOut"}, 40, "both behaviors to violate", POLL)
    shown = fw.aws("iot", "list-active-violations", "--thing-name", "MyDevice")["activeViolations"]
    assert {v["behavior"]["name"] for v in shown} == {"msgReceive", "bytesOut"}
    for violation in shown:
        assert violation["securityProfileName"] == "CheckRogueDevices"
        assert violation["thingName"] == "MyDevice"
        limit = violation["behavior"]["criteria"]["value"]["count"]
        assert violation["lastViolationValue"]["count"] >= limit
    ids = {v["behavior"]["name"]: v["violationId"] for v in shown}
    # While the traffic goes on nothing is raised a second time.
    time.sleep(12)
    assert {name: v["violationId"] for name, v in active(fw).items()} == ids
    end_rogue(rogue)
    wait_for(lambda: not active(fw), 60, "both alarms to clear", POLL)

    table, events = events_of(fw, started)
    kinds = {(name, kind) for name in ids for kind in ("in-alarm", "alarm-cleared")}
    assert set(table) == kinds and len(events) == len(kinds)
    assert all(table[name, kind]["violationId"] == ids[name] for name, kind in kinds)
    printed = fw.aws("iot", "list-violation-events", "--start-time", str(int(started.timestamp())),
                     "--end-time", str(int(time.time()) + 60))["violationEvents"]
    assert [e["violationId"] for e in printed] == [e["violationId"] for e in events]

    check_mails(mail, table, kinds)
    never(lambda: len(mails.alarms(mail.all())) > len(kinds), 3, "more mails than alarms")
    agent.stop()
    fw.stop()


def check_mails(sink, table, kinds):
    """One mail for each event, with the message JSON of the service."""
    wait_for(lambda: len(mails.alarms(sink.all())) >= len(kinds), 30, "the alarm mails")
    alarms = mails.alarms(sink.all())
    by_kind = {(a["behavior"]["name"], a["violationEventType"]): a for a in alarms}
    assert set(by_kind) == kinds and len(alarms) == len(kinds)
    for key, alarm in by_kind.items():
        event = table[key]
        assert alarm["thingName"] == "MyDevice" and alarm["securityProfileName"] == "CheckRogueDevices"
        assert alarm["violationId"] == event["violationId"]
        assert re.fullmatch("[0-9a-f]{32}", alarm["violationId"])
        assert isinstance(alarm["violationEventTime"], int)
        assert abs(alarm["violationEventTime"] / 1000 - event["violationEventTime"].timestamp()) < 0.002
        assert alarm["metricValue"] == event["metricValue"]
        assert alarm["behavior"] == event["behavior"]
    ids = [m["Message-ID"] for m in sink.all()]
    assert len(set(ids)) == len(ids)


def test_rogue_device_with_the_figures_of_the_story(make, mail):
    """Windows of 300 s: a counter that has already broken its limit alarms at once (D5)."""
    fw = make({"notify.smtp.url": mail.url})
    certificate = fw.thing("MyDevice")
    fw.iot.create_thing_group(thingGroupName="allMyDevices")
    fw.iot.add_thing_to_thing_group(thingGroupName="allMyDevices", thingName="MyDevice")
    topic = fw.sns.create_topic(Name="MisbehavingDevices")["TopicArn"]
    fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")
    confirm(fw, mail, topic)
    create_profile(fw, topic, 300, 100, 10000)
    profile = fw.aws("iot", "describe-security-profile", "--security-profile-name", "CheckRogueDevices")
    assert profile["behaviors"] == behaviors(100, 10000, 300)
    assert profile["version"] == 1
    agent = fw.agent(certificate, "MyDevice", "-f", "json", "-i", "2")
    agent.wait_accepted(1)
    assert "msgReceive" not in active(fw)
    rogue = start_rogue(fw, certificate, 40)
    wait_for(lambda: set(active(fw)) == {"msgReceive", "bytesOut"}, 30, "both behaviors to violate", POLL)
    wait_for(lambda: len(mails.alarms(mail.all())) == 2, 15, "two mails")
    assert {a["behavior"]["name"] for a in mails.alarms(mail.all())} == {"msgReceive", "bytesOut"}
    end_rogue(rogue)
    agent.stop()


def test_the_simulated_rogue_is_what_the_story_says(make):
    """100 random characters once a second, heard by itself, as another client id of the thing's certificate."""
    fw = make()
    certificate = fw.thing("MyDevice")
    with Device(fw, certificate, "MyDevice") as device:
        device.subscribe("rogue/messages")
        rogue = subprocess.Popen([FLEETWARD, "simulate", "rogue", "--data", fw.data, "--cert", certificate.pem, "--key",
                                  certificate.key], env=fw.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                 text=True, preexec_fn=die_with_parent)
        device.wait_message("rogue/messages")
        began = time.monotonic()
        device.wait_message("rogue/messages", 5)
        assert 3 < time.monotonic() - began < 8
        shown = fw.run("status", "MyDevice", "--data", fw.data).stdout
        end_rogue(rogue)
        assert "client RogueAgent from" in shown and "connections    2" in shown
        texts = [payload for _, payload in device.received("rogue/messages")]
        assert all(re.fullmatch(rb"[A-Za-z0-9]{100}", text) for text in texts) and len(set(texts)) == len(texts)


def test_an_unconfirmed_subscription_gets_nothing(make, mail):
    fw = make({"detect.min_duration_seconds": 1, "notify.smtp.url": mail.url})
    topic = fw.sns.create_topic(Name="quiet")["TopicArn"]
    fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.org")
    mail.wait(1)
    fw.sns.publish(TopicArn=topic, Message="nobody should read this")
    never(lambda: len(mail.all()) > 1, 3, "a mail before the confirmation")


def test_mail_goes_through_tls_with_a_login_and_survives_failures(make, tmp_path):
    """STARTTLS and AUTH; then 4xx, a cut after the message, a relay that is away: nothing is lost (D23, D35)."""
    ca = TestCa(tmp_path)
    sink = MailSink(tls=(f"{tmp_path}/broker.pem", f"{tmp_path}/broker.key"), login=("fleet", "p@ss word"))
    secret = tmp_path / "smtp"
    secret.write_text("fleet\np@ss word\n")
    secret.chmod(0o600)
    try:
        fw = make({"notify.smtp.url": sink.url, "notify.smtp.credentials_file": secret, "fetch.ca_file": ca.ca})
        topic = fw.sns.create_topic(Name="alerts")["TopicArn"]
        fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")
        confirm(fw, sink, topic)
        assert sink.sessions[0] == {"tls": True, "user": b"fleet"} or sink.sessions[0]["tls"]
        for number, failure in enumerate(("4xx", "drop")):
            sink.fail(failure)
            fw.sns.publish(TopicArn=topic, Message=f"message {failure}", Subject="Subject")
            wait_for(lambda: [m for m in sink.all() if f"message {failure}" in mails.body(m)], 40, failure)
            wait_for(lambda: sink.failed == number + 1, 5, "the failure to have happened")
        time.sleep(0.5)
        doubled = [m for m in sink.all() if "message drop" in mails.body(m)]
        # At least once, and then under one Message-ID.
        assert len({m["Message-ID"] for m in doubled}) == 1
        # Never in clear text, whatever happens.
        assert all(session["tls"] for session in sink.sessions)
        assert "p@ss" not in fw.log()
    finally:
        sink.stop()


def ask_for_confirmation(fw):
    topic = fw.sns.create_topic(Name="alerts")["TopicArn"]
    fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")


@pytest.mark.parametrize("way", ["smtps", "starttls when offered"])
def test_mail_is_sent_by_tls_where_there_is_tls(make, tmp_path, way):
    """D35: smtps:// from the first byte; smtp:// takes what the relay offers."""
    ca = TestCa(tmp_path)
    sink = MailSink(tls=(f"{tmp_path}/broker.pem", f"{tmp_path}/broker.key"), implicit=way == "smtps")
    try:
        fw = make({"notify.smtp.url": sink.url.split("?")[0], "fetch.ca_file": ca.ca})
        ask_for_confirmation(fw)
        sink.wait(1)
        assert way == "smtps" or sink.sessions[0]["tls"]
    finally:
        sink.stop()


@pytest.mark.parametrize("relay", ["without TLS", "of a CA that nobody knows"])
def test_a_relay_that_cannot_be_trusted_gets_no_mail(make, tmp_path, relay):
    """?tls=required: rather late than in clear text or to a stranger; when the relay is mended the mail goes."""
    ca = TestCa(tmp_path)
    files = (f"{tmp_path}/broker.pem", f"{tmp_path}/broker.key")
    sink = MailSink() if relay == "without TLS" else MailSink(tls=files)
    try:
        fw = make({"notify.smtp.url": f"smtp://127.0.0.1:{sink.port}?tls=required"})
        ask_for_confirmation(fw)
        wait_for(lambda: "delivery-failed" in fw.log() and 'reason="tls: ' in fw.log(), 15, "the failure in the log")
        never(sink.all, 2, "a mail all the same")
        assert "mail      by SMTP; waiting 1" in fw.run("status", "--data", fw.data).stdout
        fw.stop()
        fw.settings.update({"notify.smtp.url": sink.url, "fetch.ca_file": ca.ca})
        fw.start()
        wait_for(sink.all, 30, "the mail that waited")
    finally:
        sink.stop()


def test_a_refused_mail_is_not_sent_again_and_shown(make, mail):
    fw = make({"notify.smtp.url": mail.url})
    topic = fw.sns.create_topic(Name="alerts")["TopicArn"]
    fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")
    confirm(fw, mail, topic)
    mail.fail("5xx", times=100)
    fw.sns.publish(TopicArn=topic, Message="never accepted")
    wait_for(lambda: mail.failed == 1, 15, "the refusal")
    mail.fail(None)
    fw.sns.publish(TopicArn=topic, Message="accepted")
    wait_for(lambda: [m for m in mail.all() if "accepted" in mails.body(m)], 20, "the next mail")
    never(lambda: [m for m in mail.all() if "never accepted" in mails.body(m)], 3, "a permanently refused mail")
    shown = fw.run("mail", "--data", fw.data).stdout
    assert "ops@example.org" in shown and "554" in shown
