"""A client in JavaScript, for browsers and Node.js."""

from __future__ import annotations

import msgspec

from cumulet.services.apigateway.sdk.archive import runtime
from cumulet.services.apigateway.sdk.shape import Operation, Shape

_FOLDER = "apiGateway-js-sdk"


def files(shape: Shape, _: dict[str, str]) -> dict[str, str]:
    """The sources: `apigClient.js` and what it needs."""
    package = {"name": "apigateway-client", "version": "1.0.0", "main": "apigClient.js", "private": True}
    return {
        f"{_FOLDER}/apigClient.js": _client(shape),
        f"{_FOLDER}/lib/requests.js": runtime("requests.js"),
        f"{_FOLDER}/package.json": msgspec.json.format(msgspec.json.encode(package), indent=2).decode() + "\n",
        f"{_FOLDER}/README.md": _readme(shape),
    }


def described(operation: Operation) -> str:
    """What `requests.js` needs to know of an operation, as JSON."""
    return msgspec.json.encode(
        {
            "name": operation.name,
            "verb": operation.verb,
            "path": operation.path,
            "parameters": [
                {"name": each.name, "place": each.place, "required": each.required} for each in operation.parameters
            ],
            "contentType": operation.content_type,
            "authorization": operation.authorization,
        }
    ).decode()


def _client(shape: Shape) -> str:
    methods = "\n\n".join(_method(operation) for operation in shape.operations)
    return f""""use strict";
/* A client of the API {_comment(shape.title)}. Methods take (params, body, additionalParams) and give a promise. */
(function (root) {{
  const requests = typeof require === "function" ? require("./lib/requests.js") : root.apiRequests;
  const apigClientFactory = {{}};

  /* config: accessKey, secretKey, sessionToken, region; apiKey; defaultContentType, defaultAcceptType; invokeUrl. */
  apigClientFactory.newClient = function (config) {{
    const settings = Object.assign(
      {{ invokeUrl: {_text(shape.url)}, region: {_text(shape.region)} }},
      Object.fromEntries(Object.entries(config || {{}}).filter((entry) => entry[1] !== undefined && entry[1] !== ""))
    );
    const apigClient = {{}};

{methods}

    return apigClient;
  }};

  if (typeof module !== "undefined" && module.exports) module.exports = apigClientFactory;
  else root.apigClientFactory = apigClientFactory;
}})(typeof globalThis !== "undefined" ? globalThis : this);
"""


def _method(operation: Operation) -> str:
    return f"""    /* {operation.verb} {_comment(operation.path)} */
    apigClient.{operation.name} = function (params, body, additionalParams) {{
      return requests.send(settings, {described(operation)}, params, body, additionalParams);
    }};"""


def _text(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _comment(text: str) -> str:
    return text.replace("*/", "* /").replace("\n", " ")


def _readme(shape: Shape) -> str:
    example = shape.operations[0].name if shape.operations else "rootGet"
    return f"""# A JavaScript client of {shape.title}

In Node.js (from version 18):

    const apigClientFactory = require("./apigClient.js");
    const apigClient = apigClientFactory.newClient();
    const answer = await apigClient.{example}({{}}, undefined, {{}});
    console.log(answer.status, answer.data);

In a page: load `lib/requests.js`, then `apigClient.js`; `apigClientFactory` is global then.

`newClient` takes `apiKey`, `accessKey`, `secretKey`, `sessionToken` and `region` for methods that need them, and `invokeUrl`
for another address than `{shape.url}`. An answer that is no success rejects the promise; `error.response` has it.
"""
