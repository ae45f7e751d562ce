"""Metrics export: values of marked metrics as JSON batches on a profile's topic, for whoever may subscribe to it."""
import json
import os
import signal
import subprocess
import time

import botocore.config
import botocore.session
import pytest
from botocore.exceptions import ClientError

from support.device import Device, Refused, Reporter, report
from support.fleetward import clean_environment
from support.paths import ROOT
from support.processes import wait_for

TARGET = "arn:aws:iot:us-east-1:123456789012:all/things"
ROLE = "arn:aws:iam::123456789012:role/export"
BUCKET = 2


def models(folder):
    """Our overlay as botocore's "sdk extras": Debian's boto3 does not know these members yet."""
    with open(os.path.join(ROOT, "tools/apigen/overlay.json")) as file:
        overlay = json.load(file)["iot"]
    place = os.path.join(str(folder), "iot", "2015-05-28")
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, "service-2.sdk-extras.json"), "w") as file:
        json.dump({"version": 1.0, "merge": overlay}, file)
    return str(folder)


def later_boto(fw, folder, **config):
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.append(models(folder))
    credentials = fw.credentials()
    return session.create_client("iot", region_name="us-east-1", endpoint_url=fw.endpoint["api"], verify=fw.ca,
                                 aws_access_key_id=credentials["aws_access_key_id"],
                                 aws_secret_access_key=credentials["aws_secret_access_key"],
                                 config=botocore.config.Config(retries={"max_attempts": 0}, **config))


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared({"detect.min_duration_seconds": BUCKET, "detect.export_interval_seconds": 1})


@pytest.fixture(scope="module")
def iot(fw, tmp_path_factory):
    return later_boto(fw, tmp_path_factory.mktemp("models"))


class Subscriber(Device):
    """Reads a topic and checks the schema of all that comes."""

    MEMBERS = {"name", "thing", "value", "version", "timestamp"}

    def items(self, topic, name=None, thing=None):
        found = []
        for _, payload in self.received(topic):
            message = json.loads(payload)
            assert set(message) == {"version", "metrics"} and message["version"] == "1.0" and message["metrics"]
            for item in message["metrics"]:
                assert set(item) - {"dimension"} == self.MEMBERS, item
                assert isinstance(item["timestamp"], int) and isinstance(item["version"], int)
                if name in (None, item["name"]) and thing in (None, item["thing"]):
                    found.append(item)
        return found


def test_the_configuration_is_kept_changed_and_deleted(fw, iot):
    config = {"mqttTopic": "$aws/rules/metricsExportRule", "roleArn": ROLE}
    behavior = {"name": "BehaviorNumAuthz", "metric": "aws:num-authorization-failures", "exportMetric": True,
                "criteria": {"comparisonOperator": "less-than", "value": {"count": 5}, "durationSeconds": 300,
                             "consecutiveDatapointsToAlarm": 1, "consecutiveDatapointsToClear": 1}}
    retained = [{"metric": "aws:all-bytes-in", "exportMetric": False}, {"metric": "aws:all-bytes-out", "exportMetric": True}]
    iot.create_security_profile(securityProfileName="kept", behaviors=[behavior], metricsExportConfig=config,
                                additionalMetricsToRetainV2=retained)
    shown = iot.describe_security_profile(securityProfileName="kept")
    assert shown["metricsExportConfig"] == config
    assert shown["behaviors"] == [behavior] and shown["additionalMetricsToRetainV2"] == retained
    # A later client's request is understood by an older one, which sees what it knows.
    assert fw.iot.describe_security_profile(securityProfileName="kept")["behaviors"][0]["name"] == "BehaviorNumAuthz"
    other = {"mqttTopic": "export/all", "roleArn": ROLE + "2"}
    assert iot.update_security_profile(securityProfileName="kept", metricsExportConfig=other)["metricsExportConfig"] == other
    del behavior["exportMetric"]
    kept = iot.update_security_profile(securityProfileName="kept", behaviors=[behavior])
    assert kept["metricsExportConfig"] == other and kept["behaviors"] == [behavior]
    gone = iot.update_security_profile(securityProfileName="kept", deleteMetricsExportConfig=True)
    assert "metricsExportConfig" not in gone and gone["version"] == 4
    assert "metricsExportConfig" not in iot.describe_security_profile(securityProfileName="kept")
    iot.delete_security_profile(securityProfileName="kept")


@pytest.mark.parametrize("config, part", [
    ({"mqttTopic": "a/#", "roleArn": ROLE}, "wildcards"),
    ({"mqttTopic": "x" * 257, "roleArn": ROLE}, "longer than allowed"),
    ({"mqttTopic": "", "roleArn": ROLE}, "mqttTopic"),
    ({"mqttTopic": "a", "roleArn": "short"}, "roleArn"),
    ({"mqttTopic": "a", "roleArn": "arn:aws:iam::123456789012:user/somebody"}, "roleArn must look like"),
    ({"mqttTopic": "a"}, "roleArn"),
    # What only the server says.
    ({"mqttTopic": "$CONTROL/fleetward/v1", "roleArn": ROLE}, "reserved"),
    ({"mqttTopic": "$SYS/broker/uptime", "roleArn": ROLE}, "reserved"),
    ({"mqttTopic": "$aws/things/a/defender/metrics/json", "roleArn": ROLE}, "reserved"),
    ({"mqttTopic": "$aws/things/a/defender/metrics/json/accepted", "roleArn": ROLE}, "reserved"),
    ({"mqttTopic": "$aws/events/presence/connected/a", "roleArn": ROLE}, "reserved"),
])
def test_a_bad_configuration_is_refused_with_its_fault(fw, tmp_path, config, part):
    lenient = later_boto(fw, tmp_path, parameter_validation=False)
    with pytest.raises(ClientError) as error:
        lenient.create_security_profile(securityProfileName="bad", metricsExportConfig=config)
    assert error.value.response["Error"]["Code"] == "InvalidRequestException"
    assert part in error.value.response["Error"]["Message"], error.value.response["Error"]["Message"]


def test_delete_and_new_configuration_contradict_each_other(iot):
    iot.create_security_profile(securityProfileName="both")
    with pytest.raises(ClientError) as error:
        iot.update_security_profile(securityProfileName="both", deleteMetricsExportConfig=True,
                                    metricsExportConfig={"mqttTopic": "a", "roleArn": ROLE})
    assert error.value.response["Error"]["Code"] == "InvalidRequestException"
    iot.delete_security_profile(securityProfileName="both")


def test_values_of_both_sides_reach_who_may_subscribe(fw, iot):
    topic = "export/fleet"
    iot.create_dimension(name="alpha", type="TOPIC_FILTER", stringValues=["alpha/#"], clientRequestToken="d")
    iot.create_custom_metric(metricName="load", metricType="number", clientRequestToken="c")
    iot.create_custom_metric(metricName="names", metricType="string-list", clientRequestToken="c")
    iot.create_thing_group(thingGroupName="exported")
    iot.create_security_profile(
        securityProfileName="fleet", metricsExportConfig={"mqttTopic": topic, "roleArn": ROLE},
        behaviors=[{"name": "sent", "metric": "aws:num-messages-sent", "exportMetric": True, "criteria": {
            "comparisonOperator": "less-than", "value": {"count": 1000}, "durationSeconds": BUCKET}},
            {"name": "kept", "metric": "aws:num-messages-received"}],
        additionalMetricsToRetainV2=[
            {"metric": "aws:num-messages-sent", "exportMetric": True,
             "metricDimension": {"dimensionName": "alpha", "operator": "NOT_IN"}},
            {"metric": "aws:message-byte-size", "exportMetric": True, "metricDimension": {"dimensionName": "alpha"}},
            {"metric": "aws:source-ip-address", "exportMetric": True},
            {"metric": "aws:disconnect-duration", "exportMetric": True},
            {"metric": "aws:listening-tcp-ports", "exportMetric": True},
            {"metric": "aws:destination-ip-addresses", "exportMetric": True},
            {"metric": "aws:all-bytes-out", "exportMetric": False},
            {"metric": "load", "exportMetric": True}, {"metric": "names", "exportMetric": True}])
    iot.attach_security_profile(securityProfileName="fleet", securityProfileTargetArn=fw.arn("thinggroup", "exported"))
    reader = fw.thing("reader", [("Allow", "iot:Connect", "*"), ("Allow", ["iot:Subscribe", "iot:Receive"],
                                                                ["topicfilter/export/#", "topic/export/fleet"])])
    stranger = fw.thing("stranger", [("Allow", "iot:Connect", "*"), ("Allow", ["iot:Subscribe", "iot:Receive"], [
        "topicfilter/other", "topic/other"])])
    covered, outside = fw.thing("covered"), fw.thing("outside")
    iot.add_thing_to_thing_group(thingGroupName="exported", thingName="covered")
    began = int(time.time())
    with Subscriber(fw, reader, "reader") as subscriber:
        assert subscriber.subscribe("export/#") < 0x80
        with Device(fw, stranger, "stranger") as denied:
            with pytest.raises(Refused):
                denied.subscribe(topic)
        with Reporter(fw, covered, "covered") as device, Reporter(fw, outside, "outside") as other:
            metrics = {"listening_tcp_ports": {"ports": [{"port": 22}, {"port": 443}], "total": 2},
                       "tcp_connections": {"established_connections": {
                           "connections": [{"remote_addr": "192.0.2.7:443"}], "total": 1}},
                       "network_stats": {"bytes_in": 1, "bytes_out": 2, "packets_in": 3, "packets_out": 4}}
            for each in (device, other):
                assert each.listen("json").ask(report(1, metrics, custom_metrics={
                    "load": [{"number": 0.25}], "names": [{"string_list": ["a\u2026", "b"]}]}))[0] == "accepted"
            for name, size in (("alpha/a", 10), ("alpha/b", 30), ("beta", 5000)):
                assert device.publish(name, b"x" * size)
            wait_for(lambda: sum(i["value"]["count"] for i in subscriber.items(topic, "aws:num-messages-sent", "covered")
                                 if "dimension" not in i) >= 4, 15, lambda: subscriber.items(topic))
        wait_for(lambda: len(subscriber.items(topic, "aws:disconnect-duration", "covered")) == 2, 10)
        time.sleep(2)
        items = subscriber.items(topic)
    values = {name: [i["value"] for i in items if i["name"] == name] for name in {i["name"] for i in items}}
    assert {i["thing"] for i in items} == {"covered"}
    # Reports one by one, at their time; alike to what ListMetricValues shows.
    assert values["load"] == [{"number": 0.25}] and values["names"] == [{"strings": ["a\u2026", "b"]}]
    assert values["aws:listening-tcp-ports"] == [{"ports": [22, 443]}]
    assert values["aws:destination-ip-addresses"] == [{"cidrs": ["192.0.2.7"]}]
    stored = iot.list_metric_values(thingName="covered", metricName="load", startTime=began - 5, endTime=time.time() + 5)
    exported = [i for i in items if i["name"] == "load"]
    assert [int(d["timestamp"].timestamp()) for d in stored["metricDatumList"]] == [i["timestamp"] for i in exported]
    # Counts of the broker, by bucket.
    assert all(began - BUCKET <= i["timestamp"] <= time.time() + 1 for i in items)
    sent = [i for i in items if i["name"] == "aws:num-messages-sent"]
    assert all(i["timestamp"] % BUCKET == 0 for i in sent)
    plain = [i["value"]["count"] for i in sent if "dimension" not in i]
    apart = [i["value"]["count"] for i in sent if i.get("dimension") == {"name": "alpha", "operator": "NOT_IN"}]
    assert sum(plain) == 4 and sum(apart) == 2 and len(plain) + len(apart) == len(sent)  # the report is a message, too
    sizes = [i for i in items if i["name"] == "aws:message-byte-size"]
    assert all(i["dimension"] == {"name": "alpha", "operator": "IN"} for i in sizes)
    assert min(s["value"]["min"] for s in sizes) == 10 and max(s["value"]["max"] for s in sizes) == 30
    assert sum(s["value"]["total"] for s in sizes) == 40 and all(s["value"]["count"] == s["value"]["max"] for s in sizes)
    assert {c for v in values["aws:source-ip-address"] for c in v["cidrs"]} == {"127.0.0.1"}
    assert values["aws:disconnect-duration"] == [{"count": 0}, {"count": 0}]  # came, went
    assert not {"aws:all-bytes-out", "aws:num-messages-received"} & set(values)
    # Attaching to more things and turning it off work at once.
    gone = iot.update_security_profile(securityProfileName="fleet", deleteMetricsExportConfig=True)
    assert "metricsExportConfig" not in gone
    with Subscriber(fw, reader, "reader") as subscriber, Reporter(fw, covered, "covered") as device:
        subscriber.subscribe("export/#")
        time.sleep(1)
        assert device.listen("json").ask(report(2, metrics))[0] == "accepted"
        time.sleep(2 * BUCKET + 2)
        assert subscriber.items(topic) == []
    iot.delete_security_profile(securityProfileName="fleet")


def numbers(subscriber, topic):
    return [i["value"]["number"] for i in subscriber.items(topic, "serial")]


def test_a_restart_publishes_nothing_again(make, tmp_path):
    fw = make({"detect.export_interval_seconds": 1})
    iot = later_boto(fw, tmp_path)
    iot.create_custom_metric(metricName="serial", metricType="number", clientRequestToken="c")
    iot.create_security_profile(securityProfileName="p", metricsExportConfig={"mqttTopic": "out", "roleArn": ROLE},
                                additionalMetricsToRetainV2=[{"metric": "serial", "exportMetric": True}])
    iot.attach_security_profile(securityProfileName="p", securityProfileTargetArn=TARGET)
    certificate, reading = fw.thing("pump"), fw.thing("reader")
    with Subscriber(fw, reading, "reader") as subscriber, Reporter(fw, certificate, "pump") as device:
        subscriber.subscribe("out")
        device.listen("json")

        def say(value):
            assert device.ask(report(value, custom_metrics={"serial": [{"number": value}]}))[0] == "accepted"
        for value in range(1, 6):
            say(value)
        wait_for(lambda: numbers(subscriber, "out") == [1, 2, 3, 4, 5], 10, lambda: numbers(subscriber, "out"))
        # Without a checkpoint in between, all five reports are replayed.
        fw.signal("server", signal.SIGKILL)
        wait_for(lambda: fw.run("status", "--data", fw.data, check=False).returncode == 0, 60, "the server")
        say(6)
        wait_for(lambda: 6 in numbers(subscriber, "out"), 15, lambda: numbers(subscriber, "out"))
        time.sleep(2)
        assert numbers(subscriber, "out") == [1, 2, 3, 4, 5, 6]
        log = fw.log()
        assert log.count("export-link-up") == 2 and int(log.split("log-replayed records=")[-1].split()[0]) > 5


def test_what_waits_survives_a_broker(make, tmp_path):
    fw = make({"detect.export_interval_seconds": 8})
    iot = later_boto(fw, tmp_path)
    iot.create_custom_metric(metricName="serial", metricType="number", clientRequestToken="c")
    iot.create_security_profile(securityProfileName="p", metricsExportConfig={"mqttTopic": "out", "roleArn": ROLE},
                                additionalMetricsToRetainV2=[{"metric": "serial", "exportMetric": True}])
    iot.attach_security_profile(securityProfileName="p", securityProfileTargetArn=TARGET)
    certificate, reading = fw.thing("pump"), fw.thing("reader")
    with Reporter(fw, certificate, "pump") as device:
        assert device.listen("json").ask(report(1, custom_metrics={"serial": [{"number": 1}]}))[0] == "accepted"
    began = time.monotonic()
    fw.signal("broker", signal.SIGKILL)
    wait_for(lambda: fw.run("status", "--data", fw.data, check=False).returncode == 0, 60, "the broker")
    with Subscriber(fw, reading, "reader") as subscriber:
        subscriber.subscribe("out")
        assert time.monotonic() < began + 7, "too slow to see anything"
        wait_for(lambda: numbers(subscriber, "out") == [1], 15, lambda: numbers(subscriber, "out"))


def test_a_server_that_stops_publishes_what_waits_for_each_profile(make, tmp_path):
    fw = make({"detect.export_interval_seconds": 3600})
    iot = later_boto(fw, tmp_path)
    iot.create_custom_metric(metricName="serial", metricType="number", clientRequestToken="c")
    for name in ("one", "two"):
        iot.create_security_profile(securityProfileName=name, metricsExportConfig={"mqttTopic": f"out/{name}", "roleArn": ROLE},
                                    additionalMetricsToRetainV2=[{"metric": "serial", "exportMetric": True}])
        iot.attach_security_profile(securityProfileName=name, securityProfileTargetArn=TARGET)
    certificate, reading = fw.thing("pump"), fw.thing("reader")
    with Subscriber(fw, reading, "reader") as subscriber, Reporter(fw, certificate, "pump") as device:
        subscriber.subscribe("out/+")
        device.listen("json")
        for value in range(1, 4):
            assert device.ask(report(value, custom_metrics={"serial": [{"number": value}]}))[0] == "accepted"
        time.sleep(1)
        assert subscriber.items("out/one") == [], "an hour has not passed"
        fw.signal("server", signal.SIGTERM)
        for topic in ("out/one", "out/two"):
            wait_for(lambda t=topic: numbers(subscriber, t), 5, lambda: fw.log_tail(20))
        wait_for(lambda: fw.run("status", "--data", fw.data, check=False).returncode == 0, 60, "the server")
        assert [numbers(subscriber, topic) for topic in ("out/one", "out/two")] == [[1, 2, 3]] * 2


def test_the_service_guides_command_line(fw, tmp_path):
    """The commands of the service's guide by Debian's aws-cli, which is told of the later members."""
    environment = clean_environment(AWS_SHARED_CREDENTIALS_FILE=fw.credentials_file, HOME=fw.scratch, AWS_PAGER="",
                                    AWS_EC2_METADATA_DISABLED="true", AWS_DATA_PATH=models(tmp_path))

    def aws(*arguments):
        result = subprocess.run(["/usr/bin/aws", "--endpoint-url", fw.endpoint["api"], "--ca-bundle", fw.ca, "--profile",
                                 "fleetward", "--output", "json", "--region", "us-east-1", "iot", *arguments],
                                text=True, capture_output=True, timeout=120, env=environment, cwd=fw.scratch)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout) if result.stdout.strip() else None
    behaviors = json.dumps([{"name": "BehaviorNumAuthz", "metric": "aws:num-authorization-failures", "exportMetric": True,
                             "criteria": {"comparisonOperator": "less-than", "value": {"count": 5}, "durationSeconds": 300,
                                          "consecutiveDatapointsToAlarm": 1, "consecutiveDatapointsToClear": 1}}])
    config = {"mqttTopic": "$aws/rules/metricsExportRule", "roleArn": "arn:aws:iam::123456789012:role/iot-test-role"}
    name = "WithMetricsExport"
    aws("create-security-profile", "--security-profile-name", name, "--behaviors", behaviors,
        "--metrics-export-config", json.dumps(config))
    updated = aws("update-security-profile", "--security-profile-name", name, "--security-profile-description", "updated",
                  "--behaviors", behaviors, "--metrics-export-config", json.dumps(config))
    assert updated["metricsExportConfig"] == config and updated["behaviors"][0]["exportMetric"] is True
    off = aws("update-security-profile", "--security-profile-name", name, "--delete-metrics-export-config")
    assert "metricsExportConfig" not in off and off["version"] == 3
    aws("delete-security-profile", "--security-profile-name", name)
