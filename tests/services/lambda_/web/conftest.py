"""Web functions to test with: servers of a few lines, put into a bucket and run."""

import http.client
import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

PYTHON = "python3.11"


def node_runtime() -> str:
    """The identifier of this machine's Node.js; skips the test where there is none."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js here")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v(\d+)", version)
    assert found is not None
    return f"nodejs{found[1]}.x"


class WebFunctions:
    """`make` deploys a server from its files' texts, `ask` sends a request to an endpoint."""

    def __init__(self, client: Callable[..., Any], account: str, endpoint: str) -> None:
        self.api = client("lambda-web")
        self.s3 = client("s3")
        self.role = f"arn:aws:iam::{account}:role/web"
        self._endpoint = endpoint
        self.bucket = f"code-{account}"
        self.s3.create_bucket(Bucket=self.bucket)
        self._count = 0

    def upload(self, files: dict[str, str]) -> dict[str, Any]:
        """The s3Object of a package with these files."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, text in files.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o755 << 16
                archive.writestr(info, text)
        self._count += 1
        key = f"{self._count}.zip"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=out.getvalue())
        return {"bucket": self.bucket, "key": key}

    def config(self, files: dict[str, str], runtime: str, **service: Any) -> dict[str, Any]:
        """A revision's configuration."""
        return {
            "buildConfig": {"codeConfig": {"s3Object": self.upload(files)}, "runtimeConfig": {"runtime": runtime}},
            "serviceConfig": {"executionRoleArn": self.role, **service},
        }

    def make(
        self, name: str, files: dict[str, str], runtime: str = PYTHON, *, endpoint: Any = None, **service: Any
    ) -> str:
        """A function with an endpoint, `live`, whose domain name it gives once it is ready."""
        settings = {
            "endpointName": "live",
            "endpointType": "HomeRegion",
            "authType": "ApplicationManaged",
            "autoDeploymentMode": "LatestRevision",
        }
        self.api.create_web_function(
            functionName=name,
            revisionConfig=self.config(files, runtime, **service),
            endpointConfig=settings | (endpoint or {}),
        )
        wait = self.api.get_waiter("web_function_endpoint_active")
        wait.wait(functionName=name, endpointName="live", WaiterConfig={"Delay": 0.05, "MaxAttempts": 1200})
        return str(self.api.get_web_function_endpoint(functionName=name, endpointName="live")["domainName"])

    def connect(self) -> http.client.HTTPConnection:
        """To the node, whose hosts resolve nowhere but in `Host`."""
        parts = urlsplit(self._endpoint)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def ask(
        self, domain: str, path: str = "/", method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by lower-case names, body."""
        connection = self.connect()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers={"Host": domain, **named})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()


@pytest.fixture
def web(client: Callable[..., Any], account: str, endpoint: str) -> WebFunctions:
    return WebFunctions(client, account, endpoint)
