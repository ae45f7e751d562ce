"""The service's model, walked whole: each constraint of each member is checked and named, and each operation that is not
offered says so."""
import os
import re

import botocore.exceptions
import pytest

from support.paths import ROOT
from tour import _coverage

DEEPEST = 6  # members inside members; some shapes hold themselves


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared({"api.rate_per_key": "100000"})


def fits(shape, text):
    limits = shape.metadata
    if not limits.get("min", 0) <= len(text) <= limits.get("max", 1 << 30):
        return False
    try:
        return not limits.get("pattern") or re.fullmatch(limits["pattern"], text, re.S) is not None
    except re.error:  # of another dialect
        return True


def valid(shape):
    """The smallest value that the model allows."""
    kind, limits = shape.type_name, shape.metadata
    if kind == "structure":
        return {name: valid(shape.members[name]) for name in shape.required_members}
    if kind == "list":
        return [valid(shape.member) for _ in range(limits.get("min", 0))]
    if kind == "map":
        return {}
    if kind == "string":
        if shape.enum:
            return shape.enum[0]
        size = max(1, limits.get("min", 1))
        texts = [letter * size for letter in "a0A/"] + ["arn:aws:iam::123456789012:role/r", "$aws/things/a", "A=B", "2020-01-01"]
        return next((text for text in texts if fits(shape, text)), "a" * size)
    if kind in ("integer", "long"):
        return limits.get("min", 1)
    return {"boolean": True, "double": 1.0, "float": 1.0, "timestamp": 1700000000, "blob": b"x"}[kind]


def faults(shape, in_target=False, depth=0):
    """(names of the members down to the fault, a value with exactly one fault)."""
    kind, limits = shape.type_name, shape.metadata
    if depth > DEEPEST:
        return
    if kind == "structure":
        for name, member in shape.members.items():
            place = member.serialization.get("location")
            # A payload's members are the body's own, and a token against repetition is made up by the client.
            if (name in shape.required_members and place != "uri" and name != shape.serialization.get("payload")
                    and not member.metadata.get("idempotencyToken")):
                yield [name], {key: value for key, value in valid(shape).items() if key != name}
            for names, bad in faults(member, place in ("uri", "header"), depth + 1):
                yield [name, *names], {**valid(shape), name: bad}
    elif kind == "list":
        for names, bad in faults(shape.member, in_target, depth + 1):
            yield names, [bad]
        if limits.get("max", 1 << 30) <= 1000:
            yield [], [valid(shape.member)] * (limits["max"] + 1)
        if limits.get("min", 0) > 0:
            yield [], [valid(shape.member)] * (limits["min"] - 1)
    elif kind == "map":
        for names, bad in faults(shape.value, False, depth + 1):
            yield names, {valid(shape.key): bad}
        if shape.key.metadata.get("max", 1 << 30) <= 10000:
            yield [], {"a" * (shape.key.metadata["max"] + 1): valid(shape.value)}
    elif kind == "string":
        if shape.enum:
            yield [], "no-such-value"
            return
        if limits.get("max", 1 << 30) <= 70000 and (not in_target or limits["max"] <= 8000):
            yield [], valid(shape)[:1] * (limits["max"] + 1)
        if limits.get("min", 0) > 1 or (limits.get("min") == 1 and not in_target):
            yield [], valid(shape)[:1] * (limits["min"] - 1)
        odd = next((char for char in ("!", "~", " ") if not fits(shape, char * len(valid(shape)))), None)
        if limits.get("pattern") and odd:
            yield [], odd * len(valid(shape))
    elif kind in ("integer", "long"):
        if "min" in limits:
            yield [], limits["min"] - 1
        if "max" in limits:
            yield [], limits["max"] + 1


def test_each_constraint_of_each_member_is_checked_and_named(fw):
    caller, model = fw.iot, fw.iot.meta.service_model
    lists, seen, wrong = _coverage.model_errors("iot"), 0, []
    for operation in sorted(_coverage.scope()):
        if operation == "UpdateSecurityProfile":  # behaviors are looked at when their profile is there
            caller.create_security_profile(securityProfileName="a")
        shape = model.operation_model(operation).input_shape
        for names, parameters in faults(shape) if shape else ():
            seen += 1
            spellings, at = set(), shape
            for name in names:
                while at.type_name in ("list", "map"):
                    at = at.member if at.type_name == "list" else at.value
                at = at.members[name]
                spellings = {name, at.serialization.get("name", name)}
            told = f"{operation}: {'.'.join(names)} in {str(parameters)[:200]}"
            try:
                answer = caller._make_api_call(operation, parameters)
                faulty = [error["errorMessage"] for error in answer.get("validationErrors", [])]  # its answer tells of faults
                if not any(spelling in text for spelling in spellings for text in faulty):
                    wrong.append(f"{told}: succeeded")
            except botocore.exceptions.ClientError as error:
                code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
                if code not in lists[operation] or not re.match("Invalid|Malformed|CertificateValidation", code):
                    wrong.append(f"{told}: {code}: {text[:200]}")
                elif not any(spelling in text for spelling in spellings):
                    wrong.append(f"{told}: not named: {code}: {text[:200]}")
    print(f"{seen} faults")
    assert not wrong, f"{len(wrong)} of {seen}:\n" + "\n".join(wrong)
    assert seen > 400


@pytest.mark.parametrize("service,code,least", [("iot", "InvalidRequestException", 80), ("iot-data", "InvalidRequestException", 3),
                                                ("sns", "InvalidAction", 20), ("sts", "InvalidAction", 5)])
def test_each_operation_that_is_not_offered_says_so(fw, service, code, least):
    """An administrator's call gets one clear error with the operation's name, and the page lists it."""
    with open(os.path.join(ROOT, "docs", "wire-compatibility.md"), encoding="utf-8") as file:
        page = file.read().split("## Operations", 1)[1].split(f"\n### {service}:", 1)[1].split("\n### ", 1)[0]
    offered = set(re.findall(r"^\| (\w+) \| (?:works|differs) \|", page, re.M))
    rest = set(re.findall(r"\w+", page)) - offered
    caller = fw.client(service)
    model = caller.meta.service_model
    others = sorted(set(model.operation_names) - offered)
    assert len(others) >= least
    if service in _coverage.FAMILIES:
        assert _coverage.scope(service) <= offered
    for name in others:
        assert name in rest, name
        if name in ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"):
            continue  # clients do not sign these, and a call without a signature is not routed (D24)
        shape = model.operation_model(name).input_shape
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            caller._make_api_call(name, valid(shape) if shape else {})
        error = caught.value.response["Error"]
        assert error["Code"] == code and f"{service}:{name}" in error["Message"], (name, error)
