"""Runs the tour's steps against a client."""
import json
import pathlib
import re
import time

import botocore.exceptions


class Mismatch(AssertionError):
    pass


def fill(value, variables):
    """`value` with <<name>> replaced wherever it stands in a text."""
    if isinstance(value, str):
        return re.sub(r"<<(\w+)>>", lambda match: variables[match.group(1)], value)
    if isinstance(value, list):
        return [fill(item, variables) for item in value]
    if isinstance(value, dict):
        return {fill(key, variables): fill(item, variables) for key, item in value.items()}
    return value


MISSING = object()


def look_up(answer, path):
    for part in path.split("."):
        if isinstance(answer, list):
            answer = answer[int(part)] if part.isdigit() and int(part) < len(answer) else MISSING
        elif isinstance(answer, dict):
            answer = answer.get(part, MISSING)
        else:
            return MISSING
    return answer


def matches(found, wanted):
    if not isinstance(wanted, dict):
        return found == wanted
    if wanted == {"is": "present"}:
        return found is not MISSING and found is not None
    if wanted == {"is": "absent"}:
        return found is MISSING or found is None
    if "has" in wanted:
        return found is not MISSING and wanted["has"] in found
    if "count" in wanted:
        return found is not MISSING and len(found) == wanted["count"]
    return found == wanted


def check(step, answer, variables):
    for path, wanted in fill(step["expect"], variables).items():
        found = look_up(answer, path)
        if not matches(found, wanted):
            shown = "nothing" if found is MISSING else found
            raise Mismatch(f"{step['name']}: {path} is {shown!r}, not {wanted!r}, in {answer}")
    for name, path in step["save"].items():
        found = look_up(answer, path)
        if found is MISSING:
            raise Mismatch(f"{step['name']}: no {path} in {answer}")
        variables[name] = found


class Failed(Exception):
    """A client's error answer."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def by_boto3(client):
    """A `call` for run()."""
    shapes = client.meta.service_model

    def call(operation, parameters):
        try:
            answer = client._make_api_call(operation, parameters)
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            shape = shapes.shape_for_error_code(code)  # "NotFound" is of NotFoundException
            raise Failed(shape.name if shape else code, error.response["Error"]["Message"]) from None
        answer.pop("ResponseMetadata")
        return answer
    return call


def run(call, tour, errors=True):
    """Every step of the tour; `call(operation, parameters)` gives the answer or raises Failed. Without `errors` only the
    happy path. Returns what was seen: {operation: {"ok" or exception}}. Goes on behind a step that is not as it should be,
    and tells of all at the end."""
    variables, seen, faults = dict(tour["variables"]), {}, []
    for step in tour["steps"]:
        if step["error"] and not errors:
            continue
        try:
            outcome = patiently(call, step, variables)
            if step["operation"]:
                seen.setdefault(step["operation"], set()).add(outcome)
        except (Mismatch, KeyError) as fault:
            faults.append(str(fault))
    if faults:
        raise Mismatch("\n".join(faults))
    return seen


def patiently(call, step, variables):
    deadline = time.monotonic() + step["within"]
    while True:
        try:
            return one(call, step, variables)
        except Mismatch:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def one(call, step, variables):
    if not step["operation"]:
        path = pathlib.Path(fill(step["file"], variables))
        if not path.exists():
            raise Mismatch(f"{step['name']}: nothing arrived")
        check(step, json.loads(path.read_text()), variables)
        return "ok"
    try:
        answer = call(step["operation"], fill(step["parameters"], variables))
    except Failed as failed:
        if step["error"] != failed.code or fill(step["says"], variables) not in failed.message:
            raise Mismatch(f"{step['name']}: {failed}, not {step['error'] or 'success'} {step['says']}") from None
        return failed.code
    if step["error"]:
        raise Mismatch(f"{step['name']}: succeeded, not {step['error']}: {answer}")
    check(step, answer, variables)
    return "ok"
