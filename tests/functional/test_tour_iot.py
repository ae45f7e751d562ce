"""The tour of the iot API (tour/) by boto3: every operation in scope, its happy path, and each error that a client can
cause, on a whole server whose quotas are low."""
import botocore.exceptions
import pytest

import tour
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
