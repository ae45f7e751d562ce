"""Named decisions of policies: felt by a device on mutual TLS, and told by TestAuthorization."""
import json
import os
import uuid

import pytest
from cryptography import x509

from support.device import Device, Refused
from support.edge import ROOT
from support.fleetward import document
from support.pki import OwnCa

ARN = "arn:aws:iot:us-east-1:123456789012:"
RESOURCE = {"CONNECT": "client", "PUBLISH": "topic", "SUBSCRIBE": "topicfilter", "RECEIVE": "topic"}


class Case:
    def __init__(self, line):
        fields = [field.strip() for field in line.split(" | ")]
        self.name, policies, request = fields[:3]
        self.live = fields[3]
        self.told = fields[4] if len(fields) > 4 else self.live
        self.policies = [] if policies == "-" else policies.split(",")
        request, _, self.client = request.partition(" as ")
        self.client = self.client or "dev1"
        self.action, _, self.resource = request.partition(" ")
        self.resource, _, self.persistent = self.resource.partition(" persistent")
        self.persistent = request.endswith(" persistent")


def read_cases():
    policies, cases = {}, []
    with open(os.path.join(ROOT, "tests", "data", "policies", "cases.txt")) as file:
        for line in file.read().splitlines():
            if line.startswith("policy "):
                name, _, statements = line[7:].partition(" = ")
                policies[name] = json.dumps({"Version": "2012-10-17",
                                             "Statement": json.loads(statements.replace("@", ARN))})
            elif line and not line.startswith("#"):
                cases.append(Case(line))
    return policies, cases


POLICIES, CASES = read_cases()


def test_the_table_is_large_and_names_are_unique():
    assert len(CASES) >= 100 and len({case.name for case in CASES}) == len(CASES)
    assert {case.action for case in CASES} == set(RESOURCE)
    assert {case.live for case in CASES} == {"ALLOWED", "IMPLICIT_DENY", "EXPLICIT_DENY"}


class World:
    """The device of the table, somebody who publishes, and the policies by name."""

    def __init__(self, fw):
        self.fw, iot = fw, fw.iot
        for name, text in POLICIES.items():
            iot.create_policy(policyName=name, policyDocument=text)
        ca = OwnCa(fw.scratch, "own ca/O=Acme Root")
        ca.register(fw)
        self.device = ca.issue("/C=FR/ST=IDF/O=Acme/OU=lab/OU=floor2/CN=dev1.example/title=a*b/serialNumber=SN-1",
                               "subjectAltName=DNS:dev1.local,email:dev1@example.org,URI:urn:dev:1,IP:192.0.2.9\n")
        made = iot.register_certificate(certificatePem=self.device.text, status="ACTIVE")
        self.device.arn = made["certificateArn"]
        iot.create_thing_type(thingTypeName="sensor")
        iot.create_thing(thingName="dev1", thingTypeName="sensor",
                         attributePayload={"attributes": {"site": "paris", "level": "7"}})
        iot.attach_thing_principal(thingName="dev1", principal=self.device.arn)
        iot.create_thing_group(thingGroupName="plant")
        iot.create_thing_group(thingGroupName="hall", parentGroupName="plant")
        iot.add_thing_to_thing_group(thingGroupName="hall", thingName="dev1")
        # What a case needs to come so far; only the action under test is left to its own policies.
        marker = ("Allow", "iot:Receive", "topic/marker/*")
        self.helpers = {"CONNECT": None}
        for action, statements in (("PUBLISH", [("Allow", "iot:Connect", "*")]),
                                   ("SUBSCRIBE", [("Allow", "iot:Connect", "*")]),
                                   ("RECEIVE", [("Allow", ["iot:Connect", "iot:Subscribe"], "*"), marker])):
            self.helpers[action] = f"helper-{action}"
            iot.create_policy(policyName=self.helpers[action], policyDocument=document(*statements))
        self.sender = Device(fw, fw.thing("sender"), "sender")

    def attachments(self, case):
        for name in case.policies:
            group, _, policy = name.rpartition("/")
            yield policy, self.fw.arn("thinggroup", group) if group else self.device.arn

    def told(self, case):
        """TestAuthorization's decision, with the policies attached."""
        result = self.fw.iot.test_authorization(
            principal=self.device.arn, clientId=case.client,
            authInfos=[{"actionType": case.action, "resources": [f"{ARN}{RESOURCE[case.action]}/{case.resource}"]}])
        answer = result["authResults"][0]
        wanted = {"ALLOWED": answer["allowed"], "EXPLICIT_DENY": answer["denied"]["explicitDeny"]}
        if answer["authDecision"] in wanted:
            assert wanted[answer["authDecision"]]["policies"], (case.name, answer)
        if case.told != case.live:
            assert answer["missingContextValues"], (case.name, answer)
        return answer["authDecision"]

    def live(self, case):
        """Whether the broker lets the device do it."""
        helper = self.helpers[case.action]
        if helper:
            self.fw.iot.attach_policy(policyName=helper, target=self.device.arn)
        try:
            with Device(self.fw, self.device, case.client, clean=not case.persistent) as device:
                return case.action == "CONNECT" or getattr(self, case.action.lower())(device, case)
        except Refused:
            return False
        finally:
            if helper:
                self.fw.iot.detach_policy(policyName=helper, target=self.device.arn)

    def publish(self, device, case):
        return device.publish(case.resource)

    def subscribe(self, device, case):
        return device.subscribe(case.resource) < 0x80

    def receive(self, device, case):
        """Messages of one sender keep their order: a marker behind the message says that it will not come any more."""
        marker = f"marker/{uuid.uuid4().hex}"
        device.subscribe(case.resource)
        device.subscribe(marker)
        self.sender.publish(case.resource, b"case")
        self.sender.publish(marker, b"marker")
        device.wait_message(marker)
        return bool(device.received(case.resource))


@pytest.fixture(scope="module")
def world(make_shared):
    made = World(make_shared())
    yield made
    made.sender.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(world, case):
    for policy, target in world.attachments(case):
        world.fw.iot.attach_policy(policyName=policy, target=target)
    try:
        assert world.told(case) == case.told
        assert world.live(case) == (case.live == "ALLOWED")
    finally:
        for policy, target in world.attachments(case):
            world.fw.iot.detach_policy(policyName=policy, target=target)


# openssl's short name, the policy language's name
NAMES = {"CN": "CommonName", "O": "Organization", "OU": "OrganizationalUnit", "C": "Country", "ST": "State",
         "serialNumber": "SerialNumber", "title": "Title", "SN": "Surname", "GN": "GivenName", "initials": "Initials",
         "pseudonym": "Pseudonym", "generationQualifier": "GenerationQualifier",
         "dnQualifier": "DistinguishedNameQualifier"}
ALTERNATIVE = {"email": ("RFC822Name", "{}@example.org"), "DNS": ("DNSName", "{}.local"), "URI": ("UniformResourceIdentifier", "urn:{}"),
               "IP": ("IPAddress", None), "dirName": ("DirectoryName", "CN={}-dir")}


def test_every_variable_of_a_certificate(world):
    """A certificate with a value for each variable, of its own and of its issuer's: each is substituted at the broker and in
    TestAuthorization, and nothing else passes."""
    fw = world.fw

    def distinguished(who):
        return "".join(f"/{short}={'DE' if short == 'C' else f'{who}-{short}'}" for short in NAMES)

    def alternative(who, address):
        values = {kind: address if value is None else value.format(who) for kind, (_, value) in ALTERNATIVE.items()}
        lines = [f"{kind}.1={f'{who}_dir' if kind == 'dirName' else value}" for kind, value in values.items()]
        return values, "\n".join(lines) + f"\n[{who}_dir]\nCN={who}-dir\n"
    own, own_lines = alternative("subject", "192.0.2.7")
    issuing, issuing_lines = alternative("issuer", "2001:db8::1")
    ca = OwnCa(fw.scratch, "issuer-CN" + distinguished("issuer").removeprefix("/CN=issuer-CN"))
    ca.register(fw)
    device = ca.issue(distinguished("subject"), "subjectAltName=@own\nissuerAltName=@issuing\n"
                      f"[own]\n{own_lines}[issuing]\n{issuing_lines}")
    made = fw.iot.register_certificate(certificatePem=device.text, status="ACTIVE")
    serial = f"{x509.load_pem_x509_certificate(device.text.encode()).serial_number:x}"
    wanted = {"iot:CertificateId": made["certificateId"], "iot:Certificate.SerialNumber": serial}
    for who, alternatives in (("Subject", own), ("Issuer", issuing)):
        for short, name in NAMES.items():
            wanted[f"iot:Certificate.{who}.{name}"] = "DE" if short == "C" else f"{who.lower()}-{short}"
        for kind, value in alternatives.items():
            wanted[f"iot:Certificate.{who}.AlternativeName.{ALTERNATIVE[kind][0]}"] = value
    assert len(wanted) == 2 + 2 * (13 + 5)
    variables = sorted(wanted)
    for number in range(0, len(variables), 10):
        resources = [f"topic/{name.rpartition(':')[2]}/${{{name}}}" for name in variables[number:number + 10]]
        policy = f"every-variable-{number}"
        fw.iot.create_policy(policyName=policy, policyDocument=document(("Allow", "iot:Publish", resources),
                                                                        ("Allow", "iot:Connect", "client/every")))
        fw.iot.attach_policy(policyName=policy, target=made["certificateArn"])

    def told(topics):
        answer = fw.iot.test_authorization(principal=made["certificateArn"], clientId="every", authInfos=[
            {"actionType": "PUBLISH", "resources": [f"{ARN}topic/{topic}"]} for topic in topics])
        return {topic: each["authDecision"] for topic, each in zip(topics, answer["authResults"])}
    topics = [f"{name.rpartition(':')[2]}/{wanted[name]}" for name in variables]
    for first in range(0, len(topics), 10):  # ten in one call
        some = topics[first:first + 10]
        assert told(some) == dict.fromkeys(some, "ALLOWED")
        others = [topic + "x" for topic in some]
        assert told(others) == dict.fromkeys(others, "IMPLICIT_DENY")
    with Device(fw, device, "every") as client:
        for topic in topics:
            assert client.publish(topic), topic
        assert not client.publish(topics[0] + "x")


def fails(name, call, **arguments):
    from botocore.exceptions import ClientError
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == name, caught.value


def test_authorization_through_the_api(world):
    iot, arn = world.fw.iot, world.device.arn
    publish = [{"actionType": "PUBLISH", "resources": [ARN + "topic/a"]}]
    plain = dict(principal=arn, authInfos=publish)
    assert iot.test_authorization(**plain)["authResults"][0]["authDecision"] == "IMPLICIT_DENY"
    added = iot.test_authorization(**plain, policyNamesToAdd=["all"])["authResults"][0]
    assert added["authDecision"] == "ALLOWED" and added["authInfo"] == publish[0]
    assert [p["policyName"] for p in added["allowed"]["policies"]] == ["all"]
    iot.attach_policy(policyName="all", target=arn)
    try:
        skipped = iot.test_authorization(**plain, policyNamesToSkip=["all"])["authResults"][0]
        assert skipped["authDecision"] == "IMPLICIT_DENY"
        both = iot.test_authorization(**plain, policyNamesToAdd=["pub-deny"])["authResults"][0]
        assert both["authDecision"] == "ALLOWED"
        assert [p["policyName"] for p in both["denied"]["implicitDeny"]["policies"]] == ["pub-deny"]
        # Several resources: the worst of them; several entries: an answer each, in order.
        many = iot.test_authorization(
            principal=arn, policyNamesToAdd=["pub-deny"], clientId="dev1",
            authInfos=[{"actionType": "PUBLISH", "resources": [ARN + "topic/a", ARN + "topic/b/x"]},
                       {"actionType": "CONNECT", "resources": [ARN + "client/dev1"]}])["authResults"]
        assert [each["authDecision"] for each in many] == ["EXPLICIT_DENY", "ALLOWED"]
        assert [p["policyName"] for p in many[0]["denied"]["explicitDeny"]["policies"]] == ["pub-deny"]
    finally:
        iot.detach_policy(policyName="all", target=arn)
    missing = iot.test_authorization(**plain, policyNamesToAdd=["c-ip"])["authResults"][0]
    assert missing["missingContextValues"] == ["aws:SourceIp"]
    group = world.fw.arn("thinggroup", "hall")
    iot.attach_policy(policyName="pub", target=world.fw.arn("thinggroup", "plant"))
    try:
        assert iot.test_authorization(principal=group, authInfos=publish)["authResults"][0]["authDecision"] == "ALLOWED"
        effective = iot.get_effective_policies(principal=arn, thingName="dev1")["effectivePolicies"]
        assert [p["policyName"] for p in effective] == ["pub"] and json.loads(effective[0]["policyDocument"])
        assert iot.get_effective_policies(principal=group)["effectivePolicies"] == effective
        assert iot.get_effective_policies(principal=arn)["effectivePolicies"] == []
    finally:
        iot.detach_policy(policyName="pub", target=world.fw.arn("thinggroup", "plant"))
    assert iot.test_authorization(authInfos=publish, policyNamesToAdd=["all"])["authResults"][0]["authDecision"] == "ALLOWED"
    fails("ResourceNotFoundException", iot.test_authorization, **plain, policyNamesToAdd=["no such policy"[:2]])
    fails("ResourceNotFoundException", iot.test_authorization, principal=world.fw.arn("cert", "0" * 64),
          authInfos=publish)
    fails("InvalidRequestException", iot.test_authorization, principal="no arn", authInfos=publish)
    fails("InvalidRequestException", iot.test_authorization, principal=arn, authInfos=[])
    fails("InvalidRequestException", iot.test_authorization, principal=arn,
          authInfos=[{"resources": [ARN + "topic/a"]}])
    fails("InvalidRequestException", iot.test_authorization, **plain, cognitoIdentityPoolId="pool")
    fails("InvalidRequestException", iot.get_effective_policies)
    fails("ResourceNotFoundException", iot.get_effective_policies, thingName="nobody")
