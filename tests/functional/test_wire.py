"""Stock clients (Debian's aws-cli, boto3, newer signing names) against router, signatures and codecs, with the made-up
handlers of src/api/core/testing. The real handlers have their own tests."""
import datetime
import json
import os
import pathlib
import ssl
import subprocess
import urllib.error
import urllib.request

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FLEETWARD_BUILD", ROOT / "build" / "release")).resolve()


class WireServer:
    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen([BUILD / "bin" / "wire_server", folder], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        about = json.loads(self.process.stdout.readline())
        self.__dict__.update(about)
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca = str(folder / "ca.pem")

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0

    def client(self, service, key=None, region="us-east-1"):
        key_id, secret = key or (self.id, self.secret)
        return boto3.client(service, endpoint_url=self.url, verify=self.ca, region_name=region,
                            aws_access_key_id=key_id, aws_secret_access_key=secret,
                            config=botocore.config.Config(retries={"max_attempts": 0}, inject_host_prefix=False))

    def aws(self, *arguments, check=True):
        environment = {**os.environ, "AWS_ACCESS_KEY_ID": self.id, "AWS_SECRET_ACCESS_KEY": self.secret,
                       "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
                       "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
        done = subprocess.run(["/usr/bin/aws", "--endpoint-url", self.url, "--ca-bundle", self.ca, "--output", "json",
                               *arguments], capture_output=True, text=True, env=environment)
        if check:
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)
        return done


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    wire = WireServer(tmp_path_factory.mktemp("wire"))
    yield wire
    wire.stop()


def test_aws_cli_describes_the_endpoint(server):
    assert server.aws("iot", "describe-endpoint") == {"endpointAddress": "us-east-1/default"}
    answer = server.aws("iot", "describe-endpoint", "--endpoint-type", "iot:Data-ATS")
    assert answer == {"endpointAddress": "us-east-1/iot:Data-ATS"}


def test_aws_cli_reads_errors(server):
    done = server.aws("iot", "describe-thing", "--thing-name", "nope", check=False)
    assert done.returncode != 0
    assert "(ResourceNotFoundException)" in done.stderr and "There is no thing nope" in done.stderr
    done = server.aws("iot", "list-jobs", check=False)
    assert "iot:ListJobs" in done.stderr


def test_aws_cli_calls_sns(server):
    answer = server.aws("sns", "create-topic", "--name", "MisbehavingDevices")
    assert answer == {"TopicArn": "arn:aws:sns:us-east-1:123456789012:MisbehavingDevices"}


@pytest.mark.parametrize("name", ["a:b", "plain", "a_b-c", "x" * 128])
def test_names_with_special_characters(server, name):
    answer = server.client("iot").create_thing(thingName=name)
    assert answer["thingArn"].endswith(":thing/" + name)
    assert answer["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize("value", ["a/b", "x@y.z", "a,b", "#1", "", "1:2"])
def test_query_strings(server, value):
    answer = server.client("iot").list_things(attributeName="n", attributeValue=value, maxResults=1)
    assert answer["things"][0]["thingName"] == "thing-0" + value


def test_query_strings_with_blank_and_plus_are_verified(server):
    # The pattern of the model refuses them, but only after the signature was found right.
    for value in ("a b", "a+b", "50%", "ü~*'"):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            server.client("iot").list_things(attributeName="n", attributeValue=value)
        assert error.value.response["Error"]["Code"] == "InvalidRequestException"
        assert value in error.value.response["Error"]["Message"]


def test_pages(server):
    pages = server.client("iot").get_paginator("list_things").paginate(PaginationConfig={"PageSize": 3})
    assert [t["thingName"] for page in pages for t in page["things"]] == [f"thing-{i}" for i in range(10)]


def test_nested_bodies_round_trip(server):
    behavior = {"name": "b", "metric": "aws:all-bytes-out",
                "criteria": {"comparisonOperator": "less-than", "value": {"count": 10000}, "durationSeconds": 300,
                             "consecutiveDatapointsToAlarm": 1},
                "suppressAlerts": False}
    answer = server.client("iot").create_security_profile(securityProfileName="p", behaviors=[behavior])
    assert json.loads(answer["securityProfileName"]) == behavior


def test_bounds_name_the_member(server):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        server.client("iot").create_security_profile(securityProfileName="p", behaviors=[
            {"name": "b", "metric": "m", "criteria": {"value": {"ports": [22, 65536]}}}])
    assert "behaviors[0].criteria.value.ports[1]" in str(error.value)


def test_sns_maps_and_text(server):
    answer = server.client("sns").publish(
        TopicArn="arn:aws:sns:us-east-1:123456789012:t", Message="a b&<c>+ü\n", Subject="s",
        MessageAttributes={"n": {"DataType": "String", "StringValue": "v"}})
    assert answer["MessageId"] == "a b&<c>+ü\n|s|n:String:v"


def test_sns_errors(server):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        server.client("sns").list_topics()
    assert "sns:ListTopics" in str(error.value)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        server.client("sns", (server.viewer_id, server.viewer_secret)).create_topic(Name="t")
    assert error.value.response["Error"]["Code"] == "AuthorizationError"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_data_plane_publish(server):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        server.client("iot-data").publish(topic="a/b c", qos=1, payload=b"bytes")
    assert error.value.response["Error"]["Message"] == "a/b c|bytes|1"


def test_roles_and_wrong_credentials(server):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        server.client("iot", (server.viewer_id, server.viewer_secret)).create_thing(thingName="t")
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"
    for key, code in (((server.id, "wrong"), "InvalidSignatureException"),
                      (("AKFWNOBODY", "wrong"), "UnrecognizedClientException")):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            server.client("iot", key).list_things()
        assert error.value.response["Error"]["Code"] == code
    with pytest.raises(botocore.exceptions.ClientError) as error:
        server.client("iot", region="eu-west-1").list_things()
    assert error.value.response["Error"]["Code"] == "InvalidSignatureException"


def get(server, url, headers=None):
    context = ssl.create_default_context(cafile=server.ca)
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def presigned(server, path, service="iot", expires=60):
    credentials = botocore.credentials.Credentials(server.id, server.secret)
    request = botocore.awsrequest.AWSRequest("GET", server.url + path)
    botocore.auth.SigV4QueryAuth(credentials, service, "us-east-1", expires=expires).add_auth(request)
    return request.url


def test_presigned_urls(server):
    status, body = get(server, presigned(server, "/endpoint?endpointType=iot%3AData"))
    assert (status, json.loads(body)) == (200, {"endpointAddress": "us-east-1/iot:Data"})
    status, _ = get(server, presigned(server, "/endpoint", service="execute-api"))
    assert status == 200
    url = presigned(server, "/endpoint")
    assert get(server, url.replace("/endpoint", "/things"))[0] == 403
    assert get(server, url + "&endpointType=iot:Data")[0] == 403
    assert get(server, url.replace("X-Amz-Expires=60", "X-Amz-Expires=604801"))[0] == 400


@pytest.mark.parametrize("service", ["iot", "execute-api"])
@pytest.mark.parametrize("path", ["/things/a%3Ab", "//endpoint", "/endpoint?endpointType=a%20b&x=%2F+y",
                                  "/endpoint?b=2&a=1&a=0&c"])
def test_botocores_canonical_form_is_ours(server, service, path):
    credentials = botocore.credentials.Credentials(server.id, server.secret)
    request = botocore.awsrequest.AWSRequest("GET", server.url + path)
    if "+" in path:
        request.url = request.url.replace("+", "%2B")
    botocore.auth.SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    status, body = get(server, request.url, dict(request.headers))
    assert status != 403, body


def test_links_work_without_a_signature(server):
    status, body = get(server, server.url + "/?Action=ConfirmSubscription&TopicArn=arn%3At&Token=1")
    assert status == 200 and "arn:t:unsigned" in body
    assert get(server, server.url + "/?Action=ListTopics")[0] == 403


def test_old_and_future_signatures_are_refused(server):
    credentials = botocore.credentials.Credentials(server.id, server.secret)
    for minutes in (-6, 6):
        request = botocore.awsrequest.AWSRequest("GET", server.url + "/endpoint")
        signer = botocore.auth.SigV4Auth(credentials, "iot", "us-east-1")
        then = datetime.datetime.utcnow() + datetime.timedelta(minutes=minutes)
        request.context["timestamp"] = then.strftime("%Y%m%dT%H%M%SZ")
        request.headers["X-Amz-Date"] = request.context["timestamp"]
        request.headers["host"] = f"127.0.0.1:{server.port}"
        canonical = signer.canonical_request(request)
        signature = signer.signature(signer.string_to_sign(request, canonical), request)
        signer._inject_signature_to_request(request, signature)
        status, body = get(server, request.url, dict(request.headers))
        assert status == 403 and "Signature" in body and "5 min" in body
