"""Dockerfiles: what one says, as steps that a sandbox does and settings of the program that comes of it.

https://docs.docker.com/reference/dockerfile/
"""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

_MOST = 200
MOST_BYTES = 65_536
"""Of a Dockerfile or .dockerignore."""
_MOST_VARIABLES = 32_768
"""Bytes of all variables, after what they name has been put in: a variable may name itself, so a few lines could come to any size."""
_MOST_STEPS = 49_152
"""Bytes of what a sandbox is told to do; more would not fit into a message to it."""
_LONGEST = 200
_DIRECTIVE = re.compile(r"#\s*escape\s*=\s*(\S)\s*", re.IGNORECASE)
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S*))?\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOTHING = frozenset({"LABEL", "MAINTAINER", "STOPSIGNAL", "HEALTHCHECK", "VOLUME", "USER"})
"""What changes nothing here: see the service's page."""
_SHELL = ["/bin/sh", "-c"]


class BadDockerfile(Exception):
    """It cannot be built; the message says where and why."""


class Recipe(Struct, kw_only=True):
    """What a Dockerfile says. `entry` and `command` are None where it leaves them as the image below has them."""

    base: str = ""
    steps: list[dict[str, Any]] = []
    entry: list[str] | None = None
    command: list[str] | None = None
    environment: dict[str, str] = {}
    folder: str = ""
    ports: list[int] = []


def parse(text: str, ignored: list[str]) -> Recipe:
    """`ignored` are paths of the package that no COPY takes. Raises BadDockerfile."""
    reading = _Reading(ignored)
    instructions = _instructions(text)
    if len(instructions) > _MOST:
        raise BadDockerfile(f"the Dockerfile has more than {_MOST} instructions")
    for line, word, rest in instructions:
        try:
            reading.take(word, rest)
        except BadDockerfile as error:
            raise BadDockerfile(f"Dockerfile line {line}: {error}") from None
    if not reading.recipe.base:
        raise BadDockerfile("the Dockerfile has no FROM instruction")
    if len(json.dumps(reading.recipe.steps)) > _MOST_STEPS:
        raise BadDockerfile(f"its instructions come to more than {_MOST_STEPS} bytes")
    return reading.recipe


def ignored_paths(text: str) -> list[str]:
    """The plain paths of a .dockerignore file; patterns in it are left out."""
    lines = (line.strip().strip("/") for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(("#", "!")) and not set(line) & set("*?[")][:1000]


def _instructions(text: str) -> list[tuple[int, str, str]]:
    """Line number, word, rest of each; lines that go on are joined, comments left out."""
    lines = text.splitlines()
    escape = "\\"
    if lines and (found := _DIRECTIVE.fullmatch(lines[0].strip())):
        escape = found[1]
    found_all: list[tuple[int, str, str]] = []
    whole, began = "", 0
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        began = began or number
        if stripped.endswith(escape):
            whole += stripped[:-1] + " "
            continue
        whole += stripped
        word, _, rest = whole.strip().partition(" ")
        found_all.append((began, word.upper(), rest.strip()))
        whole, began = "", 0
    if whole.strip():
        word, _, rest = whole.strip().partition(" ")
        found_all.append((began, word.upper(), rest.strip()))
    return found_all


class _Reading:
    """The state between two instructions."""

    def __init__(self, ignored: list[str]) -> None:
        self.recipe = Recipe()
        self._ignored = ignored
        self._told: dict[str, str] = {}
        self._arguments: dict[str, str] = {}
        self._folder = "/"
        self._shell = _SHELL
        self._takers: dict[str, Callable[[str], None]] = {
            "ARG": self._argument,
            "ENV": self._variables,
            "WORKDIR": self._work_in,
            "RUN": self._run,
            "COPY": lambda rest: self._copy("COPY", rest),
            "ADD": lambda rest: self._copy("ADD", rest),
            "CMD": self._command,
            "ENTRYPOINT": self._entry,
            "EXPOSE": self._expose,
            "SHELL": self._use_shell,
        }

    def take(self, word: str, rest: str) -> None:
        """Raises BadDockerfile."""
        if word == "FROM":
            self._begin(rest)
            return
        if not self.recipe.base and word != "ARG":
            raise BadDockerfile("no build stage in current context: FROM comes first")
        if word in _NOTHING:
            return
        taker = self._takers.get(word)
        if taker is None:
            raise BadDockerfile(f"{word} is not supported" if word == "ONBUILD" else f"unknown instruction: {word}")
        if not rest:
            raise BadDockerfile(f"{word} requires at least one argument")
        if "<<" in rest and word in {"RUN", "COPY", "ADD"} and re.search(r"<<-?['\"]?[A-Za-z]", rest):
            raise BadDockerfile("here-documents are not supported")
        taker(rest)

    def _begin(self, rest: str) -> None:
        if self.recipe.base:
            raise BadDockerfile("a Dockerfile of several stages is not supported")
        words = self._expanded(_FLAG.sub("", rest)).split()
        if not words or (len(words) > 1 and (len(words) != 3 or words[1].upper() != "AS")):
            raise BadDockerfile("FROM requires an image")
        self.recipe.base = words[0]
        self._arguments = {}

    def _argument(self, rest: str) -> None:
        for word in _words(rest):
            name, equals, value = word.partition("=")
            if not _NAME.fullmatch(name):
                raise BadDockerfile(f"ARG names must be plain: {name}")
            self._arguments[name] = self._expanded(value) if equals else self._arguments.get(name, "")
        self._check_variables()

    def _variables(self, rest: str) -> None:
        first = rest.split(None, 1)
        pairs = _words(rest)
        if "=" not in first[0]:
            if len(first) == 1:
                raise BadDockerfile("ENV must have two arguments")
            self.recipe.environment[first[0]] = self._expanded(first[1])
            self._check_variables()
            return
        made = {}
        for pair in pairs:
            name, equals, value = pair.partition("=")
            if not equals or not name:
                raise BadDockerfile(f"ENV names must have a value: {pair}")
            made[name] = self._expanded(value)
        self.recipe.environment |= made
        self._check_variables()

    def _check_variables(self) -> None:
        both = (self._arguments, self.recipe.environment)
        if sum(len(name) + len(value) for variables in both for name, value in variables.items()) > _MOST_VARIABLES:
            raise BadDockerfile(f"its variables come to more than {_MOST_VARIABLES} bytes")

    def _work_in(self, rest: str) -> None:
        self._folder = _joined(self._folder, self._expanded(" ".join(_words(rest))))
        self.recipe.folder = self._folder
        self._step({"kind": "make", "text": f"WORKDIR {rest}", "folder": self._folder})

    def _run(self, rest: str) -> None:
        while found := _FLAG.match(rest):
            raise BadDockerfile(f"RUN --{found[1]} is not supported")
        argv = _exec_form(rest) or [*self._shell, rest]
        environment = {**self._arguments, **self.recipe.environment}
        new = {name: value for name, value in environment.items() if self._told.get(name) != value}
        self._told = environment
        self._step({"kind": "run", "text": f"RUN {rest}", "argv": argv, "folder": self._folder, "environment": new})

    def _copy(self, word: str, rest: str) -> None:
        while found := _FLAG.match(rest):
            if found[1] == "from":
                raise BadDockerfile(f"{word} --from is not supported: there is one stage")
            if found[1] not in {"chown", "chmod", "link", "parents"} or found[1] == "parents":
                raise BadDockerfile(f"{word} --{found[1]} is not supported")
            rest = rest[found.end() :]
        words = [self._expanded(one) for one in (_exec_form(rest) or _words(rest))]
        if len(words) < 2:
            raise BadDockerfile(f"{word} requires at least two arguments")
        *sources, target = words
        if any(re.match(r"[a-z]+://|git@", source) for source in sources):
            raise BadDockerfile(f"{word} takes files of the package only")
        to = _joined(self._folder, target)
        if target.endswith(("/", "/.")) or target == ".":
            to = to.rstrip("/") + "/"
        order = {"kind": "copy", "text": f"{word} {rest}", "word": word, "from": sources, "to": to}
        ignored, self._ignored = self._ignored, []
        self._step({**order, "ignored": ignored, "unpack": word == "ADD"})

    def _command(self, rest: str) -> None:
        self.recipe.command = _exec_form(rest) or [*self._shell, rest]

    def _entry(self, rest: str) -> None:
        self.recipe.entry = _exec_form(rest) or [*self._shell, rest]
        self.recipe.command = self.recipe.command if _exec_form(rest) else []

    def _expose(self, rest: str) -> None:
        for word in self._expanded(rest).split():
            port = word.partition("/")[0]
            if not port.isascii() or not port.isdigit() or len(port) > 5 or not 0 < int(port) < 1 << 16:
                raise BadDockerfile(f"invalid port: {word}")
            self.recipe.ports.append(int(port))

    def _use_shell(self, rest: str) -> None:
        argv = _exec_form(rest)
        if not argv:
            raise BadDockerfile("SHELL requires the arguments to be in JSON form")
        self._shell = argv

    def _step(self, order: dict[str, Any]) -> None:
        self.recipe.steps.append({**order, "text": order["text"][:_LONGEST]})

    def _expanded(self, text: str) -> str:
        return expand(text, {**self._arguments, **self.recipe.environment}, _MOST_VARIABLES)


_VARIABLE = re.compile(r"\\(.)|\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::([-+])([^{}]*))?\})", re.ASCII)


def expand(text: str, variables: Mapping[str, str], most: int) -> str:
    """`$name`, `${name}`, `${name:-else}` and `${name:+then}` in it replaced. Raises BadDockerfile where what is put in comes to
    more than `most` characters."""
    left = most

    def value(found: re.Match[str]) -> str:
        nonlocal left
        known = _value(found, variables)
        left -= len(known)
        if left < 0:
            raise BadDockerfile(f"its variables come to more than {most} bytes")
        return known

    return _VARIABLE.sub(value, text)


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found[1] is not None:
        return found[1] if found[1] == "$" else found[0]
    known = variables.get(found[2] or found[3], "")
    if found[4] == "-":
        return known or found[5]
    return found[5] if found[4] == "+" and known else known if found[4] is None else ""


def _exec_form(rest: str) -> list[str] | None:
    """The JSON form of an instruction; None for the other."""
    if not rest.startswith("["):
        return None
    try:
        words = json.loads(rest)
    except (ValueError, RecursionError):
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _words(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError as error:
        raise BadDockerfile(str(error)) from None


def _joined(folder: str, path: str) -> str:
    """`path` as seen from `folder`, without `.` and `..`."""
    parts: list[str] = []
    for part in (path if path.startswith("/") else f"{folder}/{path}").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts)
