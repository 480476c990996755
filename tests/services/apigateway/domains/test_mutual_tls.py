"""Domains whose clients must show a certificate by an authority of a truststore in S3."""

import http.client
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import NodeProcess
from tests.services.apigateway.domains.conftest import Person, TlsNode, certify
from tests.services.apigateway.domains.test_tls import mock
from tests.services.apigateway.http.conftest import Api as HttpApi
from tests.services.apigateway.rest.pipeline.conftest import Api as RestApi

Client = Callable[..., Any]
TELL = "import json\ndef handler(event, context):\n    return {'statusCode': 200, 'body': json.dumps(event['requestContext'])}\n"
REGIONAL = {"types": ["REGIONAL"]}


@pytest.fixture(scope="module")
def root() -> Person:
    return certify("Pets Root", authority=True)


@pytest.fixture(scope="module")
def other() -> Person:
    return certify("Somebody's Root", authority=True)


@pytest.fixture
def shown(root: Person, tmp_path: Path) -> Path:
    """The key and certificate of a client that is trusted."""
    return certify("cat", root, serial=7).write(tmp_path / "cat.pem")


def refused(node: TlsNode, name: str, shown: Path | None) -> None:
    """The handshake fails; with TLS 1.3 a client learns that when it reads."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        node.call(name, "/", shown)


def domain(rest: Any, name: str, uri: str, **trust: str) -> Any:
    made = rest.create_domain_name(
        domainName=name,
        endpointConfiguration=REGIONAL,
        mutualTlsAuthentication={"truststoreUri": uri, **trust},
    )
    rest.create_base_path_mapping(domainName=name, restApiId=mock(rest), stage="dev")
    return made


def test_who_shows_a_trusted_certificate_comes_in(
    node: TlsNode, client: Client, name: str, trusted: Any, root: Person, other: Person, shown: Path, tmp_path: Path
) -> None:
    made = domain(client("apigateway"), name, trusted(root.pem))
    assert "truststoreWarnings" not in made["mutualTlsAuthentication"]
    assert node.call(name, "/", shown).status == 200
    refused(node, name, None)
    refused(node, name, certify("dog", other).write(tmp_path / "dog.pem"))
    refused(node, name, certify("dog").write(tmp_path / "self.pem"))
    refused(node, name, certify("old", root, days=-1).write(tmp_path / "old.pem"))


def test_no_other_name_leads_there(
    node: TlsNode, client: Client, name: str, trusted: Any, root: Person, other: Person, shown: Path, tmp_path: Path
) -> None:
    rest = client("apigateway")
    domain(rest, name, trusted(root.pem))
    for asked in ("localhost", "abc.execute-api.us-east-1.localhost"):
        answer = node.call(asked, "/", shown, host=name)
        assert (answer.status, answer.json) == (403, {"message": "Forbidden"})
    # The neighbour trusts somebody else: what was shown there does not count here.
    neighbour = f"not-{name}"
    domain(rest, neighbour, trusted(other.pem))
    dog = certify("dog", other).write(tmp_path / "dog.pem")
    assert node.call(neighbour, "/", dog).status == 200
    assert node.call(neighbour, "/", dog, host=name).status == 403


def test_without_tls_nobody_comes_in(start_node: Callable[..., NodeProcess], root: Person) -> None:
    plain = start_node()
    rest, s3 = plain.client("apigateway", "000000000000"), plain.client("s3", "000000000000")
    s3.create_bucket(Bucket="trust")
    s3.put_object(Bucket="trust", Key="a/store.pem", Body=root.pem.encode())
    domain(rest, "mutual.example.com", "s3://trust/a/store.pem")
    connection = http.client.HTTPConnection(plain.endpoint.removeprefix("http://"))
    connection.request("GET", "/", headers={"Host": "mutual.example.com"})
    assert connection.getresponse().status == 403


def test_rest_apis_are_told_who_it_is(
    node: TlsNode, client: Client, account: str, name: str, trusted: Any, root: Person, shown: Path
) -> None:
    api = RestApi(client, node.endpoint, account)
    api.proxy("ANY", "/", api.function("tell", TELL))
    at = api.method("GET", "/context")
    template = {"application/json": '{"statusCode": 200}'}
    api.rest.put_integration(**at, type="MOCK", requestTemplates=template)
    answer = '"$util.escapeJavaScript($context.identity.clientCert.subjectDN) $context.identity.clientCert.validity.notAfter"'
    api.rest.put_integration_response(**at, statusCode="200", responseTemplates={"application/json": answer})
    api.deploy()
    domain(api.rest, name, trusted(root.pem))
    api.rest.create_base_path_mapping(domainName=name, basePath="api", restApiId=api.id, stage="dev")
    found = node.call(name, "/api", shown).json["identity"]["clientCert"]
    names = ("C=US,O=Pets\\, Inc.,CN=cat", "C=US,O=Pets\\, Inc.,CN=Pets Root")
    assert (found["subjectDN"], found["issuerDN"], found["serialNumber"]) == (*names, "7")
    assert shown.read_text().endswith(found["clientCertPem"] + "\n")
    assert found["validity"]["notAfter"].endswith(" GMT")
    assert node.call(name, "/api/context", shown).json == f"{names[0]} {found['validity']['notAfter']}"


def test_http_apis_are_told_who_it_is(
    node: TlsNode, client: Client, account: str, name: str, trusted: Any, root: Person, tmp_path: Path
) -> None:
    api = HttpApi(client, node.endpoint, account, DisableExecuteApiEndpoint=True)
    api.route("GET /two", api.proxy(function := api.function("tell", TELL)))
    api.route("GET /one", api.proxy(function, "1.0"))
    group = client("logs")
    group.create_log_group(logGroupName="seen")
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:seen"
    api.stage(
        AccessLogSettings={"DestinationArn": arn, "Format": "$context.requestId $context.identity.clientCert.issuerDN"}
    )
    made = api.v2.create_domain_name(
        DomainName=name,
        DomainNameConfigurations=[{"CertificateArn": f"arn:aws:acm:us-east-1:{account}:certificate/a"}],
        MutualTlsAuthentication={"TruststoreUri": trusted(root.pem)},
    )
    assert made["MutualTlsAuthentication"]["TruststoreUri"].endswith("store.pem")
    api.v2.create_api_mapping(DomainName=name, ApiId=api.id, Stage="$default")
    serial = int("a1" * 16, 16)
    shown = certify("cat", root, serial=serial).write(tmp_path / "cat.pem")
    two = node.call(name, "/two", shown).json["authentication"]["clientCert"]
    assert two["serialNumber"] == ":".join(["a1"] * 16)
    assert node.call(name, "/one", shown).json["identity"]["clientCert"] == two
    assert node.call(f"{api.id}.execute-api.us-east-1.localhost", "/two").status == 404
    lines = [line.partition(" ")[2] for line in _lines(group, "seen", 2)]
    assert lines == ["C=US,O=Pets\\, Inc.,CN=Pets Root"] * 2


def _lines(logs: Any, group: str, count: int) -> list[str]:
    deadline = time.monotonic() + 200
    while True:
        found = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def test_authorizers_are_told_too(
    node: TlsNode, client: Client, account: str, name: str, trusted: Any, root: Person, shown: Path
) -> None:
    source = (
        "def handler(event, context):\n"
        "    who = event['requestContext']['identity']['clientCert']['subjectDN']\n"
        "    statement = {'Action': 'execute-api:Invoke', 'Effect': 'Allow', 'Resource': event['methodArn']}\n"
        "    policy = {'Version': '2012-10-17', 'Statement': [statement]}\n"
        "    return {'principalId': who, 'policyDocument': policy}\n"
    )
    api = RestApi(client, node.endpoint, account)
    function = api.function("judge", source)
    authorizer = api.rest.create_authorizer(
        restApiId=api.id,
        name="judge",
        type="REQUEST",
        authorizerUri=api.uri(function),
        identitySource="context.identity.clientCert.serialNumber",
    )["id"]
    settings = {"authorizationType": "CUSTOM", "authorizerId": authorizer}
    api.mock("GET", "/", '"$util.escapeJavaScript($context.authorizer.principalId)"', **settings)
    api.deploy()
    domain(api.rest, name, trusted(root.pem))
    api.rest.create_base_path_mapping(domainName=name, basePath="api", restApiId=api.id, stage="dev")
    assert node.call(name, "/api", shown).json == "C=US,O=Pets\\, Inc.,CN=cat"


def test_the_truststore_is_the_domains_own(
    node: TlsNode, client: Client, name: str, trusted: Any, root: Person, other: Person, shown: Path, tmp_path: Path
) -> None:
    rest = client("apigateway")
    uri = trusted(root.pem)
    domain(rest, name, uri)
    dog = certify("dog", other).write(tmp_path / "dog.pem")
    trusted(other.pem)
    assert node.call(name, "/", shown).status == 200
    operation = {"op": "replace", "path": "/mutualTlsAuthentication/truststoreUri", "value": uri}
    rest.update_domain_name(domainName=name, patchOperations=[operation])
    assert node.call(name, "/", dog).status == 200
    refused(node, name, shown)
    operation["value"] = ""
    found = rest.update_domain_name(domainName=name, patchOperations=[operation])
    assert "mutualTlsAuthentication" not in found
    assert node.call(name, "/").status == 200


def test_a_version_of_the_truststore(
    node: TlsNode, client: Client, account: str, name: str, trusted: Any, root: Person, other: Person, shown: Path
) -> None:
    s3, v2 = client("s3"), client("apigatewayv2")
    s3.create_bucket(Bucket=f"trust-{account}")
    s3.put_bucket_versioning(Bucket=f"trust-{account}", VersioningConfiguration={"Status": "Enabled"})
    uri = trusted(other.pem)
    trusted(root.pem)
    versions = s3.list_object_versions(Bucket=f"trust-{account}")["Versions"]
    first = next(each["VersionId"] for each in versions if not each["IsLatest"])
    domain(client("apigateway"), name, uri, truststoreVersion=first)
    refused(node, name, shown)
    last = next(each["VersionId"] for each in versions if each["IsLatest"])
    found = v2.update_domain_name(
        DomainName=name, MutualTlsAuthentication={"TruststoreUri": uri, "TruststoreVersion": last}
    )
    assert found["MutualTlsAuthentication"] == {"TruststoreUri": uri, "TruststoreVersion": last}
    assert node.call(name, "/", shown).status == 200


def test_what_is_wrong_with_a_truststore(client: Client, name: str, trusted: Any, root: Person, account: str) -> None:
    rest = client("apigateway")
    broken = root.pem.replace("M", "N", 3)
    expired = certify("Expired Root", authority=True, days=-10)
    leaf = certify("leaf")
    found = rest.create_domain_name(
        domainName=name,
        endpointConfiguration=REGIONAL,
        mutualTlsAuthentication={"truststoreUri": trusted(root.pem, broken, expired.pem, leaf.pem)},
    )
    warnings = found["mutualTlsAuthentication"]["truststoreWarnings"]
    assert [warning.split()[1] for warning in warnings] == ["2", "3", "4"]
    assert "has expired" in warnings[1]
    assert rest.get_domain_name(domainName=name)["mutualTlsAuthentication"] == found["mutualTlsAuthentication"]
    shown = client("apigatewayv2").get_domain_name(DomainName=name)["MutualTlsAuthentication"]
    assert shown["TruststoreWarnings"] == warnings
    for content, why in [("nothing", "no valid certificate"), ("-" * 1_100_000, "larger than 1 MB")]:
        uri = trusted(content)
        with pytest.raises(ClientError, match=why):
            rest.create_domain_name(
                domainName=f"x{name}",
                endpointConfiguration=REGIONAL,
                mutualTlsAuthentication={"truststoreUri": uri},
            )
    for uri, why in [
        (f"s3://trust-{account}/missing", "NoSuchKey"),
        ("s3://trust", "Invalid truststore URI"),
    ]:
        with pytest.raises(ClientError, match=why) as refusal:
            rest.create_domain_name(
                domainName=f"x{name}",
                endpointConfiguration=REGIONAL,
                mutualTlsAuthentication={"truststoreUri": uri},
            )
        assert refusal.value.response["Error"]["Code"] == "BadRequestException"
    with pytest.raises(ClientError, match="regional"):
        rest.create_domain_name(domainName=f"x{name}", mutualTlsAuthentication={"truststoreUri": trusted(root.pem)})


def test_a_closed_address_is_refused(node: TlsNode, client: Client, name: str) -> None:
    rest = client("apigateway")
    id = mock(rest, disableExecuteApiEndpoint=True)
    rest.create_domain_name(domainName=name, endpointConfiguration=REGIONAL)
    rest.create_base_path_mapping(domainName=name, restApiId=id, stage="dev")
    assert node.call(name, "/").status == 200
    answer = node.call(f"{id}.execute-api.us-east-1.localhost", "/dev")
    assert (answer.status, answer.json) == (403, {"message": "Forbidden"})
    assert node.call("localhost", f"/_aws/execute-api/{id}/dev/").status == 403
    assert node.call("localhost", f"/restapis/{id}/dev/_user_request_/").status == 403
