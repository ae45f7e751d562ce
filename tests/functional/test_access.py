"""Access keys, roles, scopes and the operator log, with stock clients. Threats q and r, and D24."""
import glob
import json
import os
import pty
import stat
import subprocess
import time

import botocore.exceptions
import botocore.session
import pytest

from support.paths import FLEETWARD
from support.processes import wait_for

# What a scoped key may call (docs/access.md).
SCOPE_AWARE = {"DescribeEndpoint", "DescribeThing", "ListThingPrincipals", "ListThingsInThingGroup", "DescribeCertificate",
               "UpdateCertificate", "ListActiveViolations", "ListViolationEvents", "ListMetricValues",
               "PutVerificationStateOnViolation"}


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared()


def new_key(fw, role, *groups, more=()):
    """Key and secret, by the command line."""
    path = os.path.join(fw.scratch, f"key-{time.monotonic_ns()}")
    arguments = [a for g in groups for a in ("--group", g)]
    fw.run("keys", "create", "--data", fw.data, "--role", role, "--out", path, *arguments, *more)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path) as file:
        values = dict(line.strip().split(" = ") for line in file if " = " in line)
    return values["aws_access_key_id"], values["aws_secret_access_key"]


def client(fw, key, service="iot"):
    return fw.client(service, key=key[0], secret=key[1])


def denied(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    assert answer["Error"]["Code"] in ("AccessDeniedException", "AuthorizationError"), answer
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    return answer


def keys(fw):
    return {k["accessKeyId"]: k for k in map(json.loads, fw.run("keys", "list", "--data", fw.data, "--json").stdout.splitlines())}


def log(fw, since="1h"):
    out = fw.run("log", "--data", fw.data, "--since", since, "--json").stdout
    return [json.loads(line) for line in out.splitlines()]


def test_roles(fw):
    viewer, operator, admin = (new_key(fw, role) for role in ("viewer", "operator", "admin"))
    for key in (viewer, operator, admin):
        client(fw, key).list_things()
    certificate = fw.certificate()
    denied(client(fw, viewer).update_certificate, certificateId=certificate.id, newStatus="INACTIVE")
    client(fw, operator).update_certificate(certificateId=certificate.id, newStatus="INACTIVE")
    for key in (viewer, operator):
        denied(client(fw, key).create_thing, thingName="t")
        denied(client(fw, key, "sns").create_topic, Name="t")
    client(fw, admin).create_thing(thingName="roles")
    topic = fw.sns.create_topic(Name="roles")["TopicArn"]
    denied(client(fw, viewer, "sns").publish, TopicArn=topic, Message="x")
    client(fw, operator, "sns").publish(TopicArn=topic, Message="x")


def test_life_of_a_key(fw):
    key = new_key(fw, "viewer", more=("--description", "for a test"))
    assert keys(fw)[key[0]]["lastUsed"] is None
    client(fw, key).list_things()
    shown = wait_for(lambda: (keys(fw)[key[0]] if keys(fw)[key[0]]["lastUsed"] else None), 10, "the last use")
    assert shown["role"] == "viewer" and shown["description"] == "for a test" and shown["active"]
    assert key[1] not in json.dumps(shown)

    def refused():
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            client(fw, key).list_things()
        assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"
    fw.run("keys", "disable", key[0], "--data", fw.data)
    refused()
    fw.run("keys", "enable", key[0], "--data", fw.data)
    client(fw, key).list_things()
    out = os.path.join(fw.scratch, "rotated")
    fw.run("keys", "rotate", key[0], "--grace", "2s", "--out", out, "--data", fw.data)
    client(fw, key).list_things()  # still, for two seconds
    time.sleep(2.2)
    refused()
    successor = [k for k in keys(fw).values() if k["description"] == "for a test" and k["accessKeyId"] != key[0]]
    assert len(successor) == 1 and successor[0]["role"] == "viewer"
    fw.run("keys", "delete", key[0], "--data", fw.data)
    assert key[0] not in keys(fw)
    short = new_key(fw, "viewer", more=("--expires", "2s"))
    client(fw, short).list_things()
    time.sleep(2.2)
    with pytest.raises(botocore.exceptions.ClientError):
        client(fw, short).list_things()


def test_the_own_key_rotates_in_place_and_the_last_admin_stays(make):
    fw = make()
    first = fw.credentials()["aws_access_key_id"]
    for action in ("disable", "delete"):
        result = fw.run("keys", action, first, "--data", fw.data, check=False)
        assert result.returncode == 1 and "last admin key" in result.stderr
    fw.run("keys", "rotate", first, "--grace", "0", "--data", fw.data)
    second = fw.credentials()["aws_access_key_id"]
    assert second != first and stat.S_IMODE(os.stat(fw.credentials_file).st_mode) == 0o600
    fw.run("keys", "delete", first, "--data", fw.data)
    fw.stop()
    fw.start()
    assert set(keys(fw)) == {second}


def test_secrets_are_shown_on_a_terminal_only(fw):
    result = fw.run("keys", "create", "--role", "viewer", "--data", fw.data, check=False)
    assert result.returncode == 1 and "--out" in result.stderr and "secret access key" not in result.stdout
    existing = os.path.join(fw.scratch, "there")
    open(existing, "w").close()
    assert fw.run("keys", "create", "--role", "viewer", "--out", existing, "--data", fw.data, check=False).returncode == 1
    before = len(keys(fw))
    master, slave = pty.openpty()
    process = subprocess.Popen([FLEETWARD, "keys", "create", "--role", "viewer", "--data", fw.data], stdout=slave, stderr=slave,
                               env=fw.environment())
    os.close(slave)
    said = b""
    try:
        while chunk := os.read(master, 4096):
            said += chunk
    except OSError:
        pass
    assert process.wait(20) == 0 and b"secret access key" in said and b"not shown again" in said
    assert len(keys(fw)) == before + 1
    for arguments in (("--role", "root"), ("--role", "admin", "--group", "g"), ("--role", "viewer", "--expires", "soon")):
        path = os.path.join(fw.scratch, "never")
        assert fw.run("keys", "create", "--data", fw.data, "--out", path, *arguments, check=False).returncode != 0
        assert not os.path.exists(path)


def minimal(shape, name=""):
    """The smallest value that a shape takes."""
    kind = shape.type_name
    if kind == "structure":
        return {m: minimal(shape.members[m], m) for m in shape.required_members}
    if kind == "list":
        return [minimal(shape.member)]
    if kind == "map":
        return {"k": minimal(shape.value)}
    if kind == "string":
        return shape.enum[0] if shape.enum else "theirs" if "Name" in name else "a" * max(1, shape.metadata.get("min", 1))
    return {"integer": 1, "long": 1, "boolean": True, "double": 1.0, "float": 1.0, "timestamp": 1700000000, "blob": b"x"}[kind]


def walk(fw, key, service):
    """Calls every operation that Fleetward's model has; yields its name and the code of the answer."""
    model = botocore.session.get_session().get_service_model(service)
    caller = client(fw, key, service)
    for name in model.operation_names:
        operation = model.operation_model(name)
        arguments = minimal(operation.input_shape) if operation.input_shape else {}
        try:
            getattr(caller, botocore.xform_name(name))(**arguments)
            yield name, "ok"
        except botocore.exceptions.ClientError as error:
            yield name, error.response["Error"]["Code"]


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_q_a_scoped_key_is_denied_every_operation_that_knows_no_scopes(fw, role):
    """Every operation of the models, one call each, naming what exists outside of the scope."""
    try:
        fw.iot.create_thing_group(thingGroupName="mine")
        fw.iot.create_thing(thingName="theirs")
    except fw.iot.exceptions.ResourceAlreadyExistsException:
        pass
    key = new_key(fw, role, "mine")
    seen = 0
    for service in ("iot", "sns", "iot-data"):
        for name, code in walk(fw, key, service):
            seen += 1
            if name == "DescribeEndpoint":
                assert code == "ok"
            elif name in ("ConfirmSubscription", "Unsubscribe") and service == "sns":
                assert code in ("AuthorizationError",), (name, code)
            else:
                assert code in ("AccessDeniedException", "AuthorizationError"), (service, name, code)
    assert seen > 270, seen


def test_q_a_scoped_key_reaches_its_things_and_nothing_else(fw):
    fw.iot.create_thing_group(thingGroupName="plant")
    fw.iot.create_thing_group(thingGroupName="hall", parentGroupName="plant")
    fw.iot.create_thing_group(thingGroupName="other")
    mine, theirs = fw.thing("pump-mine"), fw.thing("pump-theirs")
    fw.iot.add_thing_to_thing_group(thingGroupName="hall", thingName="pump-mine")
    fw.iot.add_thing_to_thing_group(thingGroupName="other", thingName="pump-theirs")
    operator, viewer = client(fw, new_key(fw, "operator", "plant")), client(fw, new_key(fw, "viewer", "plant"))
    for each in (operator, viewer):
        assert each.describe_thing(thingName="pump-mine")["thingName"] == "pump-mine"
        assert each.list_thing_principals(thingName="pump-mine")["principals"] == [mine.arn]
        assert each.list_things_in_thing_group(thingGroupName="plant", recursive=True)["things"] == ["pump-mine"]
        assert each.describe_certificate(certificateId=mine.id)["certificateDescription"]["status"] == "ACTIVE"
        assert each.list_active_violations(thingName="pump-mine")["activeViolations"] == []
        # The same answer for what exists elsewhere and for what does not exist.
        answers = {denied(each.describe_thing, thingName=name)["Error"]["Message"] for name in ("pump-theirs", "nobody")}
        assert len(answers) == 1
        denied(each.list_thing_principals, thingName="pump-theirs")
        denied(each.list_things_in_thing_group, thingGroupName="other")
        denied(each.describe_certificate, certificateId=theirs.id)
        denied(each.list_active_violations)
        denied(each.list_active_violations, thingName="pump-theirs")
        denied(each.list_violation_events, startTime=0, endTime=1)
        denied(each.list_things)
        denied(each.list_thing_groups)
        denied(each.search_index, queryString="*")
        denied(each.list_tags_for_resource, resourceArn=fw.arn("thinggroup", "plant"))
        denied(each.add_thing_to_thing_group, thingGroupName="plant", thingName="pump-theirs")
        denied(each.update_certificate, certificateId=theirs.id, newStatus="INACTIVE")
        denied(each.put_verification_state_on_violation, violationId="0" * 32, verificationState="TRUE_POSITIVE")
        denied(each.get_policy, policyName=theirs.policy)
    denied(viewer.update_certificate, certificateId=mine.id, newStatus="INACTIVE")
    operator.update_certificate(certificateId=mine.id, newStatus="INACTIVE")
    # A certificate that serves a thing outside as well is out of reach.
    fw.iot.attach_thing_principal(thingName="pump-theirs", principal=mine.arn)
    denied(operator.describe_certificate, certificateId=mine.id)
    # Membership counts as it is now.
    fw.iot.remove_thing_from_thing_group(thingGroupName="hall", thingName="pump-mine")
    denied(operator.describe_thing, thingName="pump-mine")


def test_q_page_tokens_of_another_key(fw):
    fw.iot.create_thing_group(thingGroupName="paged")
    for i in range(3):
        fw.iot.create_thing(thingName=f"paged-{i}")
        fw.iot.add_thing_to_thing_group(thingGroupName="paged", thingName=f"paged-{i}")
    scoped = client(fw, new_key(fw, "viewer", "paged"))
    token = fw.iot.list_things_in_thing_group(thingGroupName="paged", maxResults=1)["nextToken"]
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        scoped.list_things_in_thing_group(thingGroupName="paged", maxResults=1, nextToken=token)
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"
    own = scoped.list_things_in_thing_group(thingGroupName="paged", maxResults=1)["nextToken"]
    assert scoped.list_things_in_thing_group(thingGroupName="paged", maxResults=5, nextToken=own)["things"]


def test_r_a_key_beyond_its_rate_is_throttled(make):
    fw = make({"api.rate_per_key": "5"})
    caller = fw.client("iot")
    caught = None
    for _ in range(60):
        try:
            caller.describe_endpoint()
        except botocore.exceptions.ClientError as error:
            caught = error.response
            break
    assert caught and caught["Error"]["Code"] == "ThrottlingException", caught
    assert caught["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert int(caught["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) >= 1


def test_the_operator_log_has_every_action_in_order(fw):
    viewer = new_key(fw, "viewer")
    name = f"logged-{time.monotonic_ns()}"
    fw.iot.create_thing(thingName=name)
    denied(client(fw, viewer).delete_thing, thingName=name)
    denied(client(fw, new_key(fw, "viewer", "mine")).list_things)
    with pytest.raises(botocore.exceptions.ClientError):
        fw.client("iot", key=viewer[0], secret="wrong" * 8).list_things()
    topic = fw.sns.create_topic(Name=name)["TopicArn"]
    fw.sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="x")
    fw.iot.delete_thing(thingName=name)
    actions = log(fw)
    assert [a["seq"] for a in actions] == list(range(actions[0]["seq"], actions[0]["seq"] + len(actions)))
    assert [a["time"] for a in actions] == sorted(a["time"] for a in actions)
    mine = [a for a in actions if name in a["target"]]
    admin = fw.credentials()["aws_access_key_id"]
    assert [(a["operation"], a["key"], a["status"], a["exception"]) for a in mine] == [
        ("iot:CreateThing", admin, 200, ""), ("iot:DeleteThing", viewer[0], 403, "AccessDeniedException"),
        ("sns:CreateTopic", admin, 200, ""), ("sns:SetTopicAttributes", admin, 200, ""), ("iot:DeleteThing", admin, 200, "")]
    assert mine[0]["role"] == "admin" and mine[0]["from"] == "127.0.0.1" and mine[0]["request"]
    assert any(a["operation"] == "iot:ListThings" and a["exception"] == "AccessDeniedException" for a in actions)
    assert any(a["operation"] == "access:Authenticate" and a["key"] == viewer[0] for a in actions)
    assert any(a["operation"] == "fleetward:keys" and a["target"].startswith("POST") for a in actions)
    text = fw.run("log", "--data", fw.data).stdout
    assert f"POST /things/{name} -> 200" in text
    assert not log(fw, since="0s")
    assert fw.run("log", "--data", fw.data, "--since", "soon", check=False).returncode == 1


def test_the_operator_log_follows_and_survives_a_kill(make):
    fw = make()
    follower = subprocess.Popen([FLEETWARD, "log", "--follow", "--json", "--data", fw.data], stdout=subprocess.PIPE, text=True,
                                env=fw.environment())
    try:
        fw.iot.create_thing(thingName="followed")
        assert "followed" in follower.stdout.readline()
    finally:
        follower.kill()
        follower.wait()
    fw.iot.create_thing(thingName="before-the-kill")
    fw.signal("server", 9)
    fw.wait_ready()
    wait_for(lambda: any("before-the-kill" in a["target"] for a in log(fw)), 30, "the action of before the kill")
    fw.iot.create_thing(thingName="after-the-kill")
    numbers = [a["seq"] for a in log(fw)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_no_secret_is_in_the_log(fw, tmp_path):
    """Whatever is secret or came in a body: it is in no file of the operator log and in no line of the process's log."""
    secrets = []
    key = new_key(fw, "operator")
    secrets.append(key[1])
    secrets.append(fw.credentials()["aws_secret_access_key"])
    made = fw.iot.create_keys_and_certificate(setAsActive=True)
    secrets.append(made["keyPair"]["PrivateKey"].splitlines()[5])
    topic = fw.sns.create_topic(Name="secret")["TopicArn"]
    fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")

    def mail_with(text):
        return wait_for(lambda: next((part for part in [fw.run("mail", "--data", fw.data).stdout] if text in part), None), 10, text)
    token = mail_with("&Token=").split("&Token=")[1].split()[0]
    secrets.append(token)
    fw.sns.confirm_subscription(TopicArn=topic, Token=token)
    fw.sns.publish(TopicArn=topic, Message="body-of-a-message")
    secrets.append("body-of-a-message")
    link = mail_with("Action=Unsubscribe").split("Action=Unsubscribe")[1].split("&Token=")[1].split()[0]
    secrets.append(link)
    with open(os.path.join(fw.data, "secret"), "rb") as file:
        secrets.append(file.read().decode(errors="ignore").strip())
    client(fw, key).list_things()
    files = glob.glob(os.path.join(fw.data, "operator-log", "*.log"))
    assert files
    for path in files:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with open(path) as file:
            text = file.read()
        for secret in secrets:
            assert secret not in text
    for secret in secrets[:4] + secrets[5:]:
        assert secret not in fw.log()
    for secret in secrets:
        assert len(secret) > 10


def test_only_admins_manage_keys_and_read_the_log(fw):
    import urllib.error
    import urllib.request
    import ssl
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    context = ssl.create_default_context(cafile=fw.ca)

    def status(key, method, path, body=None):
        request = AWSRequest(method, fw.endpoint["api"] + path, data=body)
        SigV4Auth(Credentials(*key), "iot", "us-east-1").add_auth(request)
        try:
            return urllib.request.urlopen(urllib.request.Request(request.url, method=method, data=body, headers=dict(request.headers)),
                                          context=context).status
        except urllib.error.HTTPError as error:
            return error.code
    scoped = new_key(fw, "viewer", "mine")
    for key in (new_key(fw, "viewer"), new_key(fw, "operator"), scoped):
        for method, path in (("GET", "keys"), ("POST", "keys"), ("POST", f"keys/{key[0]}/rotate"), ("DELETE", f"keys/{key[0]}"),
                             ("GET", "operator-log"), ("GET", "mails"), ("POST", "provision/x")):
            assert status(key, method, "/fleetward/v1/" + path, b"{}" if method == "POST" else None) == 403, path
    for path in ("status", "things/theirs", "why/theirs", "connections?seconds=9", "connections/theirs?seconds=9", "dead-letters", "things/", "nothing"):
        assert status(scoped, "GET", "/fleetward/v1/" + path) in (403, 404), path
    assert status(scoped, "GET", "/fleetward/v1/status") == 403
    admin = new_key(fw, "admin")
    for body in (b"", b"[]", b"{}", b'{"role": 3}', b'{"role": "viewer", "more": 1}', b'{"role": "viewer", "thingGroups": [1]}'):
        assert status(admin, "POST", "/fleetward/v1/keys", body) == 400, body
    assert status(admin, "POST", "/fleetward/v1/keys/AKFWNOBODY/disable", b"") == 404
