"""Functions: their life, their configuration, and what is refused."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import ECHO, package, payload


def test_a_new_function_has_the_defaults_of_aws(make: Callable[..., Any], functions: Any, account: str) -> None:
    created = make("defaults", Timeout=None)

    functions.get_waiter("function_active_v2").wait(FunctionName="defaults", WaiterConfig={"Delay": 0.2})
    found = functions.get_function(FunctionName="defaults")["Configuration"]

    assert created["State"] == "Pending"
    assert created["StateReasonCode"] == "Creating"
    assert found["State"] == "Active"
    assert found["LastUpdateStatus"] == "Successful"
    assert found["FunctionArn"] == f"arn:aws:lambda:us-east-1:{account}:function:defaults"
    assert (found["Version"], found["Timeout"], found["MemorySize"], found["Description"]) == ("$LATEST", 3, 128, "")
    assert found["PackageType"] == "Zip"
    assert found["Architectures"] == ["x86_64"]
    assert found["EphemeralStorage"] == {"Size": 512}
    assert found["TracingConfig"] == {"Mode": "PassThrough"}
    assert found["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    assert found["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/defaults"}
    assert found["RevisionId"] != created["RevisionId"]
    assert "Environment" not in found


def test_code_is_known_by_its_hash_and_size(make: Callable[..., Any]) -> None:
    data = package("def handler(event, context):\n    return event\n")
    created = make("hashed")

    assert created["CodeSha256"] == base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert created["CodeSize"] == len(data)


def test_a_name_is_taken_once(make: Callable[..., Any], functions: Any) -> None:
    make("twice")

    with pytest.raises(functions.exceptions.ResourceConflictException, match="Function already exist: twice"):
        make("twice")


def test_functions_are_listed_in_pages(make: Callable[..., Any], functions: Any) -> None:
    for number in range(3):
        make(f"listed-{number}")

    first = functions.list_functions(MaxItems=2)
    rest = functions.list_functions(Marker=first["NextMarker"])

    assert [function["FunctionName"] for function in first["Functions"]] == ["listed-0", "listed-1"]
    assert [function["FunctionName"] for function in rest["Functions"]] == ["listed-2"]
    assert "State" not in first["Functions"][0]
    assert "NextMarker" not in rest


@pytest.mark.parametrize("marker", ["é", "eA==", "YTpi", base64.b64encode(b"a:" + b"9" * 5000).decode()])
def test_markers_of_strangers_are_refused(make: Callable[..., Any], functions: Any, marker: str) -> None:
    make("marked")

    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="Invalid Marker"):
        functions.list_versions_by_function(FunctionName="marked", Marker=marker)
    if marker != "eA==":
        with pytest.raises(functions.exceptions.InvalidParameterValueException, match="Invalid Marker"):
            functions.list_functions(FunctionVersion="ALL", Marker=marker)


def test_a_deleted_function_is_gone(make: Callable[..., Any], functions: Any) -> None:
    make("gone")
    functions.delete_function(FunctionName="gone")

    with pytest.raises(functions.exceptions.ResourceNotFoundException, match=r"Function not found: .*:function:gone"):
        functions.get_function(FunctionName="gone")


def test_code_can_come_from_a_bucket(
    make: Callable[..., Any], functions: Any, client: Callable[..., Any], role: str, account: str
) -> None:
    bucket = client("s3")
    bucket.create_bucket(Bucket=f"code-{account}")
    bucket.put_object(
        Bucket=f"code-{account}", Key="a.zip", Body=package("def handler(event, context):\n    return 7\n")
    )

    functions.create_function(
        FunctionName="from-s3",
        Runtime="python3.11",
        Handler="index.handler",
        Role=role,
        Code={"S3Bucket": f"code-{account}", "S3Key": "a.zip"},
    )

    assert payload(functions.invoke(FunctionName="from-s3")) == 7


def test_a_missing_bucket_is_named(functions: Any, role: str) -> None:
    with pytest.raises(ClientError, match="S3 Error Code: NoSuchBucket") as caught:
        functions.create_function(
            FunctionName="none",
            Runtime="python3.11",
            Handler="index.handler",
            Role=role,
            Code={"S3Bucket": "no-such-bucket-anywhere", "S3Key": "a.zip"},
        )
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"Code": {"ZipFile": b"no zip"}}, "Could not unzip uploaded file"),
        ({"Code": {"ZipFile": b""}}, "Could not unzip uploaded file"),
        ({"Runtime": "python9.9"}, "Value python9.9 at 'runtime' failed to satisfy constraint"),
        ({"Runtime": "python3.7"}, "no longer supported for creating or updating"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "reserved keys .*: AWS_REGION"),
        ({"Environment": {"Variables": {"BIG": "x" * 5000}}}, "exceeded the 4KB limit. String measured: "),
        ({"Timeout": 901}, "less than or equal to 900"),
        ({"MemorySize": 10_241}, "less than or equal to 10240"),
        ({"Tags": {f"t{number}": "" for number in range(51)}}, "Number of tags exceeds resource tag limit"),
        ({"FunctionName": "x" * 65}, "less than or equal to 64"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_made(
    members: dict[str, Any], message: str, functions: Any, role: str
) -> None:
    request: dict[str, Any] = {
        "FunctionName": "refused",
        "Runtime": "python3.11",
        "Handler": "index.handler",
        "Role": role,
        "Code": {"ZipFile": package("x = 1")},
    }
    with pytest.raises(ClientError, match=message) as caught:
        functions.create_function(**(request | members))

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert functions.list_functions()["Functions"] == []


def test_a_runtime_that_the_node_lacks_fails_the_function(make: Callable[..., Any], functions: Any) -> None:
    make("fails", Runtime="dotnet6")

    with pytest.raises(functions.exceptions.ResourceConflictException, match="state: Failed"):
        functions.invoke(FunctionName="fails")
    found = functions.get_function_configuration(FunctionName="fails")
    assert (found["State"], found["StateReasonCode"]) == ("Failed", "InvalidRuntime")
    assert "dotnet6" in found["StateReason"]


def test_an_option_that_is_missing_says_so(make: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match="S3 Files are not implemented") as caught:
        make(
            "files",
            FileSystemConfigs=[
                {
                    "Arn": "arn:aws:s3files:us-east-1:111122223333:file-system/fs-0123456789abcdef0/access-point/fsap-0123456789abcdef0",
                    "LocalMountPath": "/mnt/a",
                }
            ],
        )
    assert caught.value.response["Error"]["Code"] == "NotImplemented"


def test_the_location_gives_the_code(
    make: Callable[..., Any], functions: Any, advance: Callable[[float], None]
) -> None:
    make("located")
    code = functions.get_function(FunctionName="located")["Code"]

    with urlopen(code["Location"]) as answer:
        assert answer.read() == package(ECHO)
    assert code["RepositoryType"] == "S3"
    for bad in (code["Location"][:-1], code["Location"].replace("expires=1", "expires=2")):
        with pytest.raises(HTTPError, match="403"):
            urlopen(bad)
    advance(601)
    with pytest.raises(HTTPError, match="403"):
        urlopen(code["Location"])


def test_requests_that_are_too_large(functions: Any, role: str) -> None:
    for size, message in [
        (53_000_000, "Request must be smaller than 70167211 bytes for the CreateFunction operation"),
        (52_428_801, "Zipped size must be smaller than 52428800 bytes"),
    ]:
        with pytest.raises(ClientError, match=message) as caught:
            functions.create_function(
                FunctionName="large", Runtime="python3.11", Handler="h.h", Role=role, Code={"ZipFile": bytes(size)}
            )
        assert caught.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_functions_are_made_in_the_own_account_and_region(make: Callable[..., Any], functions: Any) -> None:
    with pytest.raises(ClientError, match="another account") as caught:
        make("arn:aws:lambda:us-east-1:111122223333:function:theirs")
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match="not reachable in this region"):
        make("arn:aws:lambda:eu-west-1:111122223333:function:far")


def test_only_versions_are_deleted_by_qualifier(make: Callable[..., Any], functions: Any) -> None:
    make("whole")
    for qualifier, message in [("$LATEST", "without deleting the function"), ("name", "Deletion of aliases")]:
        with pytest.raises(functions.exceptions.InvalidParameterValueException, match=message):
            functions.delete_function(FunctionName="whole", Qualifier=qualifier)
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match=r":function:whole$"):
        functions.delete_function(FunctionName="whole", Qualifier="$latest")
