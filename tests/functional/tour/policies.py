"""Policies: documents, versions, attachments."""
import json

from . import ABSENT, ANY, ARN, count, fails, has, ok

SETTINGS = {"quota.policy_versions": "3", "quota.policies_per_principal": "3", "quota.policies_per_group": "1",
            "quota.policy_characters": "500"}

INVALID, MISSING, EXISTS = "InvalidRequestException", "ResourceNotFoundException", "ResourceAlreadyExistsException"
LIMIT, MALFORMED, CONFLICT = "LimitExceededException", "MalformedPolicyException", "DeleteConflictException"
UNKNOWN = "<<arn>>:cert/" + "0" * 64


def document(client):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"{ARN}:client/{client}"}]})


def prepare(*_):
    return {"document": document("*"), "document_2": document("x"), "document_long": document("x" * 500)}


P = {"policyName": "p"}

STEPS = [
    ok("CreatePolicy", {**P, "policyDocument": "<<document>>"}, {
        "policyName": "p", "policyArn": "<<arn>>:policy/p", "policyDocument": "<<document>>", "policyVersionId": "1"}),
    ok("CreatePolicy", {**P, "policyDocument": "<<document>>"}, {"policyVersionId": "1"}),
    fails(EXISTS, "CreatePolicy", {**P, "policyDocument": "<<document_2>>"}, says="name=p"),
    fails(MALFORMED, "CreatePolicy", {"policyName": "q", "policyDocument": "{}"}),
    fails(MALFORMED, "CreatePolicy", {"policyName": "q", "policyDocument": "<<document_long>>"}, says="the limit is 500"),
    fails(INVALID, "CreatePolicy", {"policyName": "no spaces", "policyDocument": "<<document>>"}, says="policyName"),
    ok("GetPolicy", P, {"policyName": "p", "policyArn": "<<arn>>:policy/p", "policyDocument": "<<document>>",
                        "defaultVersionId": "1", "creationDate": ANY, "lastModifiedDate": ANY, "generationId": ANY}),
    fails(MISSING, "GetPolicy", {"policyName": "nothing"}, says="nothing"),
    fails(INVALID, "GetPolicy", {"policyName": "no spaces"}, says="policyName"),
    ok("CreatePolicy", {"policyName": "p2", "policyDocument": "<<document>>"}),
    ok("ListPolicies", {"ascendingOrder": True}, {"policies": has({"policyName": "p", "policyArn": "<<arn>>:policy/p"})}),
    ok("ListPolicies", {"pageSize": 1}, {"policies.0.policyName": "p2"}, save={"policies": "nextMarker"}),
    ok("ListPolicies", {"pageSize": 1, "marker": "<<policies>>"}, {"policies": count(1), "policies.0.policyName": "p"}),
    fails(INVALID, "ListPolicies", {"pageSize": 0}, says="pageSize"),

    ok("CreatePolicyVersion", {**P, "policyDocument": "<<document_2>>"}, {"policyVersionId": "2", "isDefaultVersion": False,
                                                                          "policyArn": "<<arn>>:policy/p"}),
    ok("CreatePolicyVersion", {**P, "policyDocument": "<<document_2>>", "setAsDefault": True},
       {"policyVersionId": "3", "isDefaultVersion": True}),
    fails("VersionsLimitExceededException", "CreatePolicyVersion", {**P, "policyDocument": "<<document>>"},
          says="maximum number of versions (3)"),
    fails(MALFORMED, "CreatePolicyVersion", {**P, "policyDocument": "[]"}),
    fails(MISSING, "CreatePolicyVersion", {"policyName": "nothing", "policyDocument": "<<document>>"}, says="nothing"),
    fails(INVALID, "CreatePolicyVersion", {"policyName": "no spaces", "policyDocument": "<<document>>"}, says="policyName"),
    ok("GetPolicyVersion", {**P, "policyVersionId": "1"}, {"policyDocument": "<<document>>", "isDefaultVersion": False,
                                                           "policyName": "p", "creationDate": ANY}),
    fails(MISSING, "GetPolicyVersion", {**P, "policyVersionId": "9"}, says="p:9"),
    fails(INVALID, "GetPolicyVersion", {**P, "policyVersionId": "x"}, says="policyVersionId"),
    ok("ListPolicyVersions", P, {"policyVersions": count(3), "policyVersions.0.versionId": "3",
                                 "policyVersions.0.isDefaultVersion": True, "policyVersions.2.versionId": "1"}),
    fails(MISSING, "ListPolicyVersions", {"policyName": "nothing"}, says="nothing"),
    fails(INVALID, "ListPolicyVersions", {"policyName": "no spaces"}, says="policyName"),
    ok("SetDefaultPolicyVersion", {**P, "policyVersionId": "1"}),
    ok("GetPolicy", P, {"defaultVersionId": "1", "policyDocument": "<<document>>"}),
    fails(MISSING, "SetDefaultPolicyVersion", {**P, "policyVersionId": "9"}, says="p:9"),
    fails(INVALID, "SetDefaultPolicyVersion", {**P, "policyVersionId": "x"}, says="policyVersionId"),
    fails(CONFLICT, "DeletePolicyVersion", {**P, "policyVersionId": "1"}, says="default version"),
    fails(MISSING, "DeletePolicyVersion", {**P, "policyVersionId": "9"}, says="p:9"),
    fails(INVALID, "DeletePolicyVersion", {**P, "policyVersionId": "x"}, says="policyVersionId"),
    ok("DeletePolicyVersion", {**P, "policyVersionId": "2"}),
    ok("CreatePolicyVersion", {**P, "policyDocument": "<<document_2>>"}, {"policyVersionId": "4"}),

    # Both families of attachments.
    ok("CreateKeysAndCertificate", {}, save={"principal": "certificateArn", "principal_id": "certificateId"}),
    ok("CreateThingGroup", {"thingGroupName": "policy-root"}),
    ok("CreateThingGroup", {"thingGroupName": "policy-leaf", "parentGroupName": "policy-root"}),
    ok("AttachPolicy", {**P, "target": "<<principal>>"}),
    ok("AttachPolicy", {**P, "target": "<<principal>>"}),
    ok("AttachPolicy", {**P, "target": "<<arn>>:thinggroup/policy-leaf"}),
    ok("AttachPolicy", {"policyName": "p2", "target": "<<arn>>:thinggroup/policy-root"}),
    fails(LIMIT, "AttachPolicy", {"policyName": "p2", "target": "<<arn>>:thinggroup/policy-leaf"}, says="(1)"),
    fails(MISSING, "AttachPolicy", {"policyName": "nothing", "target": "<<principal>>"}, says="nothing"),
    fails(MISSING, "AttachPolicy", {**P, "target": UNKNOWN}, says="certificate"),
    fails(INVALID, "AttachPolicy", {**P, "target": "<<arn>>:thing/x"}, says="target"),
    ok("CreatePolicy", {"policyName": "p3", "policyDocument": "<<document>>"}),
    ok("CreatePolicy", {"policyName": "p4", "policyDocument": "<<document>>"}),
    ok("AttachPrincipalPolicy", {"policyName": "p2", "principal": "<<principal>>"}),
    ok("AttachPrincipalPolicy", {"policyName": "p3", "principal": "<<principal>>"}),
    fails(LIMIT, "AttachPrincipalPolicy", {"policyName": "p4", "principal": "<<principal>>"}, says="(3)"),
    fails(MISSING, "AttachPrincipalPolicy", {"policyName": "nothing", "principal": "<<principal>>"}, says="nothing"),
    fails(INVALID, "AttachPrincipalPolicy", {**P, "principal": "nonsense"}, says="nonsense"),

    ok("ListAttachedPolicies", {"target": "<<principal>>"}, {"policies": count(3), "policies.0": {
        "policyName": "p", "policyArn": "<<arn>>:policy/p"}, "nextMarker": ABSENT}),
    ok("ListAttachedPolicies", {"target": "<<arn>>:thinggroup/policy-leaf"}, {"policies": count(1)}),
    ok("ListAttachedPolicies", {"target": "<<arn>>:thinggroup/policy-leaf", "recursive": True}, {"policies": count(2)}),
    ok("ListAttachedPolicies", {"target": "<<principal>>", "pageSize": 2}, {"policies": count(2)}, save={"attached": "nextMarker"}),
    ok("ListAttachedPolicies", {"target": "<<principal>>", "pageSize": 2, "marker": "<<attached>>"},
       {"policies": count(1), "policies.0.policyName": "p3"}),
    fails(MISSING, "ListAttachedPolicies", {"target": UNKNOWN}, says="certificate"),
    fails(INVALID, "ListAttachedPolicies", {"target": "nonsense"}, says="target"),
    ok("ListTargetsForPolicy", P, {"targets": ["<<principal>>", "<<arn>>:thinggroup/policy-leaf"]}),
    fails(MISSING, "ListTargetsForPolicy", {"policyName": "nothing"}, says="nothing"),
    fails(INVALID, "ListTargetsForPolicy", {**P, "pageSize": 251}, says="pageSize"),
    ok("ListPrincipalPolicies", {"principal": "<<principal>>", "ascendingOrder": True}, {
        "policies": count(3), "policies.0.policyName": "p"}),
    fails(MISSING, "ListPrincipalPolicies", {"principal": UNKNOWN}, says="certificate"),
    fails(INVALID, "ListPrincipalPolicies", {"principal": "nonsense"}, says="nonsense"),
    ok("ListPolicyPrincipals", P, {"principals": ["<<principal>>"]}),
    fails(MISSING, "ListPolicyPrincipals", {"policyName": "nothing"}, says="nothing"),
    fails(INVALID, "ListPolicyPrincipals", {"policyName": "no spaces"}, says="x-amzn-iot-policy"),

    ok("TestAuthorization", {"principal": "<<principal>>", "clientId": "x", "authInfos": [
        {"actionType": "CONNECT", "resources": ["<<arn>>:client/x"]}, {"actionType": "PUBLISH", "resources": ["<<arn>>:topic/t"]}]},
       {"authResults.0.authDecision": "ALLOWED", "authResults.1.authDecision": "IMPLICIT_DENY"}),
    fails(MISSING, "TestAuthorization", {"principal": UNKNOWN, "authInfos": [
        {"actionType": "CONNECT", "resources": ["<<arn>>:client/x"]}]}, says="certificate"),
    fails(INVALID, "TestAuthorization", {"principal": "<<principal>>", "authInfos": [{"resources": ["<<arn>>:client/x"]}]},
          says="actionType"),
    ok("CreateThing", {"thingName": "policed"}),
    ok("AddThingToThingGroup", {"thingGroupName": "policy-leaf", "thingName": "policed"}),
    ok("GetEffectivePolicies", {"thingName": "policed"}, {"effectivePolicies": count(2), "effectivePolicies.0": {
        "policyName": "p", "policyArn": "<<arn>>:policy/p", "policyDocument": "<<document>>"}}),
    ok("GetEffectivePolicies", {"principal": "<<principal>>", "thingName": "policed"}, {"effectivePolicies": count(3)}),
    fails(MISSING, "GetEffectivePolicies", {"thingName": "nobody"}, says="nobody"),
    fails(MISSING, "GetEffectivePolicies", {"principal": UNKNOWN}, says="certificate"),
    fails(INVALID, "GetEffectivePolicies", {"principal": "nonsense"}, says="nonsense"),

    fails(CONFLICT, "DeletePolicy", P, says="attached to one or more principals"),
    ok("DetachPolicy", {**P, "target": "<<arn>>:thinggroup/policy-leaf"}),
    ok("DetachPolicy", {**P, "target": "<<arn>>:thinggroup/policy-leaf"}),
    fails(INVALID, "DetachPolicy", {**P, "target": "nonsense"}, says="target"),
    ok("DetachPrincipalPolicy", {**P, "principal": "<<principal>>"}),
    ok("DetachPrincipalPolicy", {**P, "principal": "<<principal>>"}),
    fails(INVALID, "DetachPrincipalPolicy", {**P, "principal": "nonsense"}, says="nonsense"),
    fails(CONFLICT, "DeletePolicy", P, says="policy versions"),
    ok("DeletePolicyVersion", {**P, "policyVersionId": "3"}),
    ok("DeletePolicyVersion", {**P, "policyVersionId": "4"}),
    ok("DeletePolicy", P),
    fails(MISSING, "DeletePolicy", P, says="p"),
    fails(INVALID, "DeletePolicy", {"policyName": "no spaces"}, says="policyName"),
    ok("DeleteThingGroup", {"thingGroupName": "policy-leaf"}),
    ok("DeleteThingGroup", {"thingGroupName": "policy-root"}),
    ok("DeleteCertificate", {"certificateId": "<<principal_id>>", "forceDelete": True}),
    *[ok("DeletePolicy", {"policyName": name}) for name in ("p2", "p3", "p4")],
    ok("DeleteThing", {"thingName": "policed"}),
]
