"""What commands print: data to stdout, words for people to stderr."""

import json
from collections.abc import Iterable
from typing import Any

import click


def say(text: str = "") -> None:
    """A line for a person."""
    click.echo(text, err=True)


def data(text: str) -> None:
    """A line for a program or a pipe."""
    click.echo(text)


def data_json(value: Any) -> None:
    """A value as one JSON document."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def table(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Lines of names and values, the names padded to one width."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {click.style(name.ljust(width), dim=True)}  {value}" for name, value in rows]
