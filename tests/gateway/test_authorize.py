"""The authorizer with real policies; the services around it are functions that know a few documents."""

import asyncio
import json
from typing import Any

import pytest
from msgspec import Struct

from cumulet.api import lambda_, s3, sqs, sts
from cumulet.gateway.authorize import Authorizer, Mode
from cumulet.kernel.call import ANONYMOUS, Call, Principal
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError
from cumulet.policy.compiled import CompiledPolicy, compile_policy
from cumulet.policy.document import Grammar
from cumulet.policy.identity import Identity

ACCOUNT, OTHER = "111122223333", "444455556666"
ANN = Principal("user", f"arn:aws:iam::{ACCOUNT}:user/ann", "AIDA0000000000000ANN", ACCOUNT)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
SESSION = Principal("assumed-role", f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/s1", "AROAWORKER:s1", ACCOUNT)
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:resize"
GET = s3.GetObjectRequest(bucket="photos", key="cat.jpg")


def compiled(*statements: dict[str, Any], grammar: Grammar = Grammar.IDENTITY) -> CompiledPolicy:
    return compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statements}), grammar)


def allow(action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


class World:
    """What the authorizer asks: policies of principals by ARN, resource policies and owners by resource ARN."""

    def __init__(self, mode: Mode, *own: dict[str, Any]) -> None:
        self.own = compiled(*own) if own else None
        self.resources: dict[str, dict[str, Any]] = {}
        self.owners: dict[str, str] = {}
        self.managed: dict[str, CompiledPolicy] = {}
        self.authorizer = Authorizer(
            mode,
            identity=self._identity,
            managed=self._managed,
            resource_policy=self._resource,
            resource_owner=self._owner,
            now=lambda: 1_700_000_000.0,
        )

    async def _identity(self, principal: Principal, _: str) -> Identity:
        arn = ROLE if principal.kind == "assumed-role" else principal.arn
        name = principal.arn.rpartition("/")[2] if principal.kind == "user" else ""
        return Identity(() if self.own is None else (self.own,), None, arn, {"team": "red"}, name)

    async def _managed(self, _: str, arn: str) -> CompiledPolicy | None:
        return self.managed.get(arn)

    async def _resource(self, service: str, call: Call, arn: str) -> str | None:
        found = self.resources.get(arn)
        return None if found is None else json.dumps({"Version": "2012-10-17", "Statement": [found]})

    async def _owner(self, service: str, call: Call, arn: str) -> str | None:
        return self.owners.get(arn)

    def run(
        self,
        principal: Principal,
        service: str,
        operation: str,
        request: Struct,
        *,
        source_arn: str = "",
        **credential: Any,
    ) -> None:
        call = Call(principal.account or ACCOUNT, "us-east-1", principal, "request-1", source_arn=source_arn)
        held = Credential("key", "secret", principal, **credential)
        asyncio.run(self.authorizer.check(call, held, service, operation, request))


def refused(world: World, *arguments: Any, **more: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        world.run(*arguments, **more)
    return caught.value


def test_aws_says_who_may_not_do_what_and_why() -> None:
    error = refused(World("enforce"), ANN, "s3", "GetObject", GET)
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message == (
        f"User: {ANN.arn} is not authorized to perform: s3:GetObject on resource: "
        '"arn:aws:s3:::photos/cat.jpg" because no identity-based policy allows the s3:GetObject action'
    )


def test_an_explicit_deny_is_named() -> None:
    world = World("enforce", allow("*"), {"Effect": "Deny", "Action": "lambda:*", "Resource": "*"})
    error = refused(world, ANN, "lambda", "Invoke", lambda_.InvocationRequest(function_name="resize"))
    assert (error.code, error.status) == ("AccessDeniedException", 403)
    assert error.message == (
        f"User: {ANN.arn} is not authorized to perform: lambda:InvokeFunction on resource: {FUNCTION} "
        "with an explicit deny in an identity-based policy"
    )


def test_sqs_spells_actions_in_lower_case() -> None:
    request = sqs.SendMessageRequest(queue_url=f"http://localhost/{ACCOUNT}/jobs", message_body="x")
    error = refused(World("enforce"), ANN, "sqs", "SendMessage", request)
    assert "not authorized to perform: sqs:sendmessage on resource: arn:aws:sqs:us-east-1" in error.message


def test_what_is_allowed_passes() -> None:
    World("enforce", allow("s3:GetObject", "arn:aws:s3:::photos/*")).run(ANN, "s3", "GetObject", GET)


def test_audit_lets_pass_and_remembers() -> None:
    world = World("audit")
    world.run(ANN, "s3", "GetObject", GET)
    [denial] = world.authorizer.denied()
    assert (denial.principal, denial.action, denial.resource, denial.enforced) == (
        ANN.arn,
        "s3:GetObject",
        "arn:aws:s3:::photos/cat.jpg",
        False,
    )
    assert world.authorizer.counts["would refuse"] == 1


def test_off_asks_nothing() -> None:
    world = World("off")
    world.run(ANN, "s3", "GetObject", GET)
    assert world.authorizer.denied() == []


def test_root_may_do_everything_at_home_and_nothing_elsewhere_without_leave() -> None:
    root = Principal.root(ACCOUNT)
    world = World("enforce")
    world.run(root, "s3", "GetObject", GET)
    world.owners["arn:aws:s3:::photos/cat.jpg"] = OTHER
    assert "no resource-based policy allows" in refused(world, root, "s3", "GetObject", GET).message
    world.resources["arn:aws:s3:::photos/cat.jpg"] = allow("s3:GetObject", Principal={"AWS": ACCOUNT})
    world.run(root, "s3", "GetObject", GET)


def test_a_service_needs_the_permission_of_the_resource() -> None:
    notifier = Principal.service("s3.amazonaws.com", ACCOUNT)
    request = lambda_.InvocationRequest(function_name=FUNCTION)
    world = World("enforce")
    assert "no resource-based policy" in refused(world, notifier, "lambda", "Invoke", request).message
    world.resources[FUNCTION] = allow(
        "lambda:InvokeFunction",
        FUNCTION,
        Principal={"Service": "s3.amazonaws.com"},
        Condition={"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::photos"}},
    )
    world.run(notifier, "lambda", "Invoke", request, source_arn="arn:aws:s3:::photos")
    refused(world, notifier, "lambda", "Invoke", request, source_arn="arn:aws:s3:::other")


def test_a_session_is_limited_by_its_own_policies() -> None:
    world = World("enforce", allow("s3:*"))
    world.managed["arn:aws:iam::aws:policy/Queues"] = compiled(allow("sqs:*"))
    reads = json.dumps({"Version": "2012-10-17", "Statement": [allow("s3:Get*")]})
    put = s3.PutObjectRequest(bucket="photos", key="cat.jpg")
    world.run(SESSION, "s3", "GetObject", GET, role_arn=ROLE, session_policy=(reads,))
    refused(world, SESSION, "s3", "PutObject", put, role_arn=ROLE, session_policy=(reads,))
    by_arn = {"role_arn": ROLE, "session_policy": ("arn:aws:iam::aws:policy/Queues",)}
    assert "no session policy allows" in refused(world, SESSION, "s3", "GetObject", GET, **by_arn).message
    gone = {"role_arn": ROLE, "session_policy": ("arn:aws:iam::aws:policy/Gone",)}
    refused(world, SESSION, "s3", "GetObject", GET, **gone)


def test_context_keys_of_the_caller_and_the_request() -> None:
    world = World(
        "enforce",
        allow(
            "s3:ListBucket",
            Condition={
                "StringEquals": {
                    "aws:username": "ann",
                    "aws:PrincipalTag/Team": "red",
                    "s3:prefix": "home/ann/",
                    "aws:RequestedRegion": "us-east-1",
                    "aws:PrincipalAccount": ACCOUNT,
                },
                "DateLessThan": {"aws:CurrentTime": "2023-12-31T00:00:00Z"},
                "IpAddress": {"aws:SourceIp": "127.0.0.0/8"},
                "Bool": {"aws:SecureTransport": "false"},
                "Null": {"aws:TokenIssueTime": "true"},
            },
        ),
    )
    world.run(ANN, "s3", "ListObjectsV2", s3.ListObjectsV2Request(bucket="photos", prefix="home/ann/"))
    refused(world, ANN, "s3", "ListObjectsV2", s3.ListObjectsV2Request(bucket="photos", prefix="home/bob/"))
    refused(world, ANN, "s3", "ListObjectsV2", s3.ListObjectsV2Request(bucket="photos"))


def test_handing_a_role_to_a_service_needs_pass_role() -> None:
    request = lambda_.CreateFunctionRequest(
        function_name="resize", role=ROLE, code=lambda_.FunctionCode(zip_file=b""), runtime="python3.13", handler="a.b"
    )
    world = World("enforce", allow("lambda:*"))
    error = refused(world, ANN, "lambda", "CreateFunction", request)
    assert f"iam:PassRole on resource: {ROLE}" in error.message
    passing = allow("iam:PassRole", ROLE, Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}})
    World("enforce", allow("lambda:*"), passing).run(ANN, "lambda", "CreateFunction", request)


def test_copying_needs_leave_to_read_the_source() -> None:
    request = s3.CopyObjectRequest(bucket="copies", key="b", copy_source="/photos/a%20b?versionId=1")
    world = World("enforce", allow("s3:PutObject"))
    message = refused(world, ANN, "s3", "CopyObject", request).message
    assert 's3:GetObjectVersion on resource: "arn:aws:s3:::photos/a b"' in message


def test_versions_and_what_is_set_along_have_permissions_of_their_own() -> None:
    world = World("enforce", allow("s3:GetObject"), allow("s3:PutObject"), allow("s3:DeleteObject"))
    old = s3.GetObjectRequest(bucket="photos", key="cat.jpg", version_id="1")
    assert "s3:GetObjectVersion" in refused(world, ANN, "s3", "GetObject", old).message
    tagged = s3.PutObjectRequest(bucket="photos", key="cat.jpg", tagging="a=b")
    assert "s3:PutObjectTagging" in refused(world, ANN, "s3", "PutObject", tagged).message
    world.run(ANN, "s3", "PutObject", s3.PutObjectRequest(bucket="photos", key="cat.jpg"))
    items = [s3.ObjectIdentifier(key="a"), s3.ObjectIdentifier(key="b", version_id="1")]
    some = s3.DeleteObjectsRequest(bucket="photos", delete=s3.Delete(objects=items))
    assert '"arn:aws:s3:::photos/b"' in refused(world, ANN, "s3", "DeleteObjects", some).message


def test_a_role_is_assumed_only_if_it_trusts() -> None:
    request = sts.AssumeRoleRequest(role_arn=ROLE, role_session_name="s", external_id="42")
    world = World("enforce", allow("sts:*"))
    error = refused(world, ANN, "sts", "AssumeRole", request)
    assert error.message == f"User: {ANN.arn} is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    world.resources[ROLE] = trust | {"Condition": {"StringEquals": {"sts:ExternalId": "42"}}}
    world.run(ANN, "sts", "AssumeRole", request)
    refused(world, ANN, "sts", "AssumeRole", sts.AssumeRoleRequest(role_arn=ROLE, role_session_name="s"))
    tagged = sts.AssumeRoleRequest(
        role_arn=ROLE, role_session_name="s", external_id="42", tags=[sts.Tag(key="a", value="b")]
    )
    assert "sts:TagSession" in refused(world, ANN, "sts", "AssumeRole", tagged).message


def test_strangers() -> None:
    world = World("enforce")
    assert refused(world, ANONYMOUS, "s3", "GetObject", GET).code == "AccessDenied"
    unsigned = refused(world, ANONYMOUS, "sqs", "ListQueues", sqs.ListQueuesRequest())
    assert (unsigned.code, unsigned.status) == ("MissingAuthenticationToken", 403)
    world.resources["arn:aws:s3:::photos/cat.jpg"] = allow("s3:GetObject", Principal="*")
    world.run(ANONYMOUS, "s3", "GetObject", GET)


def test_a_resource_policy_that_cannot_be_read_lets_nobody_in() -> None:
    world = World("enforce", allow("s3:*"))
    world.resources["arn:aws:s3:::photos/cat.jpg"] = {"Effect": "Perhaps"}
    assert "with an explicit deny in a resource-based policy" in refused(world, ANN, "s3", "GetObject", GET).message
    world.run(Principal.root(ACCOUNT), "s3", "GetObject", GET)


def test_a_decision_that_is_kept_is_good_for_the_same_circumstances_alone() -> None:
    world = World("enforce")
    gateway = Principal.service("apigateway.amazonaws.com", ACCOUNT)
    request = lambda_.InvocationRequest(function_name="resize")
    permission = {
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:execute-api:*:*:api1/*"}},
    }
    world.resources[FUNCTION] = permission
    for _ in range(3):
        world.run(gateway, "lambda", "Invoke", request, source_arn="arn:aws:execute-api:us-east-1:1:api1/a")
        refused(world, gateway, "lambda", "Invoke", request, source_arn="arn:aws:execute-api:us-east-1:1:api2/a")
        refused(world, gateway, "lambda", "Invoke", request)
    world.resources[FUNCTION] = {**permission, "Effect": "Deny"}
    refused(world, gateway, "lambda", "Invoke", request, source_arn="arn:aws:execute-api:us-east-1:1:api1/a")
    del world.resources[FUNCTION]
    refused(world, gateway, "lambda", "Invoke", request, source_arn="arn:aws:execute-api:us-east-1:1:api1/a")


def test_sessions_with_policies_of_their_own_share_no_decision() -> None:
    world = World("enforce", allow("*"))
    identity = asyncio.run(world._identity(SESSION, ""))

    async def same(_: Principal, __: str) -> Identity:
        return identity

    world.authorizer._identity = same
    narrow = json.dumps({"Version": "2012-10-17", "Statement": [allow("sqs:*")]})
    for _ in range(2):
        world.run(SESSION, "s3", "GetObject", GET, role_arn=ROLE)
        refused(world, SESSION, "s3", "GetObject", GET, role_arn=ROLE, session_policy=(narrow,))
