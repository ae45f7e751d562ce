"""Things, and the certificates attached to them."""
from . import ABSENT, ANY, count, fails, has, ok

SETTINGS = {"quota.attributes_without_type": "3", "quota.attributes_with_type": "5", "quota.principals_per_thing": "2"}

INVALID, MISSING, EXISTS = "InvalidRequestException", "ResourceNotFoundException", "ResourceAlreadyExistsException"
LAMP = {"thingName": "lamp"}
NORTH = {"attributes": {"site": "north"}}


def attributes(number):
    return {"attributes": {f"a{i}": str(i) for i in range(number)}}


STEPS = [
    ok("CreateThing", {**LAMP, "attributePayload": NORTH}, {"thingName": "lamp", "thingArn": "<<arn>>:thing/lamp"},
       save={"lamp": "thingId"}),
    ok("CreateThing", {**LAMP, "attributePayload": NORTH}, {"thingId": "<<lamp>>"}),
    fails(EXISTS, "CreateThing", LAMP, says="lamp already exists"),
    fails(INVALID, "CreateThing", {"thingName": "no spaces"}, says="thingName"),
    fails(INVALID, "CreateThing", {"thingName": "x" * 129}, says="length less than or equal to 128"),
    fails(INVALID, "CreateThing", {"thingName": "many", "attributePayload": attributes(4)}, says="more than the 3 allowed"),
    fails(INVALID, "CreateThing", {"thingName": "odd", "attributePayload": {"attributes": {"a b": "x"}}}, says="attributePayload"),
    fails(INVALID, "CreateThing", {"thingName": "odd", "attributePayload": {"attributes": {"a": "x" * 801}}}, says="attributePayload"),
    fails(MISSING, "CreateThing", {"thingName": "typed", "thingTypeName": "no-such-type"}, says="no-such-type"),
    fails(MISSING, "CreateThing", {"thingName": "billed", "billingGroupName": "no-such-bill"}, says="no-such-bill"),
    ok("DescribeThing", LAMP, {
        "defaultClientId": "lamp", "thingName": "lamp", "thingId": "<<lamp>>", "thingArn": "<<arn>>:thing/lamp",
        "thingTypeName": ABSENT, "attributes": {"site": "north"}, "version": 1, "billingGroupName": ABSENT}),
    fails(MISSING, "DescribeThing", {"thingName": "nobody"}, says="nobody"),
    fails(INVALID, "DescribeThing", {"thingName": "no spaces"}, says="thingName"),

    # The attributes: merged, replaced, removed; none of it without the expected version.
    ok("UpdateThing", {**LAMP, "attributePayload": {"attributes": {"floor": "2"}, "merge": True}, "expectedVersion": 1}),
    ok("DescribeThing", LAMP, {"attributes": {"site": "north", "floor": "2"}, "version": 2}),
    ok("UpdateThing", {**LAMP, "attributePayload": {"attributes": {"site": ""}, "merge": True}}),
    ok("DescribeThing", LAMP, {"attributes": {"floor": "2"}, "version": 3}),
    ok("UpdateThing", {**LAMP, "attributePayload": {"attributes": {"room": "7"}}}),
    ok("DescribeThing", LAMP, {"attributes": {"room": "7"}, "version": 4}),
    fails("VersionConflictException", "UpdateThing", {**LAMP, "attributePayload": NORTH, "expectedVersion": 1},
          says="does not match the expected version"),
    fails(INVALID, "UpdateThing", {**LAMP, "attributePayload": attributes(4)}, says="more than the 3 allowed"),
    fails(INVALID, "UpdateThing", {**LAMP, "thingTypeName": "x", "removeThingType": True}, says="removeThingType"),
    fails(MISSING, "UpdateThing", {"thingName": "nobody"}, says="nobody"),
    fails(MISSING, "UpdateThing", {**LAMP, "thingTypeName": "no-such-type"}, says="no-such-type"),
    ok("DescribeThing", LAMP, {"attributes": {"room": "7"}, "version": 4}),
    ok("CreateThingType", {"thingTypeName": "lamp-type"}),
    ok("UpdateThing", {**LAMP, "thingTypeName": "lamp-type", "attributePayload": attributes(5)}),
    ok("DescribeThing", LAMP, {"thingTypeName": "lamp-type", "attributes": attributes(5)["attributes"]}),
    fails(INVALID, "UpdateThing", {**LAMP, "attributePayload": attributes(6)}, says="more than the 5 allowed"),
    fails(INVALID, "UpdateThing", {**LAMP, "removeThingType": True}, says="more than the 3 allowed"),
    ok("UpdateThing", {**LAMP, "removeThingType": True, "attributePayload": {"attributes": {}}}),
    ok("DescribeThing", LAMP, {"thingTypeName": ABSENT, "version": 6}),

    # Lists and their filters.
    ok("CreateThing", {"thingName": "list-1", "thingTypeName": "lamp-type", "attributePayload": {"attributes": {"row": "a1"}}}),
    ok("CreateThing", {"thingName": "list-2", "attributePayload": {"attributes": {"row": "a2"}}}),
    ok("CreateThing", {"thingName": "list-3", "thingTypeName": "lamp-type", "attributePayload": {"attributes": {"row": "b"}}}),
    ok("ListThings", {"attributeName": "row"}, {"things": count(3), "things.0": {
        "thingName": "list-1", "thingArn": "<<arn>>:thing/list-1", "thingTypeName": "lamp-type",
        "attributes": {"row": "a1"}, "version": 1}, "nextToken": ABSENT}),
    ok("ListThings", {"attributeName": "row", "attributeValue": "a2"}, {"things": count(1), "things.0.thingName": "list-2"}),
    ok("ListThings", {"attributeName": "row", "attributeValue": "a", "usePrefixAttributeValue": True}, {"things": count(2)}),
    ok("ListThings", {"attributeName": "row", "attributeValue": "a", "usePrefixAttributeValue": False}, {"things": count(0)}),
    ok("ListThings", {"thingTypeName": "lamp-type"}, {"things": count(2), "things.1.thingName": "list-3"}),
    ok("ListThings", {"thingTypeName": "lamp-type", "attributeName": "row", "attributeValue": "b"},
       {"things": count(1), "things.0.thingName": "list-3"}),
    ok("ListThings", {"attributeName": "row", "maxResults": 2}, {"things": count(2)}, save={"more": "nextToken"}),
    ok("ListThings", {"attributeName": "row", "maxResults": 2, "nextToken": "<<more>>"},
       {"things": count(1), "things.0.thingName": "list-3", "nextToken": ABSENT}),
    fails(INVALID, "ListThings", {"attributeName": "site", "nextToken": "<<more>>"}, says="page token"),
    fails(INVALID, "ListThings", {"nextToken": "bm9uc2Vuc2U="}, says="page token"),
    fails(INVALID, "ListThings", {"maxResults": 251}, says="maxResults"),
    fails(INVALID, "ListThings", {"attributeValue": "x"}, says="attributeName"),

    # Certificates.
    ok("CreateKeysAndCertificate", {"setAsActive": True}, {"keyPair.PrivateKey": has("PRIVATE KEY"), "certificateId": ANY},
       save={"lamp_cert": "certificateArn", "lamp_cert_id": "certificateId"}),
    ok("CreateKeysAndCertificate", {}, save={"cert_2": "certificateArn"}),
    ok("CreateKeysAndCertificate", {}, save={"cert_3": "certificateArn", "cert_3_id": "certificateId"}),
    ok("AttachThingPrincipal", {**LAMP, "principal": "<<lamp_cert>>"}),
    ok("AttachThingPrincipal", {**LAMP, "principal": "<<lamp_cert>>"}),
    ok("AttachThingPrincipal", {"thingName": "list-1", "principal": "<<lamp_cert>>"}),
    ok("AttachThingPrincipal", {**LAMP, "principal": "<<cert_2>>"}),
    fails(INVALID, "AttachThingPrincipal", {**LAMP, "principal": "<<cert_3>>"}, says="already has 2 principals"),
    fails(INVALID, "AttachThingPrincipal", {**LAMP, "principal": "<<arn>>:thing/lamp"}, says="ARN of a certificate"),
    fails(MISSING, "AttachThingPrincipal", {"thingName": "nobody", "principal": "<<lamp_cert>>"}, says="nobody"),
    fails(MISSING, "AttachThingPrincipal", {**LAMP, "principal": "<<arn>>:cert/" + "0" * 64}, says="certificate"),
    ok("ListThingPrincipals", LAMP, {"principals": has("<<lamp_cert>>")}),
    ok("ListThingPrincipals", {**LAMP, "maxResults": 1}, {"principals": count(1), "nextToken": ANY}),
    fails(MISSING, "ListThingPrincipals", {"thingName": "nobody"}, says="nobody"),
    fails(INVALID, "ListThingPrincipals", {**LAMP, "maxResults": 0}, says="maxResults"),
    ok("ListPrincipalThings", {"principal": "<<lamp_cert>>"}, {"things": ["lamp", "list-1"], "nextToken": ABSENT}),
    fails(MISSING, "ListPrincipalThings", {"principal": "<<arn>>:cert/" + "0" * 64}, says="certificate"),
    fails(INVALID, "ListPrincipalThings", {"principal": "nonsense"}, says="principal"),
    fails(INVALID, "DeleteThing", LAMP, says="still attached to one or more principals"),
    ok("DetachThingPrincipal", {**LAMP, "principal": "<<lamp_cert>>"}),
    ok("DetachThingPrincipal", {**LAMP, "principal": "<<lamp_cert>>"}),
    ok("DetachThingPrincipal", {**LAMP, "principal": "<<cert_2>>"}),
    ok("DetachThingPrincipal", {"thingName": "list-1", "principal": "<<lamp_cert>>"}),
    fails(MISSING, "DetachThingPrincipal", {"thingName": "nobody", "principal": "<<lamp_cert>>"}, says="nobody"),
    fails(INVALID, "DetachThingPrincipal", {**LAMP, "principal": "nonsense"}, says="principal"),

    fails("VersionConflictException", "DeleteThing", {**LAMP, "expectedVersion": 1}, says="expected version"),
    ok("DeleteThing", {**LAMP, "expectedVersion": 6}),
    ok("DeleteThing", LAMP),
    fails(MISSING, "DescribeThing", LAMP, says="lamp"),
    ok("CreateThing", LAMP, {"thingId": ANY}, save={"lamp_again": "thingId"}),
    ok("DeleteThing", LAMP),
]
