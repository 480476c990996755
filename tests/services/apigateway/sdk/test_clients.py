"""Clients of an API: generated, and used against the running API where this machine has the language."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

MOCK = {
    "type": "mock",
    "requestTemplates": {"application/json": '{"statusCode": 200}'},
    "responses": {
        "default": {
            "statusCode": "200",
            "responseTemplates": {
                "application/json": """{"id": "$input.params('id')", "q": "$input.params('filter')", "h": "$input.params('X-Trace')"}"""
            },
        }
    },
}
DOCUMENT = {
    "swagger": "2.0",
    "info": {"title": "pets", "version": "1"},
    "securityDefinitions": {
        "signed": {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "x-amazon-apigateway-authtype": "awsSigv4",
        }
    },
    "paths": {
        "/pets/{id}": {
            "get": {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "type": "string"},
                    {"name": "filter", "in": "query", "type": "string"},
                    {"name": "X-Trace", "in": "header", "type": "string"},
                ],
                "responses": {"200": {"description": "ok", "schema": {"$ref": "#/definitions/Pet"}}},
                "x-amazon-apigateway-integration": MOCK,
            },
            "put": {
                "operationId": "class",
                "security": [{"signed": []}],
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "type": "string"},
                    {"in": "body", "name": "pet", "schema": {"$ref": "#/definitions/Pet"}},
                ],
                "responses": {"200": {"description": "ok"}},
                "x-amazon-apigateway-integration": MOCK,
            },
        },
        "/fail": {
            "get": {
                "responses": {"404": {"description": "none"}},
                "x-amazon-apigateway-integration": {
                    "type": "mock",
                    "requestTemplates": {"application/json": '{"statusCode": 404}'},
                    "responses": {
                        "default": {"statusCode": "404", "responseTemplates": {"application/json": '{"why": "none"}'}}
                    },
                },
            }
        },
    },
    "definitions": {
        "Pet": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "class": {"type": "integer"},
                "price": {"type": "number"},
                "friends": {"type": "array", "items": {"$ref": "#/definitions/Pet"}},
                "best": {"$ref": "#/definitions/Pet"},
                "more": {"type": "object"},
            },
        }
    },
}
PARAMETERS: dict[str, dict[str, str]] = {
    "java": {"service.name": "Pets", "java.package-name": "com.example.pets"},
    "android": {
        "groupId": "com.example",
        "artifactId": "pets",
        "artifactVersion": "1.0",
        "invokerPackage": "com.example.pets",
    },
    "ruby": {"service.name": "Pets"},
    "swift": {"classPrefix": "PET"},
    "objectivec": {"classPrefix": "PET"},
}


@pytest.fixture
def deployed(client: Callable[..., Any]) -> tuple[Any, str]:
    gateway = client("apigateway")
    api_id = gateway.import_rest_api(body=json.dumps(DOCUMENT).encode(), failOnWarnings=True)["id"]
    gateway.create_deployment(restApiId=api_id, stageName="dev")
    return gateway, api_id


def unpacked(deployed: tuple[Any, str], kind: str, folder: Path) -> list[str]:
    gateway, api_id = deployed
    answer = gateway.get_sdk(restApiId=api_id, stageName="dev", sdkType=kind, parameters=PARAMETERS.get(kind, {}))
    assert answer["contentDisposition"].startswith(f'attachment; filename="{kind}_')
    archive = zipfile.ZipFile(io.BytesIO(answer["body"].read()))
    archive.extractall(folder)
    return archive.namelist()


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_javascript_calls_the_running_api(deployed: tuple[Any, str], tmp_path: Path, account: str) -> None:
    unpacked(deployed, "javascript", tmp_path)
    (tmp_path / "use.js").write_text(f"""
      const factory = require("./apiGateway-js-sdk/apigClient.js");
      const api = factory.newClient({{ accessKey: "{account}", secretKey: "test" }});
      (async () => {{
        const found = await api.petsIdGet({{ id: "a b/c", filter: "x&y", "X-Trace": "t" }});
        const put = await api.class({{ id: "7" }}, {{ name: "Rex" }}, {{ queryParams: {{ filter: "é+1" }} }});
        const failed = await api.failGet({{}}).catch((error) => [error.status, error.data.why]);
        const missing = await api.petsIdGet({{}}).catch((error) => error.message);
        console.log(JSON.stringify([found.status, found.data, put.data, failed, missing]));
      }})();
    """)
    ran = subprocess.run(["node", "use.js"], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [
        200,
        {"id": "a b/c", "q": "x&y", "h": "t"},
        {"id": "7", "q": "é+1", "h": ""},
        [404, "none"],
        "petsIdGet needs the parameter id",
    ]


def test_python_calls_the_running_api(deployed: tuple[Any, str], tmp_path: Path, account: str) -> None:
    unpacked(deployed, "python", tmp_path)
    use = f"""
import json
from api_client import ApiError, Client
api = Client(access_key="{account}", secret_key="test")
found = api.pets_id_get("a b/c", filter="x&y", x_trace="t")
put = api.class_("7", {{"name": "Rex"}}, query={{"filter": "é+1"}})
try:
    api.fail_get()
except ApiError as error:
    failed = [error.status, error.data["why"]]
print(json.dumps([found.status, found.data, put.data, failed]))
"""
    ran = subprocess.run(
        [sys.executable, "-c", use], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [
        200,
        {"id": "a b/c", "q": "x&y", "h": "t"},
        {"id": "7", "q": "é+1", "h": ""},
        [404, "none"],
    ]


@pytest.mark.skipif(shutil.which("javac") is None, reason="a Java compiler is not installed")
def test_java_calls_the_running_api(deployed: tuple[Any, str], tmp_path: Path, account: str) -> None:
    names = unpacked(deployed, "java", tmp_path)
    assert "pets/pom.xml" in names
    source = tmp_path / "Use.java"
    source.write_text(f"""
      import com.example.pets.*;
      public class Use {{
        public static void main(String[] none) {{
          Pets api = new Pets();
          api.requests.accessKey = "{account}";
          api.requests.secretKey = "test";
          Pet pet = new Pet();
          pet.name = "Rex";
          pet.class_ = 1L;
          Object failed = null;
          try {{ api.failGet(); }} catch (ApiException error) {{ failed = error.answer.status; }}
          System.out.println(Json.write(java.util.List.of(api.petsIdGet("a b/c", "x&y", "t").data, api.class_("7", pet).data, failed, pet)));
        }}
      }}
    """)
    java = [str(path) for path in tmp_path.rglob("*.java")]
    subprocess.run(["javac", "-Werror", "-d", str(tmp_path / "out"), *java], check=True, timeout=200)
    ran = subprocess.run(
        ["java", "-cp", str(tmp_path / "out"), "Use"], capture_output=True, text=True, timeout=200, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found = [{"id": "a b/c", "q": "x&y", "h": "t"}, {"id": "7", "q": "", "h": ""}, 404, {"name": "Rex", "class": 1}]
    assert json.loads(ran.stdout) == found


@pytest.mark.skipif(shutil.which("javac") is None, reason="a Java compiler is not installed")
def test_android_compiles(deployed: tuple[Any, str], tmp_path: Path) -> None:
    assert "pets/build.gradle" in unpacked(deployed, "android", tmp_path)
    java = [str(path) for path in tmp_path.rglob("*.java")]
    subprocess.run(["javac", "-d", str(tmp_path / "out"), *java], check=True, timeout=200)


@pytest.mark.skipif(shutil.which("ruby") is None, reason="Ruby is not installed")
def test_ruby_calls_the_running_api(deployed: tuple[Any, str], tmp_path: Path, account: str) -> None:
    names = unpacked(deployed, "ruby", tmp_path)
    (gem,) = {name.partition("/")[0] for name in names}
    use = f"""
require "json"
require "{gem}"
api = Pets::Client.new(access_key: "{account}", secret_key: "test")
found = api.pets_id_get(id: "a b/c", filter: "x&y", x_trace: "t")
put = api.class_(id: "7", body: {{ "name" => "Rex" }}, query: {{ "filter" => "é+1" }})
begin
  api.fail_get
rescue ApiRequests::ApiError => error
  failed = [error.status, error.data["why"]]
end
puts JSON.generate([found.status, found.data, put.data, failed])
"""
    for name in names:
        if name.endswith((".rb", ".gemspec")):
            subprocess.run(["ruby", "-wc", str(tmp_path / name)], check=True, timeout=200)
    ran = subprocess.run(
        ["ruby", "-W", "-I", str(tmp_path / gem / "lib"), "-e", use],
        capture_output=True, text=True, timeout=200, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == [
        200,
        {"id": "a b/c", "q": "x&y", "h": "t"},
        {"id": "7", "q": "é+1", "h": ""},
        [404, "none"],
    ]


OBJECTIVE_C = """
#import <GNUstepBase/GSVersionMacros.h>
#undef GS_HAVE_NSURLSESSION
#define GS_HAVE_NSURLSESSION 1
#import <Foundation/Foundation.h>
#import <Foundation/NSURLSession.h>
#undef nil
#define nil ((id)0)
#define CC_SHA256_DIGEST_LENGTH 32
typedef uint32_t CC_LONG;
enum { kCCHmacAlgSHA256 = 2 };
unsigned char *CC_SHA256(const void *data, CC_LONG size, unsigned char *out);
void CCHmac(uint32_t algorithm, const void *key, size_t keySize, const void *data, size_t size, void *out);
@interface NSURLSession (Apple)
@property (class, readonly) NSURLSession *sharedSession;
- (NSURLSessionDataTask *)dataTaskWithRequest:(NSURLRequest *)request
                            completionHandler:(void (^)(NSData *, NSURLResponse *, NSError *))handler;
@end
"""
"""What Apple's headers have beyond GNUstep's."""
GNUSTEP = Path("/usr/include/GNUstep")


@pytest.mark.skipif(
    shutil.which("clang") is None or not GNUSTEP.exists(), reason="clang or the headers of GNUstep are not installed"
)
def test_objective_c_compiles(deployed: tuple[Any, str], tmp_path: Path) -> None:
    names = unpacked(deployed, "objectivec", tmp_path)
    (tmp_path / "apple.h").write_text(OBJECTIVE_C)
    for empty in ("CommonCrypto/CommonCrypto.h", "objc/blocks_runtime.h"):
        (tmp_path / empty).parent.mkdir(exist_ok=True)
        (tmp_path / empty).touch()
    runtimes = sorted(Path("/usr/lib/gcc").glob("*/*/include/objc"))
    command = ["clang", "-fsyntax-only", "-fobjc-arc", "-fobjc-runtime=gnustep-2.0", "-fblocks", "-DGNUSTEP"]
    command += ["-DGNUSTEP_BASE_LIBRARY=1", "-Wall", "-Wextra", "-I", str(tmp_path), "-include", "apple.h"]
    for place in (GNUSTEP, *[runtime.parent for runtime in runtimes[-1:]]):
        command += ["-isystem", str(place)]
    for name in [name for name in names if name.endswith(".m")]:
        ran = subprocess.run([*command, name], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
        said = [line for line in ran.stderr.splitlines() if line.startswith("PETClient/")]
        assert said == [], ran.stderr


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("ruby", {"pets/pets.gemspec", "pets/lib/pets.rb", "pets/lib/pets/requests.rb"}),
        (
            "swift",
            {
                "PETClient/Package.swift",
                "PETClient/Sources/PETClient/Models.swift",
                "PETClient/Sources/PETClient/Requests.swift",
            },
        ),
        (
            "objectivec",
            {
                "PETClient/generated-src/PETClient.h",
                "PETClient/generated-src/PETClient.m",
                "PETClient/generated-src/PETModels.m",
            },
        ),
        ("typescript", {"api-client/client.ts", "api-client/requests.js", "api-client/requests.d.ts"}),
    ],
)
def test_the_other_languages_have_all_methods_and_models(
    deployed: tuple[Any, str], tmp_path: Path, kind: str, wanted: set[str]
) -> None:
    names = unpacked(deployed, kind, tmp_path)
    assert wanted <= set(names)
    text = "".join((tmp_path / name).read_text() for name in names)
    api_id = deployed[1]
    assert f"/_aws/execute-api/{api_id}/dev" in text
    assert "/pets/{id}" in text
    assert "X-Trace" in text
    assert "friends" in text or kind == "ruby"


def test_kinds(client: Callable[..., Any], deployed: tuple[Any, str]) -> None:
    gateway, api_id = deployed
    kinds = {each["id"]: each for each in gateway.get_sdk_types()["items"]}
    assert kinds.keys() == {"java", "android", "javascript", "objectivec", "swift", "ruby"}
    assert gateway.get_sdk_type(id="swift") | {"ResponseMetadata": None} == kinds["swift"] | {"ResponseMetadata": None}
    for kind, parameters in (("cobol", {}), ("java", {}), ("ruby", {"service.name": "a b; system('x')"})):
        with pytest.raises(ClientError) as raised:
            gateway.get_sdk(restApiId=api_id, stageName="dev", sdkType=kind, parameters=parameters)
        assert raised.value.response["Error"]["Code"] == "BadRequestException"
    with pytest.raises(ClientError) as raised:
        gateway.get_sdk(restApiId=api_id, stageName="none", sdkType="javascript")
    assert raised.value.response["Error"]["Code"] == "NotFoundException"


def test_the_command_writes_sources(deployed: tuple[Any, str], node: Any, account: str, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "cumulet",
        "sdk",
        deployed[1],
        "dev",
        "--account",
        account,
        "--data",
        str(node.data),
    ]
    ran = subprocess.run([*command, "--to", str(tmp_path)], capture_output=True, text=True, timeout=200, check=False)
    assert ran.returncode == 0, ran.stderr
    assert str(tmp_path / "api-client" / "client.ts") in ran.stdout.splitlines()
    assert "petsIdGet(params" in (tmp_path / "api-client" / "client.ts").read_text()
    wrong = subprocess.run(
        [*command[:4], "nothere", *command[5:], "--language", "java"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert wrong.returncode != 0
