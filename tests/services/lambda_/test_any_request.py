"""Whatever is asked of Lambda, in whatever order, the answer is a result or an error of AWS: never the node's own failure."""

import base64
import functools
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import Shape
from botocore.response import StreamingBody
from tests.services.lambda_.conftest import ECHO, package

REQUESTS = 400
NAMES = ["ann", "ann:live", "ann:1", "bob", "nobody", "a" * 65]
ODD = [
    "",
    "*",
    "arn:",
    "$LATEST",
    "x\x00",
    "é",
    "\U0001f600",
    "{}",
    "null",
    "/",
    "../..",
    "a:b:c:d:e:f:g:h",
    "%2e",
    "9" * 40,
]
PACKAGES = [package(ECHO), b"", b"PK\x03\x04", package("def handler(e, c):\n    return 1\n")]
KNOWN: dict[str, list[Any]] = {
    "Action": ["lambda:InvokeFunction", "lambda:GetLayerVersion", "lambda:InvokeFunctionUrl", "x"],
    "BatchSize": [0, 1, 10, 10_000, 10**12],
    "CompatibleRuntimes": [["python3.11"], ["x"]],
    "DurableExecutionName": ["one", "two"],
    "FunctionVersion": ["1", "$LATEST", "7", "ALL"],
    "Handler": ["index.handler", "x"],
    "InvocationType": ["RequestResponse", "Event", "DryRun", "x"],
    "LayerName": ["layer", "l", "arn:aws:lambda:us-east-1:000000000000:layer:layer"],
    "MaxItems": [0, 1, 50, 10_000, -1],
    "Marker": ["", "x", "bob", "MTIz", "e30=", "9" * 40, "nan x", "1e999 x"],
    "Name": ["live", "new", "1"],
    "Payload": [b"{}", b"", b"{", b"[" * 200_000, b'{"a": NaN}', b"\xff"],
    "Principal": ["*", "s3.amazonaws.com", "111122223333", "x"],
    "Qualifier": ["1", "live", "$LATEST", "2", "x"],
    "Runtime": ["python3.11", "provided.al2023", "python2.7", "x"],
    "StatementId": ["a", "b"],
    "Timeout": [1, 900, 901, 0],
    "MemorySize": [128, 10_241, -1],
    "VersionNumber": [1, 2, 0, 10**18, 10**30],
    "ReservedConcurrentExecutions": [0, 1, 10**9],
    "ProvisionedConcurrentExecutions": [0, 1, 10**9],
}
Dice = random.Random


class Requests:
    """Requests made from the service's model, with names and ARNs that often mean something."""

    def __init__(self, account: str, arns: list[str], dice: Dice) -> None:
        self._arns = [*arns, f"arn:aws:iam::{account}:role/r", f"arn:aws:sqs:us-east-1:{account}:queue"]
        self._dice = dice

    def make(self, shape: Shape | None) -> dict[str, Any]:
        return {} if shape is None else self._structure(shape, 0)

    def _structure(self, shape: Any, depth: int) -> dict[str, Any]:
        chance = 0.35 if depth else 0.4
        return {
            name: self._value(member, name, depth + 1)
            for name, member in shape.members.items()
            if self._dice.random() < (0.98 if name in shape.required_members else chance)
        }

    def _value(self, shape: Any, name: str, depth: int) -> Any:
        dice = self._dice
        if name in KNOWN and dice.random() < 0.9:
            return dice.choice(KNOWN[name])
        kind = shape.type_name
        if kind == "structure":
            return self._structure(shape, depth) if depth < 6 else {}
        if kind == "list":
            return [
                self._value(shape.member, name.removesuffix("s"), depth + 1) for _ in range(dice.choice([0, 1, 1, 2]))
            ]
        if kind == "map":
            return {
                self._text(shape.key, "key"): self._value(shape.value, "value", depth + 1)
                for _ in range(dice.choice([0, 1, 2]))
            }
        if kind == "string":
            return self._text(shape, name)
        if kind == "blob":
            return dice.choice(PACKAGES)
        if kind in {"integer", "long"}:
            least, most = (shape.metadata.get(bound, usual) for bound, usual in (("min", 0), ("max", 1_000)))
            return dice.choice([least, most, (least + most) // 2] if dice.random() < 0.9 else [-1, 10**10, 2**63])
        simple: dict[str, list[Any]] = {"boolean": [True, False], "timestamp": [0, 1.5, 2_000_000_000]}
        return dice.choice(simple.get(kind, [0.0, 0.5, 2.0, -1.0]))

    def _text(self, shape: Any, name: str) -> str:
        dice = self._dice
        if dice.random() < 0.05:
            return dice.choice(ODD)
        if shape.enum and dice.random() < 0.95:
            return str(dice.choice(shape.enum))
        if name == "CheckpointToken":
            return base64.b64encode(dice.randbytes(12)).decode()
        pattern = shape.metadata.get("pattern")
        fitting = [one for one in (*self._arns, *NAMES) if pattern and _fits(pattern, one)]
        if name.lower().endswith(("arn", "resource", "uri", "destination")):
            fitting = [one for one in fitting if ":" in one]
        return dice.choice(fitting if fitting and dice.random() < 0.95 else [*self._arns, *NAMES])


@functools.cache
def _fits(pattern: str, text: str) -> bool:
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error:  # Java has classes that Python has not
        return False


@pytest.fixture
def arns(client: Callable[..., Any], role: str, account: str) -> Iterator[list[str]]:
    """Of things that are there."""
    functions = client("lambda")
    code = {"ZipFile": package(ECHO)}
    made = [
        functions.create_function(
            FunctionName=name, Runtime="python3.11", Handler="index.handler", Role=role, Code=code, Publish=True
        )["FunctionArn"]
        for name in ("ann", "bob")
    ]
    functions.get_waiter("function_active_v2").wait(FunctionName="ann")
    functions.create_alias(FunctionName="ann", Name="live", FunctionVersion="1")
    layer = functions.publish_layer_version(LayerName="layer", Content=code)
    client("sqs").create_queue(QueueName="queue")
    mapping = functions.create_event_source_mapping(
        FunctionName="bob", EventSourceArn=f"arn:aws:sqs:us-east-1:{account}:queue"
    )
    signing = functions.create_code_signing_config(
        AllowedPublishers={
            "SigningProfileVersionArns": [f"arn:aws:signer:us-east-1:{account}:/signing-profiles/p/aaaaaaaaaa"]
        }
    )["CodeSigningConfig"]["CodeSigningConfigArn"]
    durable = (
        f"arn:aws:lambda:us-east-1:{account}:function:ann:1/durable-execution/one/00000000-0000-0000-0000-000000000000"
    )
    yield [*made, layer["LayerArn"], layer["LayerVersionArn"], mapping["UUID"], signing, durable]
    for listed in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.delete_event_source_mapping(UUID=listed["UUID"])


@pytest.mark.parametrize("seed", range(2))
def test_a_result_or_an_aws_error(client: Callable[..., Any], account: str, arns: list[str], seed: int) -> None:
    dice = random.Random(seed)
    settings = Config(parameter_validation=False, retries={"total_max_attempts": 1}, read_timeout=60)
    functions = client("lambda", config=settings)
    requests = Requests(account, arns, dice)
    operations = sorted(functions.meta.service_model.operation_names)
    failed, succeeded = [], 0
    for _ in range(REQUESTS):
        operation = dice.choice(operations)
        request = requests.make(functions.meta.service_model.operation_model(operation).input_shape)
        try:
            answer = functions._make_api_call(operation, request)
            for part in answer.values():
                if isinstance(part, StreamingBody):
                    part.read()
            list(answer.get("EventStream", ()))
        except ClientError as error:
            code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            said = error.response["Error"].get("Message")
            if not code or not said or (status >= 500 and code not in {"ServiceException", "NotImplemented"}):
                failed.append((operation, code, request))
        except (BotoCoreError, TypeError, ValueError, AttributeError, LookupError):
            continue  # botocore could not send it
        else:
            succeeded += 1
    assert failed == []
    assert succeeded > REQUESTS // 20
