"""RegisterThing: templates, parameters, functions, overrides."""
import json

from . import ABSENT, ANY, count, fails, has, ok
from ._files import request, self_signed

INVALID, FAILED, CONFLICT = ("InvalidRequestException", "ResourceRegistrationFailureException",
                             "ConflictingResourceUpdateException")


def template(thing=None, certificate=None, policy=None, overrides=None, status_override=None, parameters=None, mappings=None):
    resources = {}
    if thing:
        resources["thing"] = {"Type": "AWS::IoT::Thing", "Properties": thing, "OverrideSettings": overrides or {}}
    if certificate:
        resources["certificate"] = {"Type": "AWS::IoT::Certificate", "Properties": certificate,
                                    "OverrideSettings": {"Status": status_override} if status_override else {}}
    if policy:
        resources["policy"] = {"Type": "AWS::IoT::Policy", "Properties": policy}
    body = {"Parameters": {name: {"Type": "String"} for name in parameters or ()}, "Resources": resources}
    body["Parameters"]["Location"] = {"Type": "String", "Default": "WA"}
    if mappings:
        body["Mappings"] = mappings
    return json.dumps(body)


def call(body, **parameters):
    return {"templateBody": body, "parameters": parameters}


def ref(name):
    return {"Ref": name}


def prepare(folder, _):
    return {"csr_a": request(folder, "a"), "csr_b": request(folder, "b"), "pem_c": self_signed(folder, "c")}


FULL = template(
    thing={"ThingName": ref("ThingName"), "ThingTypeName": "bulb", "BillingGroup": "bulbs",
           "AttributePayload": {"version": "v1", "serial": ref("Serial"), "place": ref("Location")},
           "ThingGroups": ["bulbs-v1", ref("Location")]},
    certificate={"CertificateSigningRequest": ref("CSR"), "Status": "ACTIVE"},
    policy={"PolicyName": "bulb-policy", "PolicyDocument": ref("Document")},
    parameters=["ThingName", "Serial", "CSR", "Document"])


def existing(overrides, **properties):
    return template(thing={"ThingName": "bulb-1", **properties}, overrides=overrides)


def broken(**body):
    return {"templateBody": json.dumps(body), "parameters": {}}


STEPS = [
    ok("CreateThingType", {"thingTypeName": "bulb"}),
    ok("CreateThingType", {"thingTypeName": "bulb-2"}),
    ok("CreateBillingGroup", {"billingGroupName": "bulbs"}),
    *[ok("CreateThingGroup", {"thingGroupName": name}) for name in ("bulbs-v1", "WA", "bulbs-v2")],
    ok("RegisterThing", call(FULL, ThingName="bulb-1", Serial="77", CSR="<<csr_a>>", Document="<<document>>"), {
        "certificatePem": has("BEGIN CERTIFICATE"), "resourceArns.thing": "<<arn>>:thing/bulb-1",
        "resourceArns.policy": "<<arn>>:policy/bulb-policy", "resourceArns.certificate": has("<<arn>>:cert/")},
       save={"bulb_cert": "resourceArns.certificate"}),
    ok("DescribeThing", {"thingName": "bulb-1"}, {
        "attributes": {"version": "v1", "serial": "77", "place": "WA"}, "thingTypeName": "bulb", "billingGroupName": "bulbs"}),
    ok("ListThingGroupsForThing", {"thingName": "bulb-1"}, {"thingGroups.0.groupName": "WA", "thingGroups.1.groupName": "bulbs-v1"}),
    ok("ListThingPrincipals", {"thingName": "bulb-1"}, {"principals": ["<<bulb_cert>>"]}),
    ok("ListAttachedPolicies", {"target": "<<bulb_cert>>"}, {"policies.0.policyName": "bulb-policy"}),

    # All or nothing: the certificate of a call that failed behind it is not there.
    ok("ListCertificates", {"pageSize": 1}, save={"last_certificate": "certificates.0.certificateId"}),
    fails(FAILED, "RegisterThing", call(template(
        thing={"ThingName": "bulb-2", "ThingTypeName": "no-such-type"},
        certificate={"CertificateSigningRequest": ref("CSR")}, parameters=["CSR"]), CSR="<<csr_b>>"), says="no-such-type"),
    ok("ListCertificates", {"pageSize": 1}, {"certificates.0.certificateId": "<<last_certificate>>"}),
    fails(FAILED, "RegisterThing", call(template(thing={"ThingName": "bulb-2", "ThingGroups": ["no-such-group"]})), says="no-such-group"),
    fails("ResourceNotFoundException", "DescribeThing", {"thingName": "bulb-2"}),

    # Overrides of what exists.
    ok("RegisterThing", call(existing({}, AttributePayload={"a": "1"}, ThingTypeName="bulb-2", ThingGroups=["bulbs-v2"])),
       {"certificatePem": ABSENT}),
    ok("DescribeThing", {"thingName": "bulb-1"}, {"version": 1}),
    ok("RegisterThing", call(existing({"AttributePayload": "MERGE", "ThingTypeName": "REPLACE", "ThingGroups": "DO_NOTHING"},
                                      AttributePayload={"a": "1"}, ThingTypeName="bulb-2", ThingGroups=["bulbs-v2"]))),
    ok("DescribeThing", {"thingName": "bulb-1"}, {"attributes.a": "1", "attributes.serial": "77", "thingTypeName": "bulb-2"}),
    ok("RegisterThing", call(existing({"AttributePayload": "REPLACE", "ThingGroups": "REPLACE"},
                                      AttributePayload={"b": "2"}, ThingGroups=["bulbs-v2"]))),
    ok("DescribeThing", {"thingName": "bulb-1"}, {"attributes": {"b": "2"}}),
    ok("ListThingGroupsForThing", {"thingName": "bulb-1"}, {"thingGroups": count(1), "thingGroups.0.groupName": "bulbs-v2"}),
    ok("RegisterThing", call(existing({"ThingGroups": "MERGE"}, ThingGroups=["WA"]))),
    ok("ListThingGroupsForThing", {"thingName": "bulb-1"}, {"thingGroups": count(2)}),
    fails(CONFLICT, "RegisterThing", call(existing({"AttributePayload": "FAIL"}, AttributePayload={"c": "3"})), says="bulb-1"),
    fails(CONFLICT, "RegisterThing", call(existing({"ThingTypeName": "FAIL"}, ThingTypeName="bulb")), says="bulb-1"),
    fails(CONFLICT, "RegisterThing", call(existing({"ThingGroups": "FAIL"}, ThingGroups=["WA"])), says="bulb-1"),
    ok("RegisterThing", call(existing({"AttributePayload": "FAIL"}, AttributePayload={"b": "2"}))),

    # Certificates by text and by id; their status.
    ok("RegisterThing", call(template(certificate={"CertificatePem": ref("Pem"), "Status": "Inactive"}, parameters=["Pem"]),
                             Pem="<<pem_c>>"), {"certificatePem": ANY}, save={"c_arn": "resourceArns.certificate"}),
    ok("ListCertificates", {"pageSize": 1}, {"certificates.0.status": "INACTIVE"}, save={"c": "certificates.0.certificateId"}),
    ok("RegisterThing", call(template(certificate={"CertificateId": ref("Id"), "Status": "ACTIVE"}, status_override="DO_NOTHING",
                                      parameters=["Id"]), Id="<<c>>"), {"resourceArns.certificate": "<<c_arn>>"}),
    ok("DescribeCertificate", {"certificateId": "<<c>>"}, {"certificateDescription.status": "INACTIVE"}),
    ok("RegisterThing", call(template(certificate={"CertificateId": ref("Id"), "Status": "ACTIVE"}, status_override="REPLACE",
                                      policy={"PolicyDocument": ref("Document")}, parameters=["Id", "Document"]),
                             Id="<<c>>", Document="<<document>>")),
    ok("DescribeCertificate", {"certificateId": "<<c>>"}, {"certificateDescription.status": "ACTIVE"}),
    fails(CONFLICT, "RegisterThing", call(template(certificate={"CertificateId": ref("Id"), "Status": "INACTIVE"},
                                                   status_override="FAIL", parameters=["Id"]), Id="<<c>>")),
    fails(CONFLICT, "RegisterThing", call(template(
        certificate={"CertificateId": ref("Id")}, policy={"PolicyName": "bulb-policy", "PolicyDocument": ref("Document")},
        parameters=["Id", "Document"]), Id="<<c>>", Document="<<document_2>>"), says="bulb-policy"),
    fails(FAILED, "RegisterThing", call(template(certificate={"CertificateId": "0" * 64})), says="0" * 64),
    fails(FAILED, "RegisterThing", call(template(certificate={"CertificateId": ref("Id")}, policy={"PolicyName": "no-such"},
                                                 parameters=["Id"]), Id="<<c>>"), says="no-such"),

    # Functions.
    ok("RegisterThing", call(template(
        thing={"ThingName": {"Fn::Join": ["-", ["bulb", ref("Number")]]}, "AttributePayload": {
            "sub": {"Fn::Sub": "n${Number}"}, "own": {"Fn::Sub": ["${x}/${Number}", {"x": "v"}]},
            "map": {"Fn::FindInMap": ["Zones", ref("Location"), "zone"]}}},
        parameters=["Number"], mappings={"Zones": {"WA": {"zone": "west"}}}), Number="9"),
       {"resourceArns.thing": "<<arn>>:thing/bulb-9"}),
    ok("DescribeThing", {"thingName": "bulb-9"}, {"attributes": {"sub": "n9", "own": "v/9", "map": "west"}}),
    ok("RegisterThing", call(template(thing={"ThingName": {"Fn::Select": ["1", {"Fn::Split": [",", "a,bulb-10"]}]}})),
       {"resourceArns.thing": "<<arn>>:thing/bulb-10"}),

    # Faults of the template name their place.
    fails(INVALID, "RegisterThing", {"templateBody": "nonsense"}, says="templateBody"),
    fails(INVALID, "RegisterThing", {"templateBody": "[" * 10240}, says="templateBody"),
    fails(INVALID, "RegisterThing", {"templateBody": " " * 10241}, says="templateBody"),
    fails(INVALID, "RegisterThing", broken(Parameters={}), says="Resources"),
    fails(INVALID, "RegisterThing", broken(Resources={"x": {"Type": "AWS::IoT::Role"}}), says="Resources.x"),
    fails(INVALID, "RegisterThing", broken(Resources={"x": {"Type": "AWS::IoT::Thing", "Properties": {"Name": "x"}}}), says="Name is not known"),
    fails(INVALID, "RegisterThing", call(template(thing={"ThingName": ref("Missing")})), says="no parameter Missing"),
    fails(INVALID, "RegisterThing", call(template(thing={"ThingName": ref("Name")}, parameters=["Name"])), says="Name has no value"),
    fails(INVALID, "RegisterThing", call(template(thing={"ThingName": {"Fn::Base64": "x"}})), says="Fn::Base64"),
    fails(INVALID, "RegisterThing", call(template(thing={"ThingName": "x"}, policy={"PolicyName": "x"})), says="needs a certificate"),
    fails(INVALID, "RegisterThing", call(template(thing={"ThingName": "x"}, overrides={"ThingTypeName": "MERGE"})), says="ThingTypeName"),
    fails(INVALID, "RegisterThing", call(template(certificate={"Status": "ACTIVE"})), says="exactly one"),
    fails(FAILED, "RegisterThing", call(template(thing={"ThingName": "no spaces"})), says="no spaces"),

    *[ok("DeleteThing", {"thingName": name}) for name in ("bulb-9", "bulb-10")],
    *[ok("DeleteThingGroup", {"thingGroupName": name}) for name in ("bulbs-v1", "WA", "bulbs-v2")],
    ok("DeleteBillingGroup", {"billingGroupName": "bulbs"}),
]
