"""Images of MicroVMs: built from a package with a Dockerfile, in versions; what comes of those that cannot be."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.images.test_images import Registry, layer, program
from tests.services.lambda_.microvms.conftest import FILES, Microvms, until

INTERNET = "arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector:INTERNET_EGRESS"


def refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**request)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_an_image_has_versions(microvms: Microvms) -> None:
    api = microvms.api
    request = microvms.asked(environmentVariables={"COLOUR": "blue"}, description="first", tags={"team": "a"})
    made = api.create_microvm_image(name="counter", **request)
    arn = made["imageArn"]
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert arn.endswith(":microvm-image:counter")
    assert (made["state"], made["imageVersion"], made["baseImageVersion"]) == ("CREATING", "1.0", "1.0")
    assert (made["egressNetworkConnectors"], made["tags"]) == ([INTERNET], {"team": "a"})
    assert "latestActiveImageVersion" not in made
    assert (
        refused(api.delete_microvm_image, imageIdentifier=arn)[1] == "Cannot delete MicroVM image in its current state"
    )
    version = microvms.built(arn)
    assert (version["state"], version["status"], version["description"]) == ("SUCCESSFUL", "ACTIVE", "first")
    image = api.get_microvm_image(imageIdentifier=arn)
    assert (image["state"], image["latestActiveImageVersion"], image["tags"]) == ("CREATED", "1.0", {"team": "a"})
    (build,) = api.list_microvm_image_builds(imageIdentifier=arn, imageVersion="1.0")["items"]
    assert build["buildState"] == "SUCCESSFUL"
    shown = api.get_microvm_image_build(imageIdentifier=arn, imageVersion="1.0", buildId=build["buildId"])
    assert shown["snapshotBuild"]["memorySnapshotSizeInBytes"] > 1_000_000
    assert shown["snapshotBuild"]["codeInstallSizeInBytes"] == len(FILES["app.py"])
    other = {"ARM_64": "X86_64", "X86_64": "ARM_64"}[build["architecture"]]
    assert api.list_microvm_image_builds(imageIdentifier=arn, imageVersion="1.0", architecture=other)["items"] == []

    updated = api.update_microvm_image(
        imageIdentifier=arn, **microvms.asked({**FILES, "Dockerfile": FILES["Dockerfile"] + "ENV COLOUR=red\n"})
    )
    assert (updated["state"], updated["imageVersion"], updated["latestActiveImageVersion"]) == (
        "UPDATING",
        "2.0",
        "1.0",
    )
    assert microvms.built(arn, "2.0")["state"] == "SUCCESSFUL"
    image = api.get_microvm_image(imageIdentifier=arn)
    assert (image["state"], image["latestActiveImageVersion"]) == ("UPDATED", "2.0")
    newest, first = microvms.run(arn), microvms.run(arn, imageVersion="1.0")
    assert (newest["imageVersion"], first["imageVersion"]) == ("2.0", "1.0")
    assert [json.loads(microvms.ask(vm, "/env")[1])["COLOUR"] for vm in (newest, first)] == ["red", "blue"]
    versions = api.list_microvm_image_versions(imageIdentifier=arn)["items"]
    assert [one["imageVersion"] for one in versions] == ["2.0", "1.0"]

    changed = api.update_microvm_image_version(imageIdentifier=arn, imageVersion="2.0", status="INACTIVE")
    assert changed["status"] == "INACTIVE"
    assert api.get_microvm_image(imageIdentifier=arn)["latestActiveImageVersion"] == "1.0"
    assert microvms.run(arn)["imageVersion"] == "1.0"
    assert refused(api.run_microvm, imageIdentifier=arn, imageVersion="2.0")[0] == "ValidationException"
    busy = refused(api.delete_microvm_image_version, imageIdentifier=arn, imageVersion="2.0")
    assert busy[0] == "ConflictException"
    listed = api.list_microvms(imageIdentifier=arn, imageVersion="1.0")["items"]
    assert len(listed) == 2
    microvms.end()
    for id in microvms.started:
        microvms.reaches(id, "TERMINATED")
    gone = api.delete_microvm_image_version(imageIdentifier=arn, imageVersion="2.0")
    assert (gone["imageIdentifier"], gone["state"]) == (arn, "DELETING")
    missing = refused(api.get_microvm_image_version, imageIdentifier=arn, imageVersion="2.0")
    assert missing == ("ResourceNotFoundException", f"MicroVMImage not found for MicroVMImage: {arn}, Version: 2.0")
    assert (
        refused(api.delete_microvm_image_version, imageIdentifier=arn, imageVersion="1.0")[0] == "ValidationException"
    )
    assert api.delete_microvm_image(imageIdentifier=arn)["state"] == "DELETING"
    until(lambda: api.list_microvm_images(nameFilter="counter")["items"] == [])
    assert api.delete_microvm_image(imageIdentifier=arn)["state"] == "DELETED"
    unknown = refused(api.get_microvm_image, imageIdentifier=arn)
    assert unknown == ("ResourceNotFoundException", f"MicroVMImage not found for MicroVMImageID: {arn}")
    assert refused(api.run_microvm, imageIdentifier=arn)[1] == f"No active version found for MicroVM image {arn}"


def test_steps_of_a_dockerfile(microvms: Microvms) -> None:
    dockerfile = """
        # a comment
        ARG BASE=public.ecr.aws/lambda/microvms:al2023-minimal
        FROM $BASE AS whole
        ARG WHERE=/srv/data
        ENV WHERE=${WHERE:-/nowhere} GREETING="hello there"
        WORKDIR $WHERE
        COPY lib/ /opt/lib/
        COPY --chown=1000:1000 ["one file.txt", "/opt/"]
        ADD *.txt more/
        RUN echo "$GREETING" > said.txt && \\
            mkdir -p /usr/local/lib/own && rm -f /opt/lib/gone.txt && ln -s said.txt link
        RUN ["/bin/sh", "-c", "pwd > here"]
        EXPOSE 8080/tcp
        COPY app.py /app/
        ENTRYPOINT ["python3", "/app/app.py"]
        CMD ["8080"]
    """
    files = {"Dockerfile": dockerfile, "lib/kept.txt": "kept", "lib/gone.txt": "gone", "one file.txt": "one"}
    ignored = {".dockerignore": "# none of these\nsecret.txt\n", "secret.txt": "secret", "b.txt": "b"}
    vm = microvms.run(microvms.image("steps", {**files, **ignored, "app.py": FILES["app.py"]}))

    def read(path: str) -> Any:
        status, body = microvms.ask(vm, "/write", method="POST", body=f"{path} ")
        return json.loads(body) if status == 200 else status

    assert json.loads(microvms.ask(vm)[1])["folder"] == "/srv/data"
    expected = {
        "/opt/lib/kept.txt": "kept",
        "/opt/lib/gone.txt": "",
        "/opt/one file.txt": "one",
        "/srv/data/more/b.txt": "b",
        "/srv/data/more/secret.txt": "",
        "/srv/data/link": "hello there\n",
        "/srv/data/here": "/srv/data\n",
    }
    assert {path: read(path) for path in expected if " " not in path} == {
        path: text for path, text in expected.items() if " " not in path
    }
    assert json.loads(microvms.ask(vm, "/env")[1])["WHERE"] == "/srv/data"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"app.py": ""}, "ARCHIVE_DOCKERFILE_NOT_FOUND"),
        ({"Dockerfile": "FROM scratch\nRUN exit 7\nCMD x"}, "returned a non-zero code: 7"),
        ({"Dockerfile": "FROM scratch\nCOPY nothing /\nCMD x"}, "nothing is not in the package"),
        ({"Dockerfile": "FROM scratch\nCOPY ../../etc/shadow /\nCMD x"}, "etc/shadow is not in the package"),
        ({"Dockerfile": "FROM scratch\n"}, "neither ENTRYPOINT nor CMD"),
        ({"Dockerfile": "CMD x"}, "line 1"),
        ({"Dockerfile": "FROM scratch\nJUMP 3"}, "unknown instruction: JUMP"),
        ({"Dockerfile": "FROM nobody/nothing:1\nCMD x"}, "not in this node's registry"),
        ({"Dockerfile": "FROM scratch\nCMD exit 3"}, "The application ended: exit status 3."),
        ({"Dockerfile": 'FROM scratch\nCMD ["/no/such"]'}, "no such file or directory"),
    ],
)
def test_builds_that_fail_say_why(microvms: Microvms, files: dict[str, str], reason: str) -> None:
    arn = microvms.api.create_microvm_image(name="bad", **microvms.asked(files))["imageArn"]
    version = microvms.built(arn)
    assert (version["state"], version["status"]) == ("FAILED", "INACTIVE")
    assert reason in version["stateReason"]
    image = microvms.api.get_microvm_image(imageIdentifier=arn)
    assert (image["state"], image["latestFailedImageVersion"]) == ("CREATE_FAILED", "1.0")
    (build,) = microvms.api.list_microvm_image_builds(imageIdentifier=arn, imageVersion="1.0")["items"]
    assert (build["buildState"], build["stateReason"]) == ("FAILED", version["stateReason"])


def test_packages_that_are_not_there(microvms: Microvms) -> None:
    request = microvms.asked()
    microvms.s3.put_object(Bucket=microvms.bucket, Key="text.zip", Body=b"no zip at all")
    for name, uri, reason in (
        ("one", f"s3://{microvms.bucket}/missing.zip", "S3_NO_SUCH_KEY"),
        ("two", "s3://there-is-no-such-bucket-anywhere/missing.zip", "S3_NO_SUCH_BUCKET"),
        ("three", f"s3://{microvms.bucket}/text.zip", "ARCHIVE_INVALID"),
    ):
        arn = microvms.api.create_microvm_image(name=name, **{**request, "codeArtifact": {"uri": uri}})["imageArn"]
        assert microvms.built(arn)["stateReason"] == reason


def test_an_image_from_the_registry(microvms: Microvms, endpoint: str, account: str) -> None:
    registry = Registry(endpoint, account)
    content = layer({"bin/program": program(), "data/below.txt": b"below"})
    registry.push("tools", "v1", [content], Entrypoint=["/bin/program"], Env=["FROM_IMAGE=yes"], WorkingDir="/data")
    files = {"Dockerfile": 'FROM tools:v1\nCOPY own.txt /data/\nCMD ["one"]', "own.txt": "own"}
    arn = microvms.api.create_microvm_image(name="tools", **microvms.asked(files))["imageArn"]
    version = microvms.built(arn)
    # The program speaks the Runtime API, which no MicroVM has: that it was started is all that is to be seen here.
    assert "The application ended" in version.get("stateReason", "The application ended")


def test_what_is_written_is_logged(microvms: Microvms) -> None:
    arn = microvms.image("told", {**FILES, "Dockerfile": FILES["Dockerfile"] + "RUN echo the steps speak\n"})
    vm = microvms.run(arn, executionRoleArn=microvms.role)
    silent = microvms.run(arn)
    own = {"cloudWatch": {"logGroup": "/own/group", "logStream": "one"}}
    elsewhere = microvms.run(arn, executionRoleArn=microvms.role, logging=own)
    assert elsewhere["state"] == "RUNNING"

    def messages(group: str) -> dict[str, list[str]]:
        try:
            events = microvms.logs.filter_log_events(logGroupName=group)["events"]
        except ClientError:
            return {}
        streams: dict[str, list[str]] = {}
        for event in events:
            streams.setdefault(event["logStreamName"], []).append(event["message"].strip())
        return streams

    group = "/aws/lambda-microvms/told"
    until(lambda: "the program begins" in messages(group).get(vm["microvmId"], []))
    until(lambda: messages("/own/group") == {"one": ["the program begins"]})
    (build,) = microvms.api.list_microvm_image_builds(imageIdentifier=arn, imageVersion="1.0")["items"]
    told = messages(group)
    assert "the steps speak" in told[f"build/1.0/{build['buildId']}"]
    assert silent["microvmId"] not in told


def test_the_role_is_found_inside(microvms: Microvms) -> None:
    vm = microvms.run(microvms.image("roles"), executionRoleArn=microvms.role)
    environment = json.loads(microvms.ask(vm, "/env")[1])
    assert environment["AWS_REGION"] == "us-east-1"
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"].startswith("http://127.0.0.1:")
    asks = FILES["app.py"].replace(
        'if self.path == "/count":',
        'if self.path == "/role":\n            import urllib.request\n'
        '            asked = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])\n'
        '            asked.add_header("Authorization", os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"])\n'
        "            self.answer(json.load(urllib.request.urlopen(asked)))\n"
        '        elif self.path == "/count":',
    )
    vm = microvms.run(microvms.image("asks", {**FILES, "app.py": asks}), executionRoleArn=microvms.role)
    found = json.loads(microvms.ask(vm, "/role")[1])
    assert found["RoleArn"] == microvms.role
    assert found["AccessKeyId"]
    assert found["Expiration"].endswith("Z")


def test_tags(microvms: Microvms) -> None:
    arn = microvms.api.create_microvm_image(name="tagged", **microvms.asked(), tags={"a": "1"})["imageArn"]
    microvms.api.tag_resource(Resource=arn, Tags={"b": "2", "c": "3"})
    microvms.api.untag_resource(Resource=arn, TagKeys=["a", "c"])
    assert microvms.api.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    assert refused(microvms.api.tag_resource, Resource=arn, Tags={"aws:x": "1"})[0] == "ValidationException"
    assert refused(microvms.api.list_tags, Resource=arn + "x")[0] == "ResourceNotFoundException"
    many = {f"k{number}": "" for number in range(60)}
    assert refused(microvms.api.tag_resource, Resource=arn, Tags=many)[0] == "ValidationException"
    assert microvms.api.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    microvms.built(arn)


def test_managed_images(microvms: Microvms) -> None:
    (base,) = microvms.api.list_managed_microvm_images()["items"]
    assert base["imageArn"] == microvms.base
    first = microvms.api.list_managed_microvm_image_versions(imageIdentifier=microvms.base, maxResults=1)
    assert [one["imageVersion"] for one in first["items"]] == ["1"]
    rest = microvms.api.list_managed_microvm_image_versions(imageIdentifier=microvms.base, nextToken=first["nextToken"])
    assert [(one["imageVersion"], one["status"]) for one in rest["items"]] == [("0", "AVAILABLE")]


def test_requests_that_mean_nothing(microvms: Microvms) -> None:
    api, request = microvms.api, microvms.asked()
    wrong: list[dict[str, Any]] = [
        {"baseImageArn": "arn:aws:lambda:us-east-1:aws:microvm-image:windows"},
        {"baseImageVersion": "99"},
        {"codeArtifact": {"uri": "https://example.com/a.zip"}},
        {"resources": [{"minimumMemoryInMiB": 1000}]},
        {
            "egressNetworkConnectors": [
                "arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector:NO_INGRESS"
            ]
        },
        {"egressNetworkConnectors": ["nothing"]},
        {"hooks": {"microvmHooks": {"run": "ENABLED"}}},
        {"hooks": {"port": 9000, "microvmHooks": {"run": "SOMETIMES"}}},
        {"environmentVariables": {"AWS_REGION": "x"}},
        {"tags": {"aws:own": "x"}},
        {"name": "bad name!"},
        {"buildRoleArn": "arn:aws:iam::123456789012:user/somebody-else"},
    ]
    for one in wrong:
        assert refused(api.create_microvm_image, **{"name": "wrong", **request, **one})[0] == "ValidationException", one
    said = refused(api.create_microvm_image, name="bad name!", **request)[1]
    assert said == (
        "1 validation error detected: Value 'bad name!' at 'name' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+"
    )
    assert api.list_microvm_images()["items"] == []
    arn = microvms.image()
    assert refused(api.create_microvm_image, name="counter", **request)[1] == (
        "MicroVM image with name counter already exists"
    )
    runs: list[dict[str, Any]] = [
        {"idlePolicy": {"maxIdleDurationSeconds": 59, "suspendedDurationSeconds": 1, "autoResumeEnabled": True}},
        {"idlePolicy": {"maxIdleDurationSeconds": 30_000, "suspendedDurationSeconds": 1, "autoResumeEnabled": True}},
        {"maximumDurationInSeconds": 28_801},
        {"ingressNetworkConnectors": ["arn:aws:lambda:us-east-1:123456789012:network-connector:mine"]},
        {"egressNetworkConnectors": ["arn:aws:lambda:eu-west-1:123456789012:network-connector:elsewhere"]},
        {"logging": {"cloudWatch": {"logGroup": "no spaces"}}},
        {"runHookPayload": "x" * 5000},
        {"imageIdentifier": "arn:aws:lambda:eu-west-1:123456789012:microvm-image:elsewhere"},
    ]
    for one in runs:
        assert refused(api.run_microvm, **{"imageIdentifier": arn, **one})[0] == "ValidationException", one
    missing = refused(api.run_microvm, imageIdentifier=arn, imageVersion="9.0")
    assert missing == ("ResourceNotFoundException", f"MicroVMImage not found for MicroVMImage: {arn}, Version: 9.0")
    assert api.list_microvms()["items"] == []


def test_a_token_that_comes_again_changes_nothing(microvms: Microvms) -> None:
    request = microvms.asked(clientToken="one")
    made = microvms.api.create_microvm_image(name="once", **request)
    assert microvms.api.create_microvm_image(name="once", **request)["imageArn"] == made["imageArn"]
    other = refused(microvms.api.create_microvm_image, name="once", **{**request, "description": "another"})
    assert other[0] == "ConflictException"
    microvms.built(made["imageArn"])
    vm = microvms.run(made["imageArn"], clientToken="two")
    again = microvms.api.run_microvm(imageIdentifier=made["imageArn"], clientToken="two")
    assert again["microvmId"] == vm["microvmId"]
    changed = refused(
        microvms.api.run_microvm, imageIdentifier=made["imageArn"], clientToken="two", maximumDurationInSeconds=60
    )
    assert changed[0] == "ConflictException"
