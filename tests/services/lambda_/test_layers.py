"""Layers: their versions, who may use them, and what functions see of them."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Callable
from typing import Any
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import package, payload

IMPORTING = "import greeting\n\ndef handler(event, context):\n    return greeting.WORD\n"


@pytest.fixture
def publish(functions: Any) -> Callable[..., Any]:
    """`publish("name", word)` publishes a layer whose Python module `greeting` has WORD."""

    def make(name: str, word: str = "hello", **members: Any) -> Any:
        content = package(f"WORD = {word!r}\n", "python/greeting.py")
        return functions.publish_layer_version(LayerName=name, Content={"ZipFile": content}, **members)

    return make


def test_a_layer_has_numbered_versions(publish: Callable[..., Any], functions: Any, account: str) -> None:
    first = publish("numbered", CompatibleRuntimes=["python3.11"], LicenseInfo="MIT", Description="one")
    second = publish("numbered")
    functions.delete_layer_version(LayerName="numbered", VersionNumber=2)
    third = publish("numbered")

    arn = f"arn:aws:lambda:us-east-1:{account}:layer:numbered"
    assert (first["LayerArn"], first["LayerVersionArn"], first["Version"]) == (arn, f"{arn}:1", 1)
    assert first["Content"]["CodeSize"] == len(package("WORD = 'hello'\n", "python/greeting.py"))
    assert "CompatibleArchitectures" not in first
    assert (second["Version"], third["Version"]) == (2, 3)
    listed = functions.list_layer_versions(LayerName="numbered")["LayerVersions"]
    assert [version["Version"] for version in listed] == [3, 1]
    assert listed[1]["LicenseInfo"] == "MIT"
    found = functions.get_layer_version_by_arn(Arn=f"{arn}:1")
    assert {**found, "Content": 0, "ResponseMetadata": 0} == {**first, "Content": 0, "ResponseMetadata": 0}
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match="you requested does not exist"):
        functions.get_layer_version(LayerName="numbered", VersionNumber=2)
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="Cannot be less than 1"):
        functions.get_layer_version(LayerName="numbered", VersionNumber=0)


def test_the_location_gives_the_layer(publish: Callable[..., Any], functions: Any) -> None:
    publish("located")
    content = functions.get_layer_version(LayerName="located", VersionNumber=1)["Content"]

    with urlopen(content["Location"]) as answer:
        data = answer.read()
    assert base64.b64encode(hashlib.sha256(data).digest()).decode() == content["CodeSha256"]


def test_layers_are_listed_with_their_newest_match(publish: Callable[..., Any], functions: Any) -> None:
    publish("a", CompatibleRuntimes=["python3.11"], CompatibleArchitectures=["x86_64"])
    publish("a", CompatibleRuntimes=["nodejs20.x"])
    publish("b", CompatibleRuntimes=["python3.11", "python3.7"])

    def found(**members: Any) -> list[tuple[str, int]]:
        layers = functions.list_layers(**members)["Layers"]
        return [(layer["LayerName"], layer["LatestMatchingVersion"]["Version"]) for layer in layers]

    assert found() == [("a", 2), ("b", 1)]
    assert found(CompatibleRuntime="python3.11") == [("a", 1), ("b", 1)]
    assert found(CompatibleArchitecture="x86_64") == [("a", 1)]
    page = functions.list_layers(MaxItems=1)
    assert [layer["LayerName"] for layer in page["Layers"]] == ["a"]
    assert found(Marker=page["NextMarker"]) == [("b", 1)]
    versions = functions.list_layer_versions(LayerName="a", MaxItems=1)
    rest = functions.list_layer_versions(LayerName="a", Marker=versions["NextMarker"])
    assert [version["Version"] for version in rest["LayerVersions"]] == [1]
    with pytest.raises(ClientError, match=r"Value 'p' at 'compatibleRuntime' failed .*: \[ruby3.5, "):
        functions.list_layers(CompatibleRuntime="p")


def test_both_lists_of_a_layer_are_checked_at_once(publish: Callable[..., Any]) -> None:
    with pytest.raises(
        ClientError, match=r"2 validation errors detected: Value '\[x\]' at 'compatibleRuntimes'.*; Value"
    ):
        publish("checked", CompatibleRuntimes=["x"], CompatibleArchitectures=["y"])


def test_a_function_imports_from_its_layers_and_the_last_wins(
    publish: Callable[..., Any], make: Callable[..., Any], functions: Any
) -> None:
    first, second = publish("one", "one")["LayerVersionArn"], publish("two", "two")["LayerVersionArn"]
    created = make("layered", IMPORTING, Layers=[first, second])

    assert [layer["Arn"] for layer in created["Layers"]] == [first, second]
    assert created["Layers"][0]["CodeSize"] > 0
    assert payload(functions.invoke(FunctionName="layered")) == "two"

    changed = functions.update_function_configuration(FunctionName="layered", Layers=[second, first])
    assert [layer["Arn"] for layer in changed["Layers"]] == [second, first]
    assert payload(functions.invoke(FunctionName="layered")) == "one"

    bare = functions.update_function_configuration(FunctionName="layered", Layers=[])
    assert "Layers" not in bare
    assert "No module named 'greeting'" in payload(functions.invoke(FunctionName="layered"))["errorMessage"]


def test_a_deleted_layer_stays_for_those_who_have_it(
    publish: Callable[..., Any], make: Callable[..., Any], functions: Any
) -> None:
    arn = publish("kept", "kept")["LayerVersionArn"]
    make("keeper", IMPORTING, Layers=[arn])
    published = functions.publish_version(FunctionName="keeper")
    functions.delete_layer_version(LayerName="kept", VersionNumber=1)
    functions.update_function_configuration(FunctionName="keeper", Layers=[])

    assert published["Layers"][0]["Arn"] == arn
    assert payload(functions.invoke(FunctionName="keeper", Qualifier="1")) == "kept"
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="does not exist"):
        functions.update_function_configuration(FunctionName="keeper", Layers=[arn])


def test_a_new_version_is_published_for_other_layers(
    publish: Callable[..., Any], make: Callable[..., Any], functions: Any
) -> None:
    make("publishing", IMPORTING, Layers=[publish("p")["LayerVersionArn"]])
    assert functions.publish_version(FunctionName="publishing")["Version"] == "1"
    functions.update_function_configuration(FunctionName="publishing", Layers=[])
    assert functions.publish_version(FunctionName="publishing")["Version"] == "2"


def test_layers_that_cannot_be(
    publish: Callable[..., Any], make: Callable[..., Any], functions: Any, client: Any
) -> None:
    first, second = publish("same")["LayerVersionArn"], publish("same")["LayerVersionArn"]
    there = client("lambda", region="eu-west-1")
    content = {"ZipFile": package("x = 1")}
    far = there.publish_layer_version(LayerName="far", Content=content)["LayerVersionArn"]
    others = [publish(f"l{number}")["LayerVersionArn"] for number in range(6)]

    for layers, message in [
        ([first, second], f"Two different versions of the same layer .* {first} and {second} are versions"),
        ([first, first], f"{first} and {first} are versions of the same layer"),
        ([f"{first}9"], f"Layer version {first}9 does not exist"),
        ([far], "not in the same region as the function. Layers are expected to be in region us-east-1"),
        (others, "Cannot reference more than 5 layers"),
    ]:
        with pytest.raises(functions.exceptions.InvalidParameterValueException, match=message):
            make("refused", Layers=layers)
    assert functions.list_functions()["Functions"] == []


def test_code_and_layers_share_the_room(publish: Callable[..., Any], make: Callable[..., Any], functions: Any) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(130 * 1024 * 1024))
    big = out.getvalue()
    layer = functions.publish_layer_version(LayerName="big", Content={"ZipFile": big})["LayerVersionArn"]
    make("roomy", Layers=[layer])

    with pytest.raises(
        functions.exceptions.InvalidParameterValueException, match=r"combined with layers exceeds .*262144000"
    ):
        functions.update_function_code(FunctionName="roomy", ZipFile=big)


def test_policies_of_layer_versions(publish: Callable[..., Any], functions: Any) -> None:
    publish("shared")
    layer = {"LayerName": "shared", "VersionNumber": 1}
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match="No policy is associated"):
        functions.get_layer_version_policy(**layer)
    added = functions.add_layer_version_permission(
        **layer, StatementId="s1", Action="lambda:GetLayerVersion", Principal="111122223333"
    )

    policy = functions.get_layer_version_policy(**layer)
    assert '"AWS":"arn:aws:iam::111122223333:root"' in policy["Policy"]
    assert policy["RevisionId"] == added["RevisionId"]
    with pytest.raises(functions.exceptions.ResourceConflictException, match=r"The statement id \(s1\)"):
        functions.add_layer_version_permission(
            **layer, StatementId="s1", Action="lambda:GetLayerVersion", Principal="*"
        )
    with pytest.raises(functions.exceptions.PreconditionFailedException, match="Call the GetLayerPolicy API"):
        functions.remove_layer_version_permission(**layer, StatementId="s1", RevisionId="wrong")
    functions.remove_layer_version_permission(**layer, StatementId="s1")
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match="Statement s1 is not found"):
        functions.remove_layer_version_permission(**layer, StatementId="s1")


def test_layers_come_from_a_bucket_too(functions: Any, client: Callable[..., Any], account: str) -> None:
    bucket = client("s3")
    bucket.create_bucket(Bucket=f"layers-{account}")
    bucket.put_object(Bucket=f"layers-{account}", Key="l.zip", Body=package("x = 1"))

    published = functions.publish_layer_version(
        LayerName="from-s3", Content={"S3Bucket": f"layers-{account}", "S3Key": "l.zip"}
    )
    assert published["Content"]["CodeSize"] == len(package("x = 1"))


def test_layers_are_published_in_the_own_account(publish: Callable[..., Any], functions: Any) -> None:
    with pytest.raises(ClientError, match="another account") as caught:
        publish("arn:aws:lambda:us-east-1:111122223333:layer:theirs")
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    arn = publish("mine")["LayerArn"]
    assert publish(arn)["LayerVersionArn"] == f"{arn}:2"


def test_other_accounts_need_the_permission(start_node: Callable[..., Any]) -> None:
    node = start_node("--iam", "enforce")
    owner, other = node.client("lambda", "111122223333"), node.client("lambda", "444455556666")
    arn = owner.publish_layer_version(LayerName="mine", Content={"ZipFile": package("x = 1")})["LayerVersionArn"]

    with pytest.raises(ClientError, match="not authorized to perform: lambda:GetLayerVersion on resource: ") as caught:
        other.get_layer_version_by_arn(Arn=arn)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    owner.add_layer_version_permission(
        LayerName="mine", VersionNumber=1, StatementId="s", Action="lambda:GetLayerVersion", Principal="444455556666"
    )
    assert other.get_layer_version_by_arn(Arn=arn)["Version"] == 1
    assert other.get_layer_version(LayerName=arn.rpartition(":")[0], VersionNumber=1)["Version"] == 1


def archive(**files: str) -> bytes:
    """A package of files by path; programs can be executed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o755 << 16
            made.writestr(info, text)
    return out.getvalue()


def test_node_js_finds_modules_of_layers(make: Callable[..., Any], functions: Any, node: Any) -> None:
    runtime = next(
        (name for name in node.get(node.endpoint + "/_cumulet/status")["runtimes"] if "nodejs" in name), None
    )
    if runtime is None:
        pytest.skip("no Node.js on this machine")
    files = {"nodejs/node_modules/greeting/index.js": "module.exports = 'from a layer';"}
    layer = functions.publish_layer_version(LayerName="modules", Content={"ZipFile": archive(**files)})
    source = "exports.handler = async () => require('greeting');"
    make("node", Code={"ZipFile": package(source, "index.js")}, Runtime=runtime, Layers=[layer["LayerVersionArn"]])

    assert payload(functions.invoke(FunctionName="node")) == "from a layer"


def test_a_layer_can_be_the_runtime_and_its_programs_are_found(make: Callable[..., Any], functions: Any) -> None:
    bootstrap = """#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while true; do
    event=$(curl -sS -D /tmp/head "$api/next")
    id=$(grep -i '^lambda-runtime-aws-request-id:' /tmp/head | tr -d '\\r' | cut -d' ' -f2)
    curl -sS -o /dev/null -d "\\"$(answer) $(cat /var/task/word)\\"" "$api/$id/response"
done
"""
    files = {"bootstrap": bootstrap, "bin/answer": "#!/bin/sh\necho hello\n"}
    layer = functions.publish_layer_version(LayerName="runtime", Content={"ZipFile": archive(**files)})
    make(
        "own",
        Code={"ZipFile": archive(word="world")},
        Runtime="provided.al2023",
        Handler="any",
        Layers=[layer["LayerVersionArn"]],
    )

    assert payload(functions.invoke(FunctionName="own")) == "hello world"
