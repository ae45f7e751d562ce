"""The tour of the iot API (tour/) by boto3: every operation in scope, its happy path, and each error that a client can
cause, on a whole server whose quotas are low."""
import json

import botocore.exceptions
import pytest

import tour
from support.device import Device, Refused
from tour import _coverage, _run


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared(tour.settings())


@pytest.fixture(scope="module")
def seen(fw, tmp_path_factory):
    return _run.run(_run.by_boto3(fw.iot), tour.description(tmp_path_factory.mktemp("tour"), fw.iot))


def test_every_step(seen):
    assert seen


def test_every_operation_and_each_of_its_errors_is_on_the_way(seen):
    assert _coverage.missing(seen) == []


def test_what_is_pending_is_not_offered_yet(fw):
    """An operation that got its handler must get its steps and leave the list."""
    offered = []
    # Members that are in the path must be something; what it is does not matter.
    something = {"certificateId": "0" * 64, "caCertificateId": "0" * 64, "indexName": "x", "thingGroupName": "x"}
    for operation in sorted(_coverage.PENDING):
        shape = fw.iot.meta.service_model.operation_model(operation).input_shape
        parameters = {name: value for name, value in something.items() if shape and name in shape.members}
        with pytest.raises(botocore.exceptions.ClientError) as raised:
            fw.iot._make_api_call(operation, parameters)
        if "does not offer the operation" not in raised.value.response["Error"]["Message"]:
            offered.append(operation)
    assert offered == []
    assert _coverage.PENDING <= _coverage.scope()


@pytest.mark.parametrize("service", ["iot", "sns"])
def test_the_reasons_are_of_real_errors(service):
    lists = _coverage.model_errors(service)
    for operation, reasons in _coverage.CANNOT[service].items():
        assert set(reasons) <= lists[operation] - _coverage.NEVER, operation


@pytest.mark.parametrize("service", ["iot", "sns"])
def test_every_step_for_another_account_and_region(make, tmp_path, kept_hook, monkeypatch, service):
    """Every ARN of the tour, asked or answered, is of the account and region that are configured; a device's policy too."""
    account, region = "210987654321", "eu-central-1"
    mine = f"arn:aws:iot:{region}:{account}"
    monkeypatch.setattr("tour.policies.ARN", mine)
    fw = make({**tour.settings(service), "account_id": account, "region": region})
    client = fw.client(service, region=region)
    given = {"arn": mine.replace(":iot:", f":{service}:"), "account": account}
    seen = _run.run(_run.by_boto3(client), tour.description(tmp_path, client, service, **kept_hook, **given))
    assert _coverage.missing(seen, service=service) == []
    if service == "sns":
        return
    made = client.create_keys_and_certificate(setAsActive=True)
    assert made["certificateArn"] == f"{mine}:cert/{made['certificateId']}"
    device = fw.save(made["certificatePem"], made["keyPair"]["PrivateKey"])
    for number, arn in enumerate((mine, tour.ARN)):
        client.create_policy(policyName=f"of-{number}", policyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "iot:*", "Resource": f"{arn}:*"}]}))
    client.attach_policy(policyName="of-1", target=made["certificateArn"])
    with pytest.raises(Refused):
        Device(fw, device, "elsewhere")
    client.attach_policy(policyName="of-0", target=made["certificateArn"])
    with Device(fw, device, "here") as connected:
        assert connected.publish("a/b")
