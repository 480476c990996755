"""A client in Java, built with Maven; without dependencies."""

from __future__ import annotations

import msgspec

from cumulet.services.apigateway.sdk.archive import runtime
from cumulet.services.apigateway.sdk.shape import Model, Operation, Shape, Type, camel, pascal, plain_name, safe

_PLAIN = {"text": "String", "number": "Double", "integer": "Long", "boolean": "Boolean", "any": "Object"}
_RESERVED = frozenset(
    [
        "abstract",
        "assert",
        "boolean",
        "break",
        "byte",
        "case",
        "catch",
        "char",
        "class",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extends",
        "final",
        "finally",
        "float",
        "for",
        "goto",
        "if",
        "implements",
        "import",
        "instanceof",
        "int",
        "interface",
        "long",
        "native",
        "new",
        "package",
        "private",
        "protected",
        "public",
        "return",
        "short",
        "static",
        "strictfp",
        "super",
        "switch",
        "synchronized",
        "this",
        "throw",
        "throws",
        "transient",
        "try",
        "void",
        "volatile",
        "while",
        "true",
        "false",
        "null",
        "body",
    ]
)
_SHARED = ("Json", "Model", "Answer", "ApiException", "Requests")
_TAKEN = frozenset({*_SHARED, "Transport", "Object", "String", "Map", "List", "Long", "Double", "Boolean"})
_HEAD = "import java.util.LinkedHashMap;\nimport java.util.List;\nimport java.util.Map;\n"


def files(shape: Shape, parameters: dict[str, str]) -> dict[str, str]:
    """A project of Maven's."""
    service = pascal(plain_name(parameters["service.name"], "service name"))
    package = plain_name(parameters["java.package-name"], "package name")
    artifact = plain_name(parameters.get("java.artifact-id") or camel(service).lower(), "artifact id")
    found = sources(shape, service, package, "src/main/java", "Transport.java")
    if parameters.get("java.build-system") == "maven":
        group = plain_name(parameters.get("java.group-id") or package, "group id")
        found["pom.xml"] = _pom(group, artifact, plain_name("v" + parameters["java.artifact-version"], "version")[1:])
    return {f"{artifact}/{path}": text for path, text in found.items()}


def sources(shape: Shape, service: str, package: str, root: str, transport: str) -> dict[str, str]:
    """The classes of a client in a package."""
    folder = f"{root}/{package.replace('.', '/')}"
    head = f"package {package};\n\n"
    found = {f"{folder}/{name}.java": head + runtime(f"{name}.java") for name in _SHARED}
    found[f"{folder}/Transport.java"] = head + runtime(transport)
    found[f"{folder}/{service}.java"] = head + _client(shape, service)
    for model in shape.models:
        name = _class(model.name)
        found[f"{folder}/{name}.java"] = head + _model(model, name)
    return found


def _class(name: str) -> str:
    return safe(name, _TAKEN)


def _type(kind: Type) -> str:
    if kind.kind == "model":
        return _class(kind.name)
    if kind.inner is not None:
        return f"List<{_type(kind.inner)}>" if kind.kind == "list" else f"Map<String, {_type(kind.inner)}>"
    return _PLAIN[kind.kind]


def _pom(group: str, artifact: str, version: str) -> str:
    return f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <version>{version}</version>
  <properties>
    <maven.compiler.release>11</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
</project>
"""


def _model(model: Model, name: str) -> str:
    members = "\n".join(f"    public {_type(each.type)} {safe(each.variable, _RESERVED)};" for each in model.fields)
    puts = "\n".join(
        f"        if ({safe(each.variable, _RESERVED)} != null) members.put({_text(each.name)}, {safe(each.variable, _RESERVED)});"
        for each in model.fields
    )
    return f"""{_HEAD}
/** A body of the API. */
public class {name} implements Model {{
{members}

    @Override
    public Map<String, Object> toMap() {{
        Map<String, Object> members = new LinkedHashMap<>();
{puts}
        return members;
    }}
}}
"""


def _client(shape: Shape, service: str) -> str:
    methods = "\n\n".join(_method(operation) for operation in shape.operations)
    return f"""{_HEAD}
/** Methods of the API; each gives an Answer or throws an ApiException. What is null is not sent. */
public class {service} {{
    /** What is set here holds for all requests: keys, for methods that need them. */
    public final Requests requests;

    public {service}() {{
        this({_text(shape.url)}, {_text(shape.region)});
    }}

    public {service}(String url, String region) {{
        requests = new Requests(url, region);
    }}

    private static Map<String, Object> map(Object... pairs) {{
        Map<String, Object> found = new LinkedHashMap<>();
        for (int at = 0; at < pairs.length; at += 2) found.put((String) pairs[at], pairs[at + 1]);
        return found;
    }}

{methods}
}}
"""


def _method(operation: Operation) -> str:
    named = {each.name: safe(each.variable, _RESERVED) for each in operation.parameters}
    arguments = [f"Object {variable}" for variable in named.values()]
    if operation.body is not None:
        arguments.append(f"{_type(operation.body)} body")
    verb = operation.verb if operation.verb != "ANY" else "POST" if operation.body else "GET"

    def placed(place: str) -> str:
        return ", ".join(
            f"{_text(each.name)}, {named[each.name]}" for each in operation.parameters if each.place == place
        )

    return f"""    /** {operation.verb} {operation.path.replace("*/", "* /")} */
    public Answer {safe(operation.name, _RESERVED)}({", ".join(arguments)}) {{
        return requests.send("{verb}", {_text(operation.path)}, map({placed("path")}), map({placed("querystring")}),
                map({placed("header")}), {"body" if operation.body is not None else "null"}, {_text(operation.content_type)}, {str(operation.authorization == "AWS_IAM").lower()});
    }}"""


def _text(text: str) -> str:
    return msgspec.json.encode(text).decode()
