"""`cumulet urls`: where the node's APIs and functions answer."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from cumulet.cli.api_call import ApiError, Caller, with_caller_options
from cumulet.cli.node import data_option, find_node
from cumulet.cli.output import data as line
from cumulet.cli.output import data_json, say


@click.command()
@data_option
@with_caller_options
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
def urls(data: Path | None, account: str | None, region: str, as_json: bool) -> None:
    """Print the addresses of the account's APIs, portals, function URLs and web functions.

    Those under localhost work in browsers and curl; the ones by path work everywhere.
    """
    caller = Caller.from_options(find_node(data), account, region)
    found = [*_rest_apis(caller), *_http_apis(caller), *_portals(caller), *_functions(caller), *_web_functions(caller)]
    if as_json:
        data_json(found)
        return
    for each in found:
        line(f"{each['kind']:9} {each['name']:24} {each['url']}")
        if "path_url" in each:
            line(f"{'':34} {each['path_url']}")
    if not found:
        say("No API is deployed and no function has a URL.")


def _get(caller: Caller, service: str, path: str) -> Any:
    # REST APIs answer in HAL whoever does not ask for JSON.
    return json.loads(caller.send(service, path, b"", {"accept": "application/json"}, method="GET").body)


def _rest_apis(caller: Caller) -> list[dict[str, str]]:
    found = []
    for api in _get(caller, "apigateway", "/restapis").get("item", []):
        stages = _get(caller, "apigateway", f"/restapis/{api['id']}/stages").get("item", [])
        found += [_api(caller, "REST", api["id"], api.get("name", ""), stage["stageName"]) for stage in stages]
    return found


def _http_apis(caller: Caller) -> list[dict[str, str]]:
    found = []
    for api in _get(caller, "apigateway", "/v2/apis").get("items", []):
        for stage in _get(caller, "apigateway", f"/v2/apis/{api['apiId']}/stages").get("items", []):
            name = stage["stageName"]
            stage_path = "" if name == "$default" else name
            found.append(_api(caller, api["protocolType"], api["apiId"], api.get("name", ""), stage_path))
    return found


def _api(caller: Caller, kind: str, id: str, name: str, stage: str) -> dict[str, str]:
    scheme, _, host = caller.node.endpoint.partition("://")
    if kind == "WEBSOCKET":
        scheme = "wss" if scheme == "https" else "ws"
    port = host.rpartition(":")[2]
    return {
        "kind": kind,
        "name": name,
        "url": f"{scheme}://{id}.execute-api.{caller.region}.localhost:{port}/{stage}",
        "path_url": f"{scheme}://{host}/_aws/execute-api/{id}/{stage}",
    }


def _portals(caller: Caller) -> list[dict[str, str]]:
    scheme, _, host = caller.node.endpoint.partition("://")
    port = host.rpartition(":")[2]
    return [
        {
            "kind": "PORTAL",
            "name": portal["portalContent"]["displayName"],
            "url": f"{scheme}://p-{portal['portalId']}.apigw-portal.{caller.region}.localhost:{port}/",
            "path_url": f"{scheme}://{host}/_aws/portals/{portal['portalId']}/",
        }
        for portal in _get(caller, "apigateway", "/v2/portals").get("items", [])
        if portal.get("publishStatus") == "PUBLISHED"
    ]


def _web_functions(caller: Caller) -> list[dict[str, str]]:
    found = []
    scheme = caller.node.endpoint.partition("://")[0]
    for function in _listed(caller, "/2025-03-07/web-functions", "functions"):
        name = function["functionName"]
        for endpoint in _listed(caller, f"/2025-03-07/web-functions/{name}/list-endpoints", "endpoints"):
            url = f"{scheme}://{endpoint['domainName']}/"
            found.append({"kind": "WEB", "name": f"{name}/{endpoint['endpointName']}", "url": url})
    return found


def _listed(caller: Caller, path: str, member: str) -> Any:
    return json.loads(caller.send("lambda", path, b"{}", {"Content-Type": "application/json"}).body)[member]


def _functions(caller: Caller) -> list[dict[str, str]]:
    found = []
    for function in _get(caller, "lambda", "/2015-03-31/functions/").get("Functions", []):
        name = function["FunctionName"]
        try:
            url = _get(caller, "lambda", f"/2021-10-31/functions/{quote(name, safe='')}/url")["FunctionUrl"]
        except ApiError:
            continue  # it has none
        found.append({"kind": "FUNCTION", "name": name, "url": url})
    return found
