"""Thing types."""
from . import ABSENT, ANY, count, fails, ok

# Long enough for the refusal to be seen, short enough to be waited for.
SETTINGS = {"registry.thing_type_delete_delay_seconds": "5"}

INVALID, MISSING, EXISTS = "InvalidRequestException", "ResourceNotFoundException", "ResourceAlreadyExistsException"
PUMP = {"thingTypeName": "pump"}
PROPERTIES = {"thingTypeProperties": {"thingTypeDescription": "moves water", "searchableAttributes": ["site", "flow"]}}

STEPS = [
    ok("CreateThingType", {**PUMP, **PROPERTIES}, {"thingTypeName": "pump", "thingTypeArn": "<<arn>>:thingtype/pump"},
       save={"pump": "thingTypeId"}),
    ok("CreateThingType", {**PUMP, **PROPERTIES}, {"thingTypeId": "<<pump>>"}),
    fails(EXISTS, "CreateThingType", PUMP, says="pump already exists"),
    fails(INVALID, "CreateThingType", {"thingTypeName": "no spaces"}, says="thingTypeName"),
    fails(INVALID, "CreateThingType", {"thingTypeName": "wide", "thingTypeProperties": {
        "searchableAttributes": ["a", "b", "c", "d"]}}, says="at most 3 searchable attributes"),
    ok("DescribeThingType", PUMP, {
        "thingTypeName": "pump", "thingTypeId": "<<pump>>", "thingTypeArn": "<<arn>>:thingtype/pump",
        "thingTypeProperties": PROPERTIES["thingTypeProperties"], "thingTypeMetadata.deprecated": False,
        "thingTypeMetadata.creationDate": ANY, "thingTypeMetadata.deprecationDate": ABSENT}),
    fails(MISSING, "DescribeThingType", {"thingTypeName": "nothing"}, says="nothing"),
    fails(INVALID, "DescribeThingType", {"thingTypeName": "no spaces"}, says="thingTypeName"),
    ok("CreateThingType", {"thingTypeName": "pump-b"}),
    ok("ListThingTypes", PUMP, {"thingTypes": count(1), "thingTypes.0.thingTypeName": "pump", "nextToken": ABSENT}),
    ok("ListThingTypes", {"thingTypeName": "nothing"}, {"thingTypes": count(0)}),
    ok("ListThingTypes", {"maxResults": 1}, {"thingTypes": count(1)}, save={"types": "nextToken"}),
    ok("ListThingTypes", {"maxResults": 1, "nextToken": "<<types>>"}, {"thingTypes": count(1)}),
    fails(INVALID, "ListThingTypes", {"maxResults": 0}, says="maxResults"),
    fails(INVALID, "ListThingTypes", {"nextToken": "eHg="}, says="page token"),

    ok("CreateThing", {"thingName": "pump-1", "thingTypeName": "pump"}),
    fails(INVALID, "DeleteThingType", PUMP, says="non-deprecated"),
    ok("DeprecateThingType", PUMP),
    ok("DeprecateThingType", PUMP),
    ok("DescribeThingType", PUMP, {"thingTypeMetadata.deprecated": True, "thingTypeMetadata.deprecationDate": ANY}),
    fails(INVALID, "CreateThing", {"thingName": "pump-2", "thingTypeName": "pump"}, says="deprecated"),
    fails(INVALID, "DeleteThingType", PUMP, says="try again later"),
    ok("DeprecateThingType", {**PUMP, "undoDeprecate": True}),
    ok("DescribeThingType", PUMP, {"thingTypeMetadata.deprecated": False, "thingTypeMetadata.deprecationDate": ABSENT}),
    fails(MISSING, "DeprecateThingType", {"thingTypeName": "nothing"}, says="nothing"),
    fails(INVALID, "DeprecateThingType", {"thingTypeName": "no spaces"}, says="thingTypeName"),
    ok("UpdateThing", {"thingName": "pump-1", "removeThingType": True}),
    ok("DeleteThing", {"thingName": "pump-1"}),
    ok("DeprecateThingType", PUMP),
    ok("DeleteThingType", PUMP, within=15),
    fails(MISSING, "DeleteThingType", PUMP, says="pump"),
    fails(INVALID, "DeleteThingType", {"thingTypeName": "no spaces"}, says="thingTypeName"),
]
