"""The fleet index and dynamic thing groups through stock boto3."""
import json
import time

import botocore.exceptions
import pytest

from support.device import Device
from support.processes import wait_for


@pytest.fixture(scope="module")
def fleet(make_shared):
    return make_shared()


@pytest.fixture(scope="module")
def iot(fleet):
    return fleet.iot


def refused(code, text, call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**arguments)
    error = raised.value.response["Error"]
    assert error["Code"] == code, error
    assert text in error["Message"], error


def names(iot, query, index="AWS_Things"):
    found, token = [], {}
    while True:
        page = iot.search_index(indexName=index, queryString=query, maxResults=2, **token)
        found += [d.get("thingName") or d.get("thingGroupName") for d in page.get("things", []) + page.get("thingGroups", [])]
        if "nextToken" not in page:
            return sorted(found)
        token = {"nextToken": page["nextToken"]}


def switch_on(iot, **more):
    iot.update_indexing_configuration(
        thingIndexingConfiguration={"thingIndexingMode": "REGISTRY", "customFields": [
            {"name": "attributes.watts", "type": "Number"}, {"name": "attributes.site", "type": "String"}], **more},
        thingGroupIndexingConfiguration={"thingGroupIndexingMode": "ON"})
    wait_for(lambda: all(iot.describe_index(indexName=i)["indexStatus"] == "ACTIVE"
                         for i in ("AWS_Things", "AWS_ThingGroups")), 20, "the indexes")


def test_off_until_switched_on(iot):
    assert iot.get_indexing_configuration()["thingIndexingConfiguration"]["thingIndexingMode"] == "OFF"
    assert iot.list_indices()["indexNames"] == []
    refused("ResourceNotFoundException", "UpdateIndexingConfiguration", iot.describe_index, indexName="AWS_Things")
    refused("ResourceNotFoundException", "AWS_Things", iot.search_index, queryString="*")
    refused("InvalidRequestException", "REGISTRY", iot.create_dynamic_thing_group, thingGroupName="d", queryString="*")
    refused("InvalidRequestException", "OFF", iot.update_indexing_configuration, thingIndexingConfiguration={
        "thingIndexingMode": "OFF", "thingConnectivityIndexingMode": "STATUS"})


def test_search_and_aggregates(iot):
    iot.create_thing_type(thingTypeName="Lamp")
    for i in range(5):
        iot.create_thing(thingName=f"lamp-{i}", thingTypeName="Lamp", attributePayload={
            "attributes": {"site": "north" if i < 3 else "south", "watts": str(10 * i)}})
    iot.create_thing(thingName="other")
    iot.create_thing_group(thingGroupName="plant")
    iot.create_thing_group(thingGroupName="hall", parentGroupName="plant", thingGroupProperties={
        "thingGroupDescription": "the big hall"})
    switch_on(iot)
    iot.add_thing_to_thing_group(thingGroupName="hall", thingName="lamp-4")
    assert iot.list_indices()["indexNames"] == ["AWS_ThingGroups", "AWS_Things"]
    assert iot.describe_index(indexName="AWS_Things")["schema"] == "REGISTRY"
    assert names(iot, "thingName:lamp*") == [f"lamp-{i}" for i in range(5)]
    assert names(iot, "attributes.site:NORTH AND attributes.watts>=10") == ["lamp-1", "lamp-2"]
    assert names(iot, "thingTypeName:lamp NOT attributes.site:north") == ["lamp-3", "lamp-4"]
    assert names(iot, "thingGroupNames:plant") == ["lamp-4"]
    assert names(iot, "hall", "AWS_ThingGroups") == ["hall"]
    document = iot.search_index(queryString="thingName:lamp-4")["things"][0]
    assert document["attributes"] == {"site": "south", "watts": "40"}
    assert document["thingGroupNames"] == ["hall", "plant"] and document["thingTypeName"] == "Lamp"
    group = iot.search_index(indexName="AWS_ThingGroups", queryString="thingGroupName:hall")["thingGroups"][0]
    assert group["parentGroupNames"] == ["plant"] and group["thingGroupDescription"] == "the big hall"
    statistics = iot.get_statistics(queryString="thingName:lamp*", aggregationField="attributes.watts")["statistics"]
    assert statistics == {"count": 5, "average": 20, "sum": 100, "minimum": 0, "maximum": 40, "sumOfSquares": 3000,
                          "variance": 200, "stdDeviation": pytest.approx(14.142, abs=0.001)}
    assert iot.get_statistics(queryString="*", aggregationField="attributes.site")["statistics"] == {"count": 5}
    assert iot.get_statistics(queryString="*")["statistics"]["count"] == 6
    assert iot.get_cardinality(queryString="*", aggregationField="attributes.site")["cardinality"] == 2
    percentiles = iot.get_percentiles(queryString="*", aggregationField="attributes.watts", percents=[0, 50, 100])
    assert [p["value"] for p in percentiles["percentiles"]] == [0, 20, 40]
    assert len(iot.get_percentiles(queryString="*", aggregationField="attributes.watts")["percentiles"]) == 7
    buckets = iot.get_buckets_aggregation(queryString="*", aggregationField="attributes.site",
                                          bucketsAggregationType={"termsAggregation": {"maxBuckets": 1}})
    assert buckets["totalCount"] == 5 and buckets["buckets"] == [{"keyValue": "north", "count": 3}]


def test_errors(iot):
    refused("InvalidQueryException", "character", iot.search_index, queryString="(a")
    refused("InvalidQueryException", "2017-09-30", iot.search_index, queryString="a", queryVersion="2020-01-01")
    refused("ResourceNotFoundException", "nosuch", iot.search_index, queryString="a", indexName="nosuch")
    refused("ResourceNotFoundException", "nosuch", iot.describe_index, indexName="nosuch")
    refused("InvalidAggregationException", "attributes.zzz", iot.get_statistics, queryString="*",
            aggregationField="attributes.zzz")
    refused("InvalidAggregationException", "Number", iot.get_percentiles, queryString="*",
            aggregationField="attributes.site")
    token = iot.search_index(queryString="*", maxResults=1)["nextToken"]
    refused("InvalidRequestException", "oken", iot.search_index, queryString="a", nextToken=token)
    refused("InvalidRequestException", "custom field", iot.update_indexing_configuration, thingIndexingConfiguration={
        "thingIndexingMode": "REGISTRY", "customFields": [{"name": "a", "type": "Number"}]})
    refused("InvalidRequestException", "managedFields", iot.update_indexing_configuration, thingIndexingConfiguration={
        "thingIndexingMode": "REGISTRY", "managedFields": [{"name": "mine", "type": "Number"}]})


def test_dynamic_groups(fleet, iot):
    made = iot.create_dynamic_thing_group(thingGroupName="north", queryString="attributes.site:north",
                                          tags=[{"Key": "k", "Value": "v"}])
    assert made["indexName"] == "AWS_Things" and made["queryVersion"] == "2017-09-30"

    def members(group="north"):
        return iot.list_things_in_thing_group(thingGroupName=group)["things"]

    wait_for(lambda: members() == ["lamp-0", "lamp-1", "lamp-2"], 20, "the members")
    wait_for(lambda: iot.describe_thing_group(thingGroupName="north")["status"] == "ACTIVE", 20, "the status")
    iot.update_thing(thingName="lamp-0", attributePayload={"attributes": {"site": "south"}, "merge": True})
    wait_for(lambda: members() == ["lamp-1", "lamp-2"], 20, "a member less")
    assert iot.update_dynamic_thing_group(thingGroupName="north", thingGroupProperties={},
                                          queryString="attributes.watts>20")["version"] == 2
    wait_for(lambda: members() == ["lamp-3", "lamp-4"], 20, "other members")
    described = iot.describe_thing_group(thingGroupName="north")
    assert described["queryString"] == "attributes.watts>20"
    refused("InvalidRequestException", "dynamic", iot.add_thing_to_thing_group, thingGroupName="north", thingName="other")
    refused("InvalidRequestException", "dynamic", iot.delete_thing_group, thingGroupName="north")
    refused("InvalidRequestException", "dynamic", iot.update_thing_group, thingGroupName="north", thingGroupProperties={})
    refused("InvalidRequestException", "hierarchy", iot.create_thing_group, thingGroupName="x", parentGroupName="north")
    refused("ResourceAlreadyExistsException", "north", iot.create_dynamic_thing_group, thingGroupName="north",
            queryString="*")
    refused("InvalidQueryException", "term", iot.create_dynamic_thing_group, thingGroupName="y", queryString="a AND")
    refused("InvalidRequestException", "not a dynamic", iot.update_dynamic_thing_group, thingGroupName="hall",
            thingGroupProperties={}, queryString="a")
    refused("ResourceNotFoundException", "nosuch", iot.update_dynamic_thing_group, thingGroupName="nosuch",
            thingGroupProperties={})
    refused("VersionConflictException", "version", iot.delete_dynamic_thing_group, thingGroupName="north",
            expectedVersion=7)
    refused("InvalidRequestException", "Dynamic", iot.update_indexing_configuration,
            thingIndexingConfiguration={"thingIndexingMode": "OFF"})


def test_a_profile_covers_the_members_of_a_dynamic_group(iot, fleet):
    iot.create_security_profile(securityProfileName="p", behaviors=[
        {"name": "b", "metric": "aws:num-messages-sent",
         "criteria": {"comparisonOperator": "less-than", "value": {"count": 5}, "durationSeconds": 300}}])
    iot.attach_security_profile(securityProfileName="p", securityProfileTargetArn=fleet.arn("thinggroup", "north"))
    policy = iot.create_policy(policyName="carried", policyDocument='{"Version":"2012-10-17","Statement":['
                               '{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}')["policyName"]
    refused("InvalidRequestException", "no policies", iot.attach_policy, policyName=policy,
            target=fleet.arn("thinggroup", "north"))
    assert "b" in fleet.run("why", "--data", fleet.data, "lamp-3").stdout
    other = fleet.run("why", "--data", fleet.data, "lamp-1", check=False)
    assert other.returncode == 1 and "no security profile" in other.stdout


def test_survives_a_restart(fleet):
    fleet.stop()
    fleet.start()
    iot = fleet.iot
    wait_for(lambda: iot.describe_index(indexName="AWS_Things")["indexStatus"] == "ACTIVE", 20, "the index")
    assert names(iot, "attributes.watts:40") == ["lamp-4"]
    assert iot.list_things_in_thing_group(thingGroupName="north")["things"] == ["lamp-3", "lamp-4"]
    iot.delete_dynamic_thing_group(thingGroupName="north")
    refused("ResourceNotFoundException", "north", iot.describe_thing_group, thingGroupName="north")


def test_connectivity_and_violations(make):
    """Both sources of the index beside the registry, and a dynamic group of what is offline."""
    fleet = make({"detect.min_duration_seconds": 2})
    iot = fleet.iot
    switch_on(iot, thingConnectivityIndexingMode="STATUS", deviceDefenderIndexingMode="VIOLATIONS")
    assert iot.describe_index(indexName="AWS_Things")["schema"] == "MULTI_INDEXING_MODE"
    certificate = fleet.thing("talker")
    iot.create_thing(thingName="never-seen")
    iot.create_security_profile(securityProfileName="quiet", behaviors=[
        {"name": "few", "metric": "aws:num-messages-sent",
         "criteria": {"comparisonOperator": "less-than", "value": {"count": 3}, "durationSeconds": 2}}])
    iot.attach_security_profile(securityProfileName="quiet", securityProfileTargetArn=fleet.arn("all", "registered-things"))
    iot.create_dynamic_thing_group(thingGroupName="online", queryString="connectivity.connected:true")
    device = Device(fleet, certificate, "talker")
    wait_for(lambda: names(iot, "connectivity.connected:true") == ["talker"], 20, "the connection")
    wait_for(lambda: iot.list_things_in_thing_group(thingGroupName="online")["things"] == ["talker"], 20, "the member")
    for _ in range(10):
        device.publish("a/b", b"x")
    wait_for(lambda: names(iot, "deviceDefender.quiet.few.inViolation:true") == ["talker"], 30, "the violation")
    document = iot.search_index(queryString="thingName:talker")["things"][0]
    assert document["connectivity"]["connected"] is True and document["connectivity"]["timestamp"] > 1_700_000_000_000
    defender = json.loads(document["deviceDefender"])
    assert defender["violationCount"] == 1 and defender["quiet"]["few"]["metricName"] == "aws:num-messages-sent"
    assert defender["quiet"]["few"]["lastViolationValue"]["count"] >= 3
    wait_for(lambda: names(iot, "deviceDefender.violationCount:0") == ["talker"], 30, "the end of the violation")
    device.close()
    wait_for(lambda: names(iot, "connectivity.disconnectReason:CLIENT_INITIATED_DISCONNECT") == ["talker"], 20,
             "the disconnect")
    wait_for(lambda: iot.list_things_in_thing_group(thingGroupName="online")["things"] == [], 20, "no member")
    fleet.stop()
    fleet.start()
    wait_for(lambda: fleet.iot.describe_index(indexName="AWS_Things")["indexStatus"] == "ACTIVE", 20, "the index")
    assert names(fleet.iot, "connectivity.connected:false") == ["talker"]
    assert names(fleet.iot, "NOT connectivity.connected:*") == ["never-seen"]


def test_pages_go_on_over_a_restart(make):
    fw = make()
    switch_on(fw.iot)
    made = [f"{'za'[i % 2]}-{i}" for i in range(12)]
    for thing in made:
        fw.iot.create_thing(thingName=thing)
    found, token = [], {}
    for page_of in (5, 100):
        page = fw.iot.search_index(queryString="thingName:*-*", maxResults=page_of, **token)
        found += [document["thingName"] for document in page["things"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
        fw.stop()
        fw.start()
        wait_for(lambda: fw.iot.describe_index(indexName="AWS_Things")["indexStatus"] == "ACTIVE", 20, "the index")
        fw.iot.create_thing(thingName="-last")
    assert found == [*made, "-last"]


def test_s_a_search_pattern_that_explodes_does_not(make):
    """Threat s, in SearchIndex and in a dynamic group's query: 200 values on which backtracking would never end."""
    fw = make()
    switch_on(fw.iot)
    for i in range(200):
        fw.iot.create_thing(thingName=f"t-{i}", attributePayload={"attributes": {"x": "a" * 700 + str(i)}})
    hostile = "attributes.x:" + "a*" * 30 + "b"
    began = time.monotonic()
    assert names(fw.iot, hostile) == []
    assert names(fw.iot, "attributes.x:" + "a*" * 30 + "17") == ["t-117", "t-17"]
    fw.iot.create_dynamic_thing_group(thingGroupName="hostile", queryString=hostile)
    fw.iot.create_thing(thingName="t-200", attributePayload={"attributes": {"x": "a" * 700}})
    wait_for(lambda: fw.iot.describe_thing_group(thingGroupName="hostile")["status"] == "ACTIVE", 10, "the group")
    assert time.monotonic() - began < 10
    assert fw.iot.list_things_in_thing_group(thingGroupName="hostile")["things"] == []
