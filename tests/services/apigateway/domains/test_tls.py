"""https at every address of a node, by certificates that one file makes trusted."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.apigateway.domains.conftest import TlsNode
from tests.services.lambda_.conftest import ECHO, RUNTIME, package
from websockets.asyncio.client import connect

Client = Callable[..., Any]
ANSWER = {
    "application/json": '{"domain": "$context.domainName", "version": "$context.tlsVersion", "cipher": "$context.cipherSuite"}'
}


def mock(rest: Any, name: str = "pets", **settings: Any) -> str:
    """The id of an API whose root tells its domain, deployed to the stage `dev`."""
    made = rest.create_rest_api(name=name, **({"endpointConfiguration": {"types": ["REGIONAL"]}} | settings))
    at = {"restApiId": made["id"], "resourceId": made["rootResourceId"], "httpMethod": "GET"}
    rest.put_method(**at, authorizationType="NONE")
    rest.put_method_response(**at, statusCode="200")
    rest.put_integration(**at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    rest.put_integration_response(**at, statusCode="200", responseTemplates=ANSWER)
    rest.create_deployment(restApiId=made["id"], stageName="dev")
    return str(made["id"])


def test_apis_and_functions_have_addresses(node: TlsNode, client: Client, account: str) -> None:
    id = mock(client("apigateway"))
    for name in (f"{id}.execute-api.us-east-1.localhost", f"{id}.execute-api.us-east-1.amazonaws.com"):
        assert node.call(name, "/dev").json["domain"].startswith(name)
    assert node.call("localhost", f"/_aws/execute-api/{id}/dev/").status == 200
    lambda_ = client("lambda")
    role = f"arn:aws:iam::{account}:role/r"
    lambda_.create_function(
        FunctionName="f", Runtime=RUNTIME, Handler="index.handler", Role=role, Code={"ZipFile": package(ECHO)}
    )
    url = lambda_.create_function_url_config(FunctionName="f", AuthType="NONE")["FunctionUrl"]
    lambda_.add_permission(
        FunctionName="f",
        StatementId="all",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    host = url.removeprefix("https://").partition(":")[0]
    assert url.startswith("https://")
    event = node.call(host, "/").json
    assert event["headers"]["x-forwarded-proto"] == "https"


def test_a_custom_domain_has_a_certificate_of_its_own(node: TlsNode, client: Client, name: str) -> None:
    rest = client("apigateway")
    with pytest.raises(ssl.SSLCertVerificationError):
        node.connect(name)
    rest.create_domain_name(domainName=name, endpointConfiguration={"types": ["REGIONAL"]})
    rest.create_base_path_mapping(domainName=name, restApiId=mock(rest), stage="dev")
    said = node.call(name, "/").json
    assert (said["domain"], said["version"]) == (f"{name}:{node.port}", "TLSv1.3")
    assert said["cipher"].startswith("TLS_")
    with contextlib.closing(node.connect(name)) as connected:
        found = connected.getpeercert()
        assert found is not None
        assert found["subjectAltName"] == (("DNS", name),)
    file = node.data / "names" / f"{name}.pem"
    assert file.stat().st_mode & 0o777 == 0o600
    rest.delete_domain_name(domainName=name)
    with pytest.raises(ssl.SSLCertVerificationError):
        node.connect(name)


def test_a_name_for_all_below_a_domain(node: TlsNode, client: Client, account: str) -> None:
    v2 = client("apigatewayv2")
    arn = f"arn:aws:acm:us-east-1:{account}:certificate/a"
    domain = f"*.all{account}.example.com"
    v2.create_domain_name(DomainName=domain, DomainNameConfigurations=[{"CertificateArn": arn}])
    api = v2.create_api(Name="a", ProtocolType="HTTP", Target="https://127.0.0.1:1/")["ApiId"]
    v2.create_api_mapping(DomainName=domain, ApiId=api, Stage="$default")
    assert node.call(domain.replace("*", "one"), "/").status == 503
    with pytest.raises(ssl.SSLCertVerificationError):
        node.connect(domain.replace("*", "one.two"))


def test_a_policy_for_new_clients_alone(node: TlsNode, client: Client, name: str) -> None:
    client("apigateway").create_domain_name(
        domainName=name,
        endpointConfiguration={"types": ["REGIONAL"]},
        securityPolicy="SecurityPolicy_TLS13_1_3_2025_09",
        endpointAccessMode="STRICT",
    )
    with contextlib.closing(node.connect(name, newest=True)) as connected:
        assert connected.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        node.connect(name, newest=False)
    with contextlib.closing(node.connect("localhost", newest=False)) as connected:
        assert connected.version() == "TLSv1.2"


def test_policies_choose_suites(node: TlsNode, client: Client, name: str) -> None:
    forward, chained, edge = (
        f"ECDHE-ECDSA-{tail}:ECDHE-RSA-{tail}" for tail in ("AES256-GCM-SHA384", "AES128-SHA256", "CHACHA20-POLY1305")
    )
    rest = client("apigateway")
    rest.create_domain_name(
        domainName=name,
        endpointConfiguration={"types": ["REGIONAL"]},
        securityPolicy="SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09",
        endpointAccessMode="BASIC",
    )
    with contextlib.closing(node.connect(name, newest=False, suites=forward)) as connected:
        assert (connected.cipher() or ("",))[0] in forward.split(":")
    for suites in (chained, edge):
        with pytest.raises(ssl.SSLError):
            node.connect(name, newest=False, suites=suites)
    node.connect(name, newest=True).close()
    older = [{"op": "replace", "path": "/securityPolicy", "value": "SecurityPolicy_TLS13_1_2_2021_06"}]
    rest.update_domain_name(domainName=name, patchOperations=older)
    node.connect(name, newest=False, suites=chained).close()
    with pytest.raises(ssl.SSLError):
        node.connect(name, newest=False, suites=edge)
    api = mock(rest, securityPolicy="SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09", endpointAccessMode="BASIC")
    with pytest.raises(ssl.SSLError):
        node.connect(f"{api}.execute-api.us-east-1.localhost", newest=False, suites=chained)
    node.connect("localhost", newest=False, suites=edge).close()


def test_who_is_strict_wants_the_name_in_both_places(node: TlsNode, client: Client, name: str) -> None:
    rest = client("apigateway")
    rest.create_domain_name(
        domainName=name,
        endpointConfiguration={"types": ["REGIONAL"]},
        securityPolicy="SecurityPolicy_TLS13_1_2_2021_06",
        endpointAccessMode="STRICT",
    )
    rest.create_base_path_mapping(domainName=name, restApiId=mock(rest), stage="dev")
    assert node.call(name, "/").status == 200
    assert node.call("localhost", "/", host=name).status == 403


def test_policies_of_apis(node: TlsNode, client: Client) -> None:
    """They count at the API's own address, and at once."""
    rest = client("apigateway")
    made = mock(rest, securityPolicy="SecurityPolicy_TLS13_1_3_2025_09", endpointAccessMode="STRICT")
    name = f"{made}.execute-api.us-east-1.localhost"
    with contextlib.closing(node.connect(name, newest=True)) as connected:
        assert connected.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        node.connect(name, newest=False)
    assert node.call(name, "/dev").status == 200
    assert node.call("localhost", "/dev", host=name).status == 403
    rest.update_rest_api(
        restApiId=made,
        patchOperations=[
            {"op": "replace", "path": "/securityPolicy", "value": "TLS_1_2"},
            {"op": "replace", "path": "/endpointAccessMode", "value": ""},
        ],
    )
    node.connect(name, newest=False).close()
    assert node.call("localhost", "/dev", host=name).status == 200


def test_policies_go_with_documents(client: Client) -> None:
    rest = client("apigateway")
    made = mock(rest, securityPolicy="SecurityPolicy_TLS13_1_2_2021_06", endpointAccessMode="BASIC")
    found = rest.get_export(
        restApiId=made, stageName="dev", exportType="oas30", parameters={"extensions": "apigateway"}
    )
    read = rest.import_rest_api(body=found["body"].read())
    assert (read["securityPolicy"], read["endpointAccessMode"]) == ("SecurityPolicy_TLS13_1_2_2021_06", "BASIC")
    assert read["apiStatus"] == "AVAILABLE"


@pytest.mark.parametrize(
    "wrong",
    [
        {"securityPolicy": "SecurityPolicy_none"},
        {"securityPolicy": "SecurityPolicy_TLS13_1_2_2021_06"},
        {"securityPolicy": "TLS_1_2", "endpointAccessMode": "STRICT"},
        {"endpointAccessMode": "BASIC"},
        {"securityPolicy": "SecurityPolicy_TLS13_1_2_2021_06", "endpointAccessMode": "LAX"},
    ],
)
def test_policies_that_are_none(client: Client, wrong: dict[str, str]) -> None:
    rest = client("apigateway")
    with pytest.raises(ClientError) as refused:
        rest.create_rest_api(name="a", **wrong)
    assert refused.value.response["Error"]["Code"] in {"BadRequestException", "ValidationException"}
    assert rest.get_rest_apis()["items"] == []


def test_who_speaks_http_is_told(node: TlsNode) -> None:
    with socket.create_connection(("127.0.0.1", node.port), timeout=60) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"this port speaks https" in plain.recv(1_000)


def test_a_greeting_in_pieces(node: TlsNode) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=node.trusted)
    side = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        side.do_handshake()
    greeting = outgoing.read()
    with socket.create_connection(("127.0.0.1", node.port), timeout=60) as raw:
        for at in range(0, len(greeting), 100):
            raw.sendall(greeting[at : at + 100])
        assert raw.recv(1) == b"\x16"


def test_what_is_trusted_outlives_the_node(start_tls_node: Callable[[], TlsNode]) -> None:
    node = start_tls_node()
    before = node.trusted.read_bytes()
    assert before.count(b"BEGIN CERTIFICATE") == 2
    assert b"PRIVATE" not in before
    rest = node.client("apigateway", "000000000000")
    rest.create_domain_name(domainName="api.example.com", endpointConfiguration={"types": ["REGIONAL"]})
    node.connect("api.example.com").close()
    certificate = (node.data / "names" / "api.example.com.pem").read_bytes()
    node.restart()
    assert node.trusted.read_bytes() == before
    node.connect("api.example.com").close()
    assert (node.data / "names" / "api.example.com.pem").read_bytes() == certificate
    assert json.loads((node.data / "node.json").read_text())["endpoint"].startswith("https://")


def test_apis_call_each_other(node: TlsNode, client: Client) -> None:
    rest, v2 = client("apigateway"), client("apigatewayv2")
    name = f"{mock(rest)}.execute-api.us-east-1.localhost"
    id = v2.create_api(Name="a", ProtocolType="HTTP", Target=f"https://{name}:{node.port}/dev")["ApiId"]
    assert node.call(f"{id}.execute-api.us-east-1.localhost", "/").json["domain"].startswith(name)


def test_websockets(node: TlsNode, client: Client, name: str, account: str) -> None:
    v2 = client("apigatewayv2")
    made = v2.create_api(Name="chat", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    id = made["ApiId"]
    assert made["ApiEndpoint"] == f"wss://{id}.execute-api.us-east-1.localhost:{node.port}"
    mock_ = v2.create_integration(
        ApiId=id,
        IntegrationType="MOCK",
        RequestTemplates={"$default": '{"statusCode": 200}'},
        TemplateSelectionExpression="\\$default",
    )["IntegrationId"]
    v2.create_route(ApiId=id, RouteKey="$connect", Target=f"integrations/{mock_}")
    v2.create_stage(ApiId=id, StageName="dev", AutoDeploy=True)
    arn = f"arn:aws:acm:us-east-1:{account}:certificate/a"
    v2.create_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": arn}])
    v2.create_api_mapping(DomainName=name, ApiId=id, Stage="dev", ApiMappingKey="chat")
    trust = ssl.create_default_context(cafile=node.trusted)

    async def talk(host: str, path: str) -> None:
        there: dict[str, Any] = {"host": "127.0.0.1", "port": node.port, "server_hostname": host.partition(":")[0]}
        # Not the client with threads: two of them would use one TLS connection, which Python's ssl does not guard.
        async with connect(f"wss://{host}/{path}", ssl=trust, proxy=None, open_timeout=60, **there) as chat:
            await asyncio.wait_for(await chat.ping(), 60)

    for host, path in ((made["ApiEndpoint"].removeprefix("wss://"), "dev"), (name, "chat")):
        asyncio.run(talk(host, path))
