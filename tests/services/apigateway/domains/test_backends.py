"""Backends that ask who calls them, and private ones behind VPC links."""

import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import NodeProcess
from tests.services.apigateway.domains.conftest import Person, certify
from tests.services.apigateway.http.conftest import Api as HttpApi
from tests.services.apigateway.http.conftest import Backend, backend
from tests.services.apigateway.rest.pipeline.conftest import Api as RestApi

__all__ = ["backend"]

Client = Callable[..., Any]


@pytest.fixture
def node(start_plain: NodeProcess) -> NodeProcess:
    return start_plain


@pytest.fixture(scope="module")
def start_plain(start_node: Callable[..., NodeProcess]) -> NodeProcess:
    """A node without TLS."""
    return start_node()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[..., Backend]]:
    """`server(trusted)` is a backend with TLS and a certificate that nobody trusts; with `trusted` (PEM) it asks for another."""
    started: list[Backend] = []

    def start(trusted: str = "", by: Person | None = None, host: str = "localhost") -> Backend:
        made = Backend()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certify("backend", by, hosts=(host,)).write(tmp_path / "backend.pem"))
        if trusted:
            context.load_verify_locations(cadata=trusted)
            context.verify_mode = ssl.CERT_REQUIRED
        made.socket = context.wrap_socket(made.socket, server_side=True)
        made.url = f"https://localhost:{made.server_address[1]}"
        threading.Thread(target=made.serve_forever, daemon=True).start()
        started.append(made)
        return made

    yield start
    for each in started:
        each.shutdown()
        each.server_close()


def lead(api: RestApi, path: str, url: str, **settings: Any) -> None:
    """A method that a server answers, whatever its certificate."""
    at = api.method("GET", path)
    trust = {"insecureSkipVerification": True}
    members: dict[str, Any] = {"type": "HTTP_PROXY", "integrationHttpMethod": "GET", "uri": url, "tlsConfig": trust}
    api.rest.put_integration(**at, **(members | settings))


@pytest.fixture
def api(client: Client, endpoint: str, account: str) -> RestApi:
    return RestApi(client, endpoint, account)


@pytest.fixture
def shop(client: Client, endpoint: str, account: str) -> HttpApi:
    return HttpApi(client, endpoint, account)


def test_a_stage_shows_its_certificate(api: RestApi, server: Any) -> None:
    made = api.rest.generate_client_certificate()
    there = server(trusted=made["pemEncodedCertificate"])
    lead(api, "/pets", f"{there.url}/pets")
    at = api.method("GET", "/custom")
    trust = {"insecureSkipVerification": True}
    api.rest.put_integration(**at, type="HTTP", integrationHttpMethod="GET", uri=f"{there.url}/c", tlsConfig=trust)
    api.rest.put_integration_response(**at, statusCode="200")
    api.deploy()
    assert api.call("GET", "/pets").status == 500
    api.set(("/clientCertificateId", made["clientCertificateId"]))
    assert api.call("GET", "/pets").status == 200
    assert api.call("GET", "/custom").status == 200
    other = api.rest.generate_client_certificate()["clientCertificateId"]
    api.set(("/clientCertificateId", other))
    assert api.call("GET", "/pets").status == 500
    assert there.asked == ["/pets", "/c"]


def test_a_server_that_nobody_trusts(api: RestApi, shop: HttpApi, server: Any) -> None:
    there = server()
    lead(api, "/blind", there.url)
    lead(api, "/careful", there.url, tlsConfig={"insecureSkipVerification": False})
    api.deploy()
    assert api.call("GET", "/blind").status == 200
    answer = api.call("GET", "/careful")
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})
    shop.route("GET /", shop.forward(there.url))
    shop.stage()
    assert shop.call("GET", "/").status == 503


def test_a_vpc_link_leads_where_its_tag_says(api: RestApi, backend: Backend) -> None:
    balancer = f"arn:aws:elasticloadbalancing:us-east-1:{api.account}:loadbalancer/net/pets/1"
    link = api.rest.create_vpc_link(name="l", targetArns=[balancer], tags={"cumulet:target": backend.url})["id"]
    private = {"connectionType": "VPC_LINK", "connectionId": link}
    lead(api, "/tagged/{id}", "http://pets.internal:8080/v1/{id}?a=b", **private)
    api.rest.update_integration(
        **api.at("GET", "/tagged/{id}"),
        patchOperations=[
            {"op": "add", "path": "/requestParameters/integration.request.path.id", "value": "'7'"},
        ],
    )
    lead(api, "/variable", "http://pets.internal/", **private | {"connectionId": "${stageVariables.link}"})
    plain = api.rest.create_vpc_link(name="p", targetArns=[balancer])["id"]
    lead(api, "/itself", f"{backend.url}/itself", **private | {"connectionId": plain})
    lead(api, "/gone", f"{backend.url}/gone", **private | {"connectionId": "gone12"})
    api.deploy(variables={"link": link})
    found = api.call("GET", "/tagged/1").json
    assert (found["path"], found["headers"]["host"]) == ("/v1/7?a=b", "pets.internal:8080")
    assert api.call("GET", "/variable").json["path"] == "/"
    assert api.call("GET", "/itself").json["path"] == "/itself"
    assert api.call("GET", "/gone").status == 500


def test_rest_apis_take_links_of_the_other_api(api: RestApi, client: Client, backend: Backend) -> None:
    made = client("apigatewayv2").create_vpc_link(Name="l", SubnetIds=["s-1"], Tags={"cumulet:target": backend.url})
    balancer = f"arn:aws:elasticloadbalancing:us-east-1:{api.account}:loadbalancer/app/pets/1"
    private = {"connectionType": "VPC_LINK", "connectionId": made["VpcLinkId"], "integrationTarget": balancer}
    lead(api, "/", "http://pets.internal/all", **private)
    api.deploy()
    assert api.call("GET", "/").json["path"] == "/all"


def test_private_integrations_of_http_apis(shop: HttpApi, backend: Backend) -> None:
    link = shop.v2.create_vpc_link(Name="l", SubnetIds=["s-1"], Tags={"cumulet:target": f"{backend.url}/base"})
    plain = shop.v2.create_vpc_link(Name="p", SubnetIds=["s-1"])
    listener = f"arn:aws:elasticloadbalancing:us-east-1:{shop.account}:listener/app/pets/1/2"
    service = f"arn:aws:servicediscovery:us-east-1:{shop.account}:service/srv-1"
    private = {"ConnectionType": "VPC_LINK", "ConnectionId": link["VpcLinkId"]}
    shop.route("ANY /pets/{id}", shop.forward(listener, **private))
    shop.route(
        "GET /cloud",
        shop.forward(service, **private, RequestParameters={"overwrite:path": "/cloud/$request.querystring.a"}),
    )
    shop.route("GET /nowhere", shop.forward(listener, **private | {"ConnectionId": plain["VpcLinkId"]}))
    shop.route("GET /itself", shop.forward(f"{backend.url}/i", **private | {"ConnectionId": plain["VpcLinkId"]}))
    shop.stage("dev")
    found = shop.call("POST", "/dev/pets/a%20b?x=1", "cat").json
    assert (found["method"], found["path"], found["body"]) == ("POST", "/base/dev/pets/a%20b?x=1", "cat")
    assert shop.call("GET", "/dev/pets/..").status == 400
    assert shop.call("GET", "/dev/cloud?a=b").json["path"] == "/cloud/b?a=b"
    assert shop.call("GET", "/dev/itself").json["path"] == "/i"
    assert shop.call("GET", "/dev/nowhere").json == {"message": "Service Unavailable"}
    shop.v2.tag_resource(
        ResourceArn=f"arn:aws:apigateway:us-east-1::/vpclinks/{plain['VpcLinkId']}",
        Tags={"cumulet:target": backend.url},
    )
    assert shop.call("GET", "/dev/nowhere").json["path"] == "/dev/nowhere"


def test_whom_the_node_trusts(
    start_node: Callable[..., NodeProcess], server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    root = certify("Root", authority=True)
    (tmp_path / "root.pem").write_text(root.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    node = start_node()
    there = server(by=root, host="pets.internal")

    def client(service: str) -> Any:
        return node.client(service, account)

    shop = HttpApi(client, node.endpoint, account)
    link = shop.v2.create_vpc_link(Name="l", SubnetIds=["s-1"], Tags={"cumulet:target": there.url})["VpcLinkId"]
    private = {"ConnectionType": "VPC_LINK", "ConnectionId": link}
    listener = f"arn:aws:elasticloadbalancing:us-east-1:{shop.account}:listener/app/pets/1/2"
    shop.route("GET /right", shop.forward(listener, **private, TlsConfig={"ServerNameToVerify": "pets.internal"}))
    shop.route("GET /wrong", shop.forward(listener, **private, TlsConfig={"ServerNameToVerify": "dogs.internal"}))
    shop.stage()
    assert shop.call("GET", "/right").status == 200
    assert shop.call("GET", "/wrong").status == 503
    api = RestApi(client, node.endpoint, account)
    link = api.rest.create_vpc_link(name="l", targetArns=[listener], tags={"cumulet:target": there.url})["id"]
    for name in ("pets", "dogs"):
        lead(
            api,
            f"/{name}",
            f"https://{name}.internal/",
            connectionType="VPC_LINK",
            connectionId=link,
            tlsConfig={"insecureSkipVerification": False},
        )
    api.deploy()
    assert api.call("GET", "/pets").json["headers"]["host"] == "pets.internal"
    assert api.call("GET", "/dogs").status == 500
