"""A client in Ruby: a gem without dependencies."""

from __future__ import annotations

from cumulet.services.apigateway.sdk.archive import runtime
from cumulet.services.apigateway.sdk.shape import Operation, Shape, pascal, plain_name, safe, snake

_RESERVED = frozenset(
    [
        "alias",
        "and",
        "begin",
        "break",
        "case",
        "class",
        "def",
        "do",
        "else",
        "elsif",
        "end",
        "ensure",
        "false",
        "for",
        "if",
        "in",
        "module",
        "next",
        "nil",
        "not",
        "or",
        "redo",
        "rescue",
        "retry",
        "return",
        "self",
        "super",
        "then",
        "true",
        "undef",
        "unless",
        "until",
        "when",
        "while",
        "yield",
        "body",
        "query",
        "headers",
    ]
)


def files(shape: Shape, parameters: dict[str, str]) -> dict[str, str]:
    """The gem: its specification, the client, and what requests need."""
    service = pascal(plain_name(parameters["service.name"], "service name"))
    gem = plain_name(parameters.get("ruby.gem-name") or snake(service).replace("_", "-"), "gem name")
    version = plain_name("v" + parameters["ruby.gem-version"], "gem version")[1:]
    return {
        f"{gem}/{gem}.gemspec": _specification(gem, version),
        f"{gem}/lib/{gem}.rb": _client(shape, service, gem),
        f"{gem}/lib/{gem}/requests.rb": runtime("requests.rb"),
        f"{gem}/README.md": f'# {gem}\n\n    require "{gem}"\n    client = {service}::Client.new\n',
    }


def _specification(gem: str, version: str) -> str:
    return f"""Gem::Specification.new do |spec|
  spec.name = "{gem}"
  spec.version = "{version}"
  spec.summary = "A client of an API"
  spec.authors = ["Generated"]
  spec.files = Dir["lib/**/*.rb"]
  spec.required_ruby_version = ">= 2.7"
end
"""


def _client(shape: Shape, service: str, gem: str) -> str:
    methods = "\n\n".join(_method(operation) for operation in shape.operations)
    return f"""# frozen_string_literal: true

require_relative "{gem}/requests"

module {service}
  # Methods of the API: each gives an answer with status, headers and data, or raises ApiRequests::ApiError.
  class Client
    # Options: api_key, access_key, secret_key, session_token.
    def initialize(url: {_text(shape.url)}, region: {_text(shape.region)}, **options)
      @requests = ApiRequests::Requests.new(url, region, options)
    end

{methods}
  end
end
"""


def _method(operation: Operation) -> str:
    named = {each.name: safe(snake(each.variable), _RESERVED) for each in operation.parameters}
    arguments = [f"{named[each.name]}:{'' if each.required else ' nil'}" for each in operation.parameters]
    if operation.body is not None:
        arguments.append("body: nil")
    arguments += ["query: {}", "headers: {}"]
    verb = operation.verb if operation.verb != "ANY" else "POST" if operation.body else "GET"

    def placed(place: str) -> str:
        return ", ".join(
            f"{_text(each.name)} => {named[each.name]}" for each in operation.parameters if each.place == place
        )

    return f"""    # {operation.verb} {operation.path}
    def {safe(snake(operation.name), _RESERVED)}({", ".join(arguments)})
      @requests.send_request(
        "{verb}", {_text(operation.path)}, {{ {placed("path")} }}, {{ {placed("querystring")} }}.merge(query),
        {{ {placed("header")} }}.merge(headers), {"body" if operation.body is not None else "nil"}, {_text(operation.content_type)}, {str(operation.authorization == "AWS_IAM").lower()}
      )
    end"""


def _text(text: str) -> str:
    """A text of Ruby in which nothing is replaced."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
