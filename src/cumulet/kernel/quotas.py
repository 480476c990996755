"""Quotas of services that a node's owner has changed: `lambda.timeout=1200`, by option, environment variable or file.

Each service has a profile, a struct with AWS's values as defaults. Here are texts made into numbers, and those into profiles.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from cumulet.kernel.config import ConfigError

P = TypeVar("P", bound=Struct)
Quotas = Mapping[str, Mapping[str, float]]
"""By service, then by name."""


def read(texts: Iterable[str], file: Path | None = None) -> dict[str, dict[str, float]]:
    """The quotas in a TOML file (a table for each service), and in texts such as `lambda.layers=6`, which win.

    A text may hold several, with commas. Raises ConfigError.
    """
    quotas = _in_file(file) if file is not None else {}
    for text in (part.strip() for given in texts for part in given.split(",")):
        if not text:
            continue
        place, _, value = text.partition("=")
        service, _, name = place.strip().partition(".")
        if not name:
            raise ConfigError(f"The limit {text!r} is not one: give SERVICE.NAME=VALUE, such as lambda.timeout=1200.")
        quotas.setdefault(service, {})[name] = _number(place.strip(), value.strip())
    return quotas


def profile(service: str, kind: type[P], quotas: Quotas) -> P:
    """The profile of a service, with what was changed. Raises ConfigError for a name that it does not have."""
    changes = quotas.get(service, {})
    known = kind.__struct_fields__
    for name, value in changes.items():
        if name not in known:
            import difflib  # noqa: PLC0415  for an error alone

            near = difflib.get_close_matches(name, known, 1)
            advice = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}."
            raise ConfigError(f"The service {service} has no limit called {name}: {advice}")
        if value < 0:
            raise ConfigError(f"The limit {service}.{name} cannot be {value}: give 0 or more.")
    try:
        return msgspec.convert(dict(changes), kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"A limit of {service} is wrong: {error}.") from error


def check_services(quotas: Quotas, services: Iterable[str]) -> None:
    """Raises ConfigError when there are quotas of a service other than these."""
    known = sorted(services)
    for service in quotas:
        if service not in known:
            raise ConfigError(f"There are no limits of a service {service!r}: those of {', '.join(known)} can be set.")


def _in_file(file: Path) -> dict[str, dict[str, float]]:
    import tomllib  # noqa: PLC0415  most nodes have no such file

    try:
        with file.open("rb") as content:
            return msgspec.convert(tomllib.load(content), dict[str, dict[str, int | float]])
    except OSError as error:
        raise ConfigError(f"The limits in {file} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"The limits in {file} are wrong: {error}.") from error


def _number(place: str, text: str) -> float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"The limit {place} cannot be {text!r}: give a number.") from None
