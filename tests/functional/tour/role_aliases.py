"""Role aliases."""
from . import ABSENT, ANY, count, fails, ok

SETTINGS = {"quota.role_aliases": "2"}

INVALID, MISSING, EXISTS = "InvalidRequestException", "ResourceNotFoundException", "ResourceAlreadyExistsException"
ROLE = "arn:aws:iam::123456789012:role/device"
ALIAS = {"roleAlias": "alias-1"}

STEPS = [
    ok("CreateRoleAlias", {**ALIAS, "roleArn": ROLE}, {"roleAlias": "alias-1", "roleAliasArn": "<<arn>>:rolealias/alias-1"}),
    ok("CreateRoleAlias", {**ALIAS, "roleArn": ROLE}),
    fails(EXISTS, "CreateRoleAlias", {**ALIAS, "roleArn": ROLE + "2"}, says="alias-1 already exists"),
    fails(INVALID, "CreateRoleAlias", {"roleAlias": "no spaces", "roleArn": ROLE}, says="roleAlias"),
    fails(INVALID, "CreateRoleAlias", {"roleAlias": "x", "roleArn": "arn:aws:iot:not-a-role"}, says="roleArn must look like"),
    fails(INVALID, "CreateRoleAlias", {"roleAlias": "x", "roleArn": ROLE, "credentialDurationSeconds": 899},
          says="credentialDurationSeconds"),
    ok("CreateRoleAlias", {"roleAlias": "alias-2", "roleArn": ROLE, "credentialDurationSeconds": 900}),
    fails("LimitExceededException", "CreateRoleAlias", {"roleAlias": "alias-3", "roleArn": ROLE}, says="already 2 role aliases"),
    ok("DescribeRoleAlias", ALIAS, {
        "roleAliasDescription.roleAlias": "alias-1", "roleAliasDescription.roleAliasArn": "<<arn>>:rolealias/alias-1",
        "roleAliasDescription.roleArn": ROLE, "roleAliasDescription.owner": "<<account>>",
        "roleAliasDescription.credentialDurationSeconds": 3600, "roleAliasDescription.creationDate": ANY,
        "roleAliasDescription.lastModifiedDate": ANY}),
    fails(MISSING, "DescribeRoleAlias", {"roleAlias": "nothing"}, says="nothing"),
    fails(INVALID, "DescribeRoleAlias", {"roleAlias": "no spaces"}, says="roleAlias"),
    ok("UpdateRoleAlias", {**ALIAS, "roleArn": ROLE + "/2", "credentialDurationSeconds": 43200},
       {"roleAliasArn": "<<arn>>:rolealias/alias-1"}),
    ok("DescribeRoleAlias", ALIAS, {"roleAliasDescription.roleArn": ROLE + "/2",
                                    "roleAliasDescription.credentialDurationSeconds": 43200}),
    fails(MISSING, "UpdateRoleAlias", {"roleAlias": "nothing"}, says="nothing"),
    fails(INVALID, "UpdateRoleAlias", {**ALIAS, "roleArn": "x" * 20}, says="roleArn"),
    ok("ListRoleAliases", {"ascendingOrder": True}, {"roleAliases": ["alias-1", "alias-2"], "nextMarker": ABSENT}),
    ok("ListRoleAliases", {}, {"roleAliases": ["alias-2", "alias-1"]}),
    ok("ListRoleAliases", {"pageSize": 1}, {"roleAliases": ["alias-2"]}, save={"aliases": "nextMarker"}),
    ok("ListRoleAliases", {"pageSize": 1, "marker": "<<aliases>>"}, {"roleAliases": count(1), "roleAliases.0": "alias-1"}),
    fails(INVALID, "ListRoleAliases", {"ascendingOrder": True, "marker": "<<aliases>>"}, says="page token"),
    ok("DeleteRoleAlias", ALIAS),
    fails(MISSING, "DeleteRoleAlias", ALIAS, says="alias-1"),
    fails(INVALID, "DeleteRoleAlias", {"roleAlias": "no spaces"}, says="roleAlias"),
    ok("DeleteRoleAlias", {"roleAlias": "alias-2"}),
]
