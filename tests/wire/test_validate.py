"""Validation in AWS's words; the messages are AWS's own answers."""

import itertools

import pytest
from tests.wire.requests import form, json, request

from cumulet.api.model import MODELS, load
from cumulet.kernel.errors import AwsError
from cumulet.wire import route
from cumulet.wire.http import HttpRequest
from cumulet.wire.services import load as load_service
from cumulet.wire.validate import LINEAR, OVER_LONG, compile_pattern, enum_order

FUNCTIONS = "/2015-03-31/functions"
FAILED = "failed to satisfy constraint:"


def refused(sent: HttpRequest) -> AwsError:
    with pytest.raises(AwsError) as raised:
        route.resolve(sent).decode(sent)
    return raised.value


def test_missing_members_are_counted() -> None:
    error = refused(request("POST", FUNCTIONS, content=b"{}"))
    assert (error.code, error.status) == ("ValidationException", 400)
    assert error.message == (
        f"3 validation errors detected: Value null at 'functionName' {FAILED} Member must not be null; "
        f"Value null at 'role' {FAILED} Member must not be null; Value null at 'code' {FAILED} Member must not be null"
    )


@pytest.mark.parametrize(
    ("sent", "code", "message"),
    [
        (
            request("GET", f"{FUNCTIONS}/{'a' * 257}"),
            "ValidationException",
            f"Value '{'a' * 257}' at 'functionName' {FAILED} Member must have length less than or equal to 256",
        ),
        (
            request("PUT", f"{FUNCTIONS}/f/configuration", content=b'{"Role":"r1"}'),
            "ValidationException",
            (
                rf"Value 'r1' at 'role' {FAILED} Member must satisfy regular expression pattern: "
                r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
            ),
        ),
        (
            request(
                "POST",
                "/2015-03-31/event-source-mappings",
                content=b'{"FunctionName":"f","FunctionResponseTypes":["All"]}',
            ),
            "ValidationException",
            (
                f"Value '[All]' at 'functionResponseTypes' {FAILED} Member must satisfy constraint: "
                "[Member must satisfy enum value set: [ReportBatchItemFailures], Member must not be null]"
            ),
        ),
        (
            request(
                "POST",
                f"{FUNCTIONS}/f/aliases",
                content=b'{"Name":"a","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"2":2.0}}}',
            ),
            "ValidationException",
            (
                f"Value '{{2=2.0}}' at 'routingConfig.additionalVersionWeights' {FAILED} Map value must satisfy constraint: "
                "[Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, "
                "Member must not be null]"
            ),
        ),
        (
            request(
                "DELETE",
                "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af",
                scope="lambda",
            ),
            "ValidationException",
            f"Value null at 'tagKeys' {FAILED} Member must not be null",
        ),
        (
            json("Logs_20140328.DescribeLogGroups", b'{"limit":51}'),
            "InvalidParameterException",
            f"Value '51' at 'limit' {FAILED} Member must have value less than or equal to 50",
        ),
        (
            json("DynamoDB_20120810.ExecuteStatement", b'{"Statement":"a","Parameters":[]}'),
            "ValidationException",
            f"Value '[]' at 'parameters' {FAILED} Member must have length greater than or equal to 1",
        ),
        (
            json("AWSEvents.PutTargets", b'{"Rule":"a","Targets":[{"Id":"%s","Arn":"a"}]}' % (b"x" * 65)),
            "ValidationException",
            f"Value '{'x' * 65}' at 'targets.1.member.id' {FAILED} Member must have length less than or equal to 64",
        ),
        (
            json("AWSStepFunctions.ListExecutions", b'{"stateMachineArn":"a","statusFilter":"succeeded"}'),
            "ValidationException",
            (
                f"Value 'succeeded' at 'statusFilter' {FAILED} Member must satisfy enum value set: "
                "[SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]"
            ),
        ),
        (
            form("Action=AssumeRole&RoleArn=arn:aws:iam::000000000000:role/r&RoleSessionName=Session1:2", scope="sts"),
            "ValidationError",
            rf"Value 'Session1:2' at 'roleSessionName' {FAILED} Member must satisfy regular expression pattern: [\w+=,.@-]*",
        ),
        (
            form(
                "Action=Publish&Message=a&MessageAttributes.entry.1.Name=attr1&MessageAttributes.entry.1.Value.StringValue=x",
                scope="sns",
            ),
            "ValidationError",
            f"Value null at 'messageAttributes.attr1.member.dataType' {FAILED} Member must not be null",
        ),
        (
            request(
                "PATCH",
                "/restapis/a/gatewayresponses/DEFAULT_4XX",
                content=b'{"patchOperations":[{"op":"wrong-op"}]}',
                scope="apigateway",
            ),
            "ValidationException",
            (
                f"Value 'wrong-op' at 'updateGatewayResponseInput.patchOperations.1.member.op' {FAILED} "
                "Member must satisfy enum value set: [add, remove, move, test, replace, copy]"
            ),
        ),
    ],
)
def test_one_problem(sent: HttpRequest, code: str, message: str) -> None:
    error = refused(sent)
    assert (error.code, error.message) == (code, f"1 validation error detected: {message}")


def test_lists_of_constraints_and_lengths_of_one_value_in_order() -> None:
    name = "x" * 65 + "!"
    error = refused(
        json(
            "AWSEvents.CreateConnection", f'{{"Name":"{name}","AuthorizationType":"I","AuthParameters":{{}}}}'.encode()
        )
    )
    assert error.message == (
        rf"3 validation errors detected: Value '{name}' at 'name' {FAILED} Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+; "
        f"Value '{name}' at 'name' {FAILED} Member must have length less than or equal to 64; "
        f"Value 'I' at 'authorizationType' {FAILED} Member must satisfy enum value set: [BASIC, OAUTH_CLIENT_CREDENTIALS, API_KEY]"
    )


def test_services_with_checks_of_their_own() -> None:
    error = refused(json("AmazonSQS.SendMessage", b'{"QueueUrl":"a"}'))
    assert (error.code, error.message) == ("MissingParameter", "The request must contain the parameter MessageBody.")
    error = refused(json("AmazonSQS.ReceiveMessage", b'{"QueueUrl":"a","AttributeNames":[null]}'))
    assert error.message == "The request must contain the parameter AttributeNames."
    error = refused(request("GET", "/b?max-keys=x", scope="s3"))
    assert error.message == "Provided max-keys not an integer or within integer range"
    assert error.fields == {"ArgumentName": "max-keys", "ArgumentValue": "x"}


def test_secrets_are_not_repeated() -> None:
    error = refused(
        json(
            "AWSCognitoIdentityProviderService.ChangePassword",
            b'{"PreviousPassword":"s3cret ","ProposedPassword":" ","AccessToken":"!"}',
        )
    )
    assert "s3cret" not in error.message


def test_enums_are_listed_as_aws_lists_them() -> None:
    values = ["POST", "GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"]
    assert enum_order(values) == ["HEAD", "POST", "PATCH", "DELETE", "PUT", "GET", "OPTIONS"]


@pytest.mark.parametrize("module", sorted(path.stem for path in MODELS.glob("*.json")))
def test_every_pattern_compiles(module: str) -> None:
    model = load(module)
    patterns = {shape.pattern for shape in map(model.shape, model.shapes) if shape.pattern}
    assert {pattern for pattern in patterns if compile_pattern(pattern) is None} <= UNKNOWN


# Patterns that are no regular expressions in Java either, or use what Python has not: such values are not checked.
UNKNOWN: set[str] = set()


def test_patterns_of_java() -> None:
    tag = compile_pattern(r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)")
    assert tag is not None
    assert tag.fullmatch("Größe 1_a/b@c")
    assert not tag.fullmatch("a;b")
    word = compile_pattern(r"\w+")
    assert word is not None
    assert not word.fullmatch("ü")


def test_calls_inside_the_process_are_checked_too() -> None:
    from cumulet.api import lambda_ as api

    with pytest.raises(AwsError, match="functionName"):
        load_service("lambda").check("GetFunction", api.GetFunctionRequest(function_name="a" * 257))


ATTACKS = ["a", "A", "1", "-", "_", ".", "/", ":", "@", " ", "a/", "a-", "a:", " a", "\n", "$."]


@pytest.mark.timeout(200)
@pytest.mark.parametrize("module", sorted(path.stem for path in MODELS.glob("*.json")))
def test_no_pattern_takes_for_ever(module: str) -> None:
    """What the longest text that is held against a pattern costs must stay small, whatever the text."""
    model = load(module)
    patterns = {shape.pattern for shape in map(model.shape, model.shapes) if shape.pattern}
    for pattern in filter(None, map(compile_pattern, patterns)):
        for start in ("", "arn:aws:lambda:us-east-1:123456789012:"):
            for unit in ATTACKS:
                pattern.fullmatch(start + unit * (OVER_LONG // len(unit)) + "\0")


@pytest.mark.parametrize("pattern", LINEAR)
def test_patterns_written_anew_mean_the_same(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = compile_pattern(pattern)
    monkeypatch.setattr("cumulet.wire.validate.LINEAR", {})
    theirs = compile_pattern(pattern)
    assert ours is not None
    assert theirs is not None
    assert ours.pattern != theirs.pattern
    for length in range(6):
        for letters in itertools.product("aZ0 .\t@:", repeat=length):
            text = "".join(letters)
            assert bool(ours.fullmatch(text)) == bool(theirs.fullmatch(text)), text
