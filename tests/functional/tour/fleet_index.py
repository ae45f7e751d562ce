"""The fleet index: configuration, search, aggregations; dynamic thing groups."""
from . import ABSENT, ANY, count, fails, has, ok

SETTINGS = {"quota.dynamic_groups": "2"}

INVALID, MISSING, EXISTS = "InvalidRequestException", "ResourceNotFoundException", "ResourceAlreadyExistsException"
QUERY, AGGREGATION, CONFLICT = "InvalidQueryException", "InvalidAggregationException", "VersionConflictException"
RACK = "thingName:rack-*"
WATTS = {"queryString": RACK, "aggregationField": "attributes.watts"}
BUCKETS = {"bucketsAggregationType": {"termsAggregation": {"maxBuckets": 2}}}


def on(mode="REGISTRY", groups="ON", **more):
    return {"thingIndexingConfiguration": {"thingIndexingMode": mode, **more},
            "thingGroupIndexingConfiguration": {"thingGroupIndexingMode": groups}}


STEPS = [
    ok("GetIndexingConfiguration", {}, {"thingIndexingConfiguration.thingIndexingMode": "OFF",
                                        "thingGroupIndexingConfiguration.thingGroupIndexingMode": "OFF"}),
    ok("ListIndices", {}, {"indexNames": []}),
    fails(MISSING, "SearchIndex", {"queryString": "*"}, says="AWS_Things"),
    fails(INVALID, "UpdateIndexingConfiguration", {"thingIndexingConfiguration": {"thingIndexingMode": "SOMETIMES"}},
          says="thingIndexingMode"),
    fails(INVALID, "UpdateIndexingConfiguration", on("OFF", thingConnectivityIndexingMode="STATUS"), says="OFF"),
    fails(INVALID, "CreateDynamicThingGroup", {"thingGroupName": "racks", "queryString": "*"}, says="REGISTRY"),
    *[ok("CreateThing", {"thingName": f"rack-{n}", "attributePayload": {"attributes": {
        "watts": str(10 * n), "zone": "north" if n < 3 else "south"}}}) for n in range(1, 5)],
    ok("UpdateIndexingConfiguration", on(customFields=[{"name": "attributes.watts", "type": "Number"},
                                                       {"name": "attributes.zone", "type": "String"}])),
    ok("GetIndexingConfiguration", {}, {
        "thingIndexingConfiguration.thingIndexingMode": "REGISTRY", "thingIndexingConfiguration.managedFields": ANY,
        "thingIndexingConfiguration.customFields": has({"name": "attributes.watts", "type": "Number"}),
        "thingGroupIndexingConfiguration.thingGroupIndexingMode": "ON"}),
    ok("DescribeIndex", {"indexName": "AWS_Things"}, {"indexName": "AWS_Things", "indexStatus": "ACTIVE", "schema": "REGISTRY"},
       within=20),
    ok("DescribeIndex", {"indexName": "AWS_ThingGroups"}, {"indexStatus": "ACTIVE"}, within=20),
    fails(MISSING, "DescribeIndex", {"indexName": "nothing"}, says="nothing"),
    fails(INVALID, "DescribeIndex", {"indexName": "no spaces"}, says="indexName"),
    ok("ListIndices", {}, {"indexNames": ["AWS_ThingGroups", "AWS_Things"]}),
    ok("ListIndices", {"maxResults": 1}, {"indexNames": count(1)}, save={"indices": "nextToken"}),
    ok("ListIndices", {"maxResults": 1, "nextToken": "<<indices>>"}, {"indexNames": ["AWS_Things"], "nextToken": ABSENT}),
    fails(INVALID, "ListIndices", {"nextToken": "eHg="}, says="token"),

    ok("SearchIndex", {"queryString": RACK + " AND attributes.watts>=30"}, {"things": count(2), "things.0.thingName": ANY,
                                                                           "things.0.attributes.zone": "south"}),
    ok("SearchIndex", {"queryString": RACK, "maxResults": 3}, {"things": count(3)}, save={"racks": "nextToken"}),
    ok("SearchIndex", {"queryString": RACK, "maxResults": 3, "nextToken": "<<racks>>"}, {"things": count(1), "nextToken": ABSENT}),
    fails(INVALID, "SearchIndex", {"queryString": "*", "nextToken": "<<racks>>"}, says="token"),
    fails(QUERY, "SearchIndex", {"queryString": "(a"}, says="character"),
    fails(MISSING, "SearchIndex", {"queryString": "*", "indexName": "nothing"}, says="nothing"),
    ok("GetStatistics", WATTS, {"statistics.count": 4, "statistics.average": 25, "statistics.sum": 100, "statistics.minimum": 10,
                                "statistics.maximum": 40}),
    fails(AGGREGATION, "GetStatistics", {**WATTS, "aggregationField": "attributes.nothing"}, says="attributes.nothing"),
    fails(QUERY, "GetStatistics", {**WATTS, "queryString": "(a"}, says="character"),
    fails(MISSING, "GetStatistics", {**WATTS, "indexName": "nothing"}, says="nothing"),
    fails(INVALID, "GetStatistics", {"queryString": ""}, says="queryString"),
    ok("GetCardinality", {"queryString": RACK, "aggregationField": "attributes.zone"}, {"cardinality": 2}),
    fails(AGGREGATION, "GetCardinality", {**WATTS, "aggregationField": "attributes.nothing"}, says="attributes.nothing"),
    fails(QUERY, "GetCardinality", {**WATTS, "queryString": "(a"}, says="character"),
    fails(MISSING, "GetCardinality", {**WATTS, "indexName": "nothing"}, says="nothing"),
    fails(INVALID, "GetCardinality", {"queryString": ""}, says="queryString"),
    ok("GetPercentiles", {**WATTS, "percents": [50]}, {"percentiles": [{"percent": 50, "value": 25}]}),
    fails(AGGREGATION, "GetPercentiles", {**WATTS, "aggregationField": "attributes.zone"}, says="Number"),
    fails(QUERY, "GetPercentiles", {**WATTS, "queryString": "(a"}, says="character"),
    fails(MISSING, "GetPercentiles", {**WATTS, "indexName": "nothing"}, says="nothing"),
    fails(INVALID, "GetPercentiles", {**WATTS, "percents": [101]}, says="percents"),
    ok("GetBucketsAggregation", {"queryString": RACK, "aggregationField": "attributes.zone", **BUCKETS},
       {"totalCount": 4, "buckets": count(2), "buckets.0.count": 2}),
    fails(AGGREGATION, "GetBucketsAggregation", {**WATTS, **BUCKETS, "aggregationField": "attributes.nothing"},
          says="attributes.nothing"),
    fails(QUERY, "GetBucketsAggregation", {**WATTS, **BUCKETS, "queryString": "(a"}, says="character"),
    fails(MISSING, "GetBucketsAggregation", {**WATTS, **BUCKETS, "indexName": "nothing"}, says="nothing"),
    fails(INVALID, "GetBucketsAggregation", {**WATTS, "bucketsAggregationType": {"termsAggregation": {"maxBuckets": 0}}},
          says="maxBuckets"),

    ok("CreateDynamicThingGroup", {"thingGroupName": "racks", "queryString": RACK, "tags": [{"Key": "k", "Value": "v"}]}, {
        "thingGroupName": "racks", "thingGroupArn": "<<arn>>:thinggroup/racks", "thingGroupId": ANY, "indexName": "AWS_Things",
        "queryString": RACK, "queryVersion": ANY}),
    ok("CreateDynamicThingGroup", {"thingGroupName": "racks", "queryString": RACK}),
    ok("ListTagsForResource", {"resourceArn": "<<arn>>:thinggroup/racks"}, {"tags": count(1)}),
    fails(EXISTS, "CreateDynamicThingGroup", {"thingGroupName": "racks", "queryString": "*"}, says="racks"),
    fails(QUERY, "CreateDynamicThingGroup", {"thingGroupName": "other", "queryString": "(a"}, says="character"),
    ok("CreateDynamicThingGroup", {"thingGroupName": "racks-2", "queryString": RACK + " AND attributes.zone:north"}),
    fails("LimitExceededException", "CreateDynamicThingGroup", {"thingGroupName": "racks-3", "queryString": "*"}, says="2"),
    ok("ListThingsInThingGroup", {"thingGroupName": "racks-2"}, {"things": ["rack-1", "rack-2"]}, within=20),
    ok("DescribeThingGroup", {"thingGroupName": "racks-2"}, {"status": "ACTIVE", "indexName": "AWS_Things", "queryString": ANY},
       within=20),
    ok("UpdateDynamicThingGroup", {"thingGroupName": "racks-2", "thingGroupProperties": {"thingGroupDescription": "d"},
                                   "queryString": RACK + " AND attributes.zone:south", "expectedVersion": 1}, {"version": 2}),
    ok("ListThingsInThingGroup", {"thingGroupName": "racks-2"}, {"things": ["rack-3", "rack-4"]}, within=20),
    fails(CONFLICT, "UpdateDynamicThingGroup", {"thingGroupName": "racks-2", "thingGroupProperties": {}, "expectedVersion": 1}),
    fails(MISSING, "UpdateDynamicThingGroup", {"thingGroupName": "nothing", "thingGroupProperties": {}}, says="nothing"),
    fails(QUERY, "UpdateDynamicThingGroup", {"thingGroupName": "racks-2", "thingGroupProperties": {}, "queryString": "(a"}),
    fails(INVALID, "UpdateDynamicThingGroup", {"thingGroupName": "no spaces", "thingGroupProperties": {}}, says="thingGroupName"),
    fails(INVALID, "AddThingToThingGroup", {"thingGroupName": "racks-2", "thingName": "rack-1"}, says="dynamic"),
    fails(CONFLICT, "DeleteDynamicThingGroup", {"thingGroupName": "racks-2", "expectedVersion": 1}),
    ok("CreateThingGroup", {"thingGroupName": "static"}),
    fails(INVALID, "DeleteDynamicThingGroup", {"thingGroupName": "static"}, says="not a dynamic"),
    ok("DeleteDynamicThingGroup", {"thingGroupName": "racks-2", "expectedVersion": 2}),
    ok("DeleteDynamicThingGroup", {"thingGroupName": "racks"}),
    ok("DeleteDynamicThingGroup", {"thingGroupName": "racks"}),
    ok("DeleteThingGroup", {"thingGroupName": "static"}),
    *[ok("DeleteThing", {"thingName": f"rack-{n}"}) for n in range(1, 5)],
    ok("UpdateIndexingConfiguration", on("OFF", "OFF")),
]
