"""The registry's operations through stock boto3 and aws-cli: happy paths, the errors a client can cause, paging."""
import concurrent.futures
import datetime
import hashlib
import json
import os
import pathlib
import ssl
import subprocess

import boto3
import botocore.config
import botocore.exceptions
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FLEETWARD_BUILD", ROOT / "build" / "release")).resolve()
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:us-east-1:123456789012:client/*"}]})
OTHER = DOCUMENT.replace("client/*", "client/x")


class RegistryServer:
    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen([BUILD / "bin" / "registry_server", folder], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.__dict__.update(json.loads(self.process.stdout.readline()))
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca = str(folder / "ca.pem")

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0

    def client(self):
        return boto3.client("iot", endpoint_url=self.url, verify=self.ca, region_name="us-east-1",
                            aws_access_key_id=self.id, aws_secret_access_key=self.secret,
                            config=botocore.config.Config(retries={"max_attempts": 0}, max_pool_connections=16))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = RegistryServer(tmp_path_factory.mktemp("registry"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def iot(server):
    return server.client()


def refused(code, text, call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**arguments)
    error = raised.value.response["Error"]
    assert error["Code"] == code, error
    assert text in error["Message"]
    return raised.value.response


def names(iot, operation, key, member=None, **arguments):
    items = iot.get_paginator(operation).paginate(**arguments).build_full_result()[key]
    return [item[member] for item in items] if member else items


def test_things(iot):
    made = iot.create_thing(thingName="lamp", attributePayload={"attributes": {"site": "north"}})
    assert made["thingArn"] == "arn:aws:iot:us-east-1:123456789012:thing/lamp"
    again = iot.create_thing(thingName="lamp", attributePayload={"attributes": {"site": "north"}})
    assert again["thingId"] == made["thingId"]
    response = refused("ResourceAlreadyExistsException", "lamp", iot.create_thing, thingName="lamp")
    assert response["resourceArn"] == made["thingArn"]
    iot.update_thing(thingName="lamp", attributePayload={"attributes": {"floor": "2"}, "merge": True})
    lamp = iot.describe_thing(thingName="lamp")
    assert lamp["attributes"] == {"site": "north", "floor": "2"} and lamp["version"] == 2
    assert lamp["defaultClientId"] == "lamp"
    refused("VersionConflictException", "does not match", iot.update_thing, thingName="lamp", expectedVersion=1)
    refused("InvalidRequestException", "attributes", iot.create_thing, thingName="x",
            attributePayload={"attributes": {f"a{i}": "" for i in range(4)}})
    refused("ResourceNotFoundException", "nobody", iot.describe_thing, thingName="nobody")
    refused("ResourceNotFoundException", "nobody", iot.update_thing, thingName="nobody")
    assert [t["thingName"] for t in iot.list_things(attributeName="floor")["things"]] == ["lamp"]
    iot.delete_thing(thingName="lamp", expectedVersion=2)
    iot.delete_thing(thingName="lamp")


def test_thing_types(iot):
    iot.create_thing_type(thingTypeName="pump", thingTypeProperties={"thingTypeDescription": "d",
                                                                     "searchableAttributes": ["site"]})
    iot.create_thing(thingName="p1", thingTypeName="pump")
    described = iot.describe_thing_type(thingTypeName="pump")
    assert described["thingTypeProperties"]["searchableAttributes"] == ["site"]
    assert described["thingTypeMetadata"]["deprecated"] is False
    assert [t["thingName"] for t in iot.list_things(thingTypeName="pump")["things"]] == ["p1"]
    refused("InvalidRequestException", "deprecate", iot.delete_thing_type, thingTypeName="pump")
    iot.deprecate_thing_type(thingTypeName="pump")
    refused("InvalidRequestException", "deprecated", iot.create_thing, thingName="p2", thingTypeName="pump")
    iot.update_thing(thingName="p1", removeThingType=True)
    iot.delete_thing_type(thingTypeName="pump")
    assert iot.list_thing_types()["thingTypes"] == []
    refused("ResourceNotFoundException", "pump", iot.describe_thing_type, thingTypeName="pump")
    iot.delete_thing(thingName="p1")


def test_thing_groups(iot):
    iot.create_thing_group(thingGroupName="root", tags=[{"Key": "k", "Value": "v"}])
    iot.create_thing_group(thingGroupName="leaf", parentGroupName="root", thingGroupProperties={
        "thingGroupDescription": "text", "attributePayload": {"attributes": {"a": "1"}}})
    leaf = iot.describe_thing_group(thingGroupName="leaf")
    assert leaf["thingGroupMetadata"]["rootToParentThingGroups"] == [
        {"groupName": "root", "groupArn": "arn:aws:iot:us-east-1:123456789012:thinggroup/root"}]
    assert leaf["thingGroupProperties"]["thingGroupDescription"] == "text"
    assert iot.update_thing_group(thingGroupName="leaf", thingGroupProperties={"thingGroupDescription": "new"},
                                  expectedVersion=1)["version"] == 2
    refused("VersionConflictException", "leaf", iot.update_thing_group, thingGroupName="leaf",
            thingGroupProperties={}, expectedVersion=1)
    assert names(iot, "list_thing_groups", "thingGroups", "groupName") == ["leaf", "root"]
    assert names(iot, "list_thing_groups", "thingGroups", "groupName", parentGroup="root") == ["leaf"]
    iot.create_thing(thingName="member")
    iot.add_thing_to_thing_group(thingGroupArn=leaf["thingGroupArn"], thingName="member")
    iot.add_thing_to_thing_group(thingGroupName="leaf", thingName="member")
    refused("InvalidRequestException", "hierarchy", iot.add_thing_to_thing_group, thingGroupName="root",
            thingName="member")
    refused("InvalidRequestException", "thingGroupName", iot.add_thing_to_thing_group, thingName="member")
    refused("ResourceNotFoundException", "nobody", iot.add_thing_to_thing_group, thingGroupName="leaf",
            thingName="nobody")
    assert iot.list_things_in_thing_group(thingGroupName="root")["things"] == []
    assert iot.list_things_in_thing_group(thingGroupName="root", recursive=True)["things"] == ["member"]
    assert iot.list_thing_groups_for_thing(thingName="member")["thingGroups"][0]["groupName"] == "leaf"
    refused("InvalidRequestException", "Cannot delete thing group : root when there are still child groups attached "
            "to it", iot.delete_thing_group, thingGroupName="root")
    iot.update_thing_groups_for_thing(thingName="member", thingGroupsToRemove=["leaf"], thingGroupsToAdd=["root"])
    iot.remove_thing_from_thing_group(thingGroupName="root", thingName="member")
    iot.delete_thing_group(thingGroupName="leaf")
    iot.delete_thing_group(thingGroupName="root")
    iot.delete_thing_group(thingGroupName="root")
    iot.delete_thing(thingName="member")


def test_certificates(server, iot, tmp_path):
    made = iot.create_keys_and_certificate(setAsActive=True)
    der = ssl.PEM_cert_to_DER_cert(made["certificatePem"])
    assert made["certificateId"] == hashlib.sha256(der).hexdigest()
    assert made["keyPair"]["PrivateKey"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    leaf = tmp_path / "leaf.pem"
    leaf.write_text(made["certificatePem"])
    subprocess.run(["openssl", "verify", "-purpose", "sslclient", "-CAfile", server.ca, leaf], check=True,
                   stdout=subprocess.DEVNULL)
    # A device's certificate can never pass for a server's.
    assert subprocess.run(["openssl", "verify", "-purpose", "sslserver", "-CAfile", server.ca, leaf],
                          capture_output=True).returncode != 0
    described = iot.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]
    assert described["status"] == "ACTIVE" and described["certificatePem"] == made["certificatePem"]
    assert described["validity"]["notAfter"].astimezone(datetime.timezone.utc).isoformat() == "2049-12-31T23:59:59+00:00"
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "csr.pem", "-subj", "/CN=dev"], check=True,
                   capture_output=True)
    csr = (tmp_path / "csr.pem").read_text()
    second = iot.create_certificate_from_csr(certificateSigningRequest=csr)
    assert iot.describe_certificate(certificateId=second["certificateId"])["certificateDescription"]["status"] == "INACTIVE"
    refused("InvalidRequestException", "", iot.create_certificate_from_csr, certificateSigningRequest="nonsense")
    ids = [c["certificateId"] for c in iot.list_certificates(ascendingOrder=True)["certificates"]]
    assert ids == [made["certificateId"], second["certificateId"]]
    assert [c["certificateId"] for c in iot.list_certificates()["certificates"]] == ids[::-1]
    refused("CertificateStateException", "must be deactivated", iot.delete_certificate,
            certificateId=made["certificateId"])
    iot.create_thing(thingName="holder")
    iot.attach_thing_principal(thingName="holder", principal=made["certificateArn"])
    assert iot.list_thing_principals(thingName="holder")["principals"] == [made["certificateArn"]]
    assert iot.list_principal_things(principal=made["certificateArn"])["things"] == ["holder"]
    refused("InvalidRequestException", "still attached to one or more principals", iot.delete_thing,
            thingName="holder")
    iot.update_certificate(certificateId=made["certificateId"], newStatus="INACTIVE")
    refused("DeleteConflictException", "Things must be detached", iot.delete_certificate,
            certificateId=made["certificateId"])
    iot.detach_thing_principal(thingName="holder", principal=made["certificateArn"])
    for certificate in ids:
        iot.delete_certificate(certificateId=certificate)
    refused("ResourceNotFoundException", ids[0], iot.describe_certificate, certificateId=ids[0])
    iot.delete_thing(thingName="holder")


def test_policies(iot):
    made = iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    assert made["policyVersionId"] == "1" and made["policyDocument"] == DOCUMENT
    iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    refused("ResourceAlreadyExistsException", "p", iot.create_policy, policyName="p", policyDocument=OTHER)
    refused("MalformedPolicyException", "", iot.create_policy, policyName="q", policyDocument="{}")
    for number in range(2, 6):
        assert iot.create_policy_version(policyName="p", policyDocument=OTHER)["policyVersionId"] == str(number)
    refused("VersionsLimitExceededException", "maximum number of versions (5)", iot.create_policy_version,
            policyName="p", policyDocument=OTHER)
    iot.set_default_policy_version(policyName="p", policyVersionId="3")
    assert iot.get_policy(policyName="p")["policyDocument"] == OTHER
    assert iot.get_policy_version(policyName="p", policyVersionId="1")["isDefaultVersion"] is False
    refused("DeleteConflictException", "", iot.delete_policy_version, policyName="p", policyVersionId="3")
    assert len(iot.list_policy_versions(policyName="p")["policyVersions"]) == 5
    certificate = iot.create_keys_and_certificate(setAsActive=True)
    arn = certificate["certificateArn"]
    iot.create_thing_group(thingGroupName="g")
    iot.attach_policy(policyName="p", target=arn)
    iot.attach_principal_policy(policyName="p", principal=arn)
    iot.attach_policy(policyName="p", target="arn:aws:iot:us-east-1:123456789012:thinggroup/g")
    assert sorted(names(iot, "list_targets_for_policy", "targets", policyName="p")) == sorted(
        [arn, "arn:aws:iot:us-east-1:123456789012:thinggroup/g"])
    assert names(iot, "list_policy_principals", "principals", policyName="p") == [arn]
    assert names(iot, "list_principal_policies", "policies", "policyName", principal=arn) == ["p"]
    assert names(iot, "list_attached_policies", "policies", "policyName", target=arn) == ["p"]
    assert iot.get_effective_policies(principal=arn)["effectivePolicies"][0]["policyDocument"] == OTHER
    refused("ResourceNotFoundException", "nope", iot.attach_policy, policyName="nope", target=arn)
    for number in range(10):
        iot.create_policy(policyName=f"more{number}", policyDocument=DOCUMENT)
    for number in range(9):
        iot.attach_policy(policyName=f"more{number}", target=arn)
    refused("LimitExceededException", "10", iot.attach_policy, policyName="more9", target=arn)
    refused("DeleteConflictException", "attached to one or more principals", iot.delete_policy, policyName="p")
    iot.detach_principal_policy(policyName="p", principal=arn)
    iot.detach_policy(policyName="p", target="arn:aws:iot:us-east-1:123456789012:thinggroup/g")
    refused("DeleteConflictException", "one or more policy versions", iot.delete_policy, policyName="p")
    for number in (1, 2, 4, 5):
        iot.delete_policy_version(policyName="p", policyVersionId=str(number))
    iot.delete_policy(policyName="p")
    iot.update_certificate(certificateId=certificate["certificateId"], newStatus="REVOKED")
    refused("DeleteConflictException", "policies must be detached", iot.delete_certificate,
            certificateId=certificate["certificateId"])
    iot.delete_certificate(certificateId=certificate["certificateId"], forceDelete=True)
    for number in range(10):
        iot.delete_policy(policyName=f"more{number}")
    iot.delete_thing_group(thingGroupName="g")
    assert iot.list_policies()["policies"] == []


def test_endpoints(iot):
    assert iot.describe_endpoint()["endpointAddress"] == "localhost"
    assert iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"] == "localhost"
    refused("InvalidRequestException", "endpointType", iot.describe_endpoint, endpointType="iot:Nothing")


def test_pages_give_each_thing_once_under_writes(server, iot):
    def create(number):
        server_client.create_thing(thingName=f"page-{number:04}")

    server_client = server.client()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(create, range(300)))
    for size in (1, 7, 100):
        seen = []
        token = {}
        while True:
            page = iot.list_things(maxResults=size, **token)
            seen += [thing["thingName"] for thing in page["things"]]
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
            iot.create_thing(thingName=f"a-{len(seen)}")
        expected = [name for name in seen if name.startswith("page-")]
        assert expected == [f"page-{number:04}" for number in range(300)]
        assert len(set(seen)) == len(seen)
    refused("InvalidRequestException", "", iot.list_things, nextToken="forged")


def test_cli_tells_the_story(server):
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": server.id, "AWS_SECRET_ACCESS_KEY": server.secret,
                   "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
                   "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}

    def aws(*arguments):
        done = subprocess.run(["/usr/bin/aws", "--endpoint-url", server.url, "--ca-bundle", server.ca, "--output",
                               "json", "iot", *arguments], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    aws("create-thing-group", "--thing-group-name", "allMyDevices")
    aws("create-thing", "--thing-name", "MyDevice")
    certificate = aws("create-keys-and-certificate", "--set-as-active")
    aws("create-policy", "--policy-name", "MyPolicy", "--policy-document", DOCUMENT)
    aws("attach-policy", "--policy-name", "MyPolicy", "--target", certificate["certificateArn"])
    aws("attach-thing-principal", "--thing-name", "MyDevice", "--principal", certificate["certificateArn"])
    aws("add-thing-to-thing-group", "--thing-name", "MyDevice", "--thing-group-name", "allMyDevices")
    assert aws("list-things-in-thing-group", "--thing-group-name", "allMyDevices") == {"things": ["MyDevice"]}
