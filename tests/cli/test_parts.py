"""Parts of the command line that need no node."""

import string
import subprocess
import sys

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.cli.errors import CliError
from cumulet.cli.profile import with_section
from cumulet.cli.times import seconds_since_1970
from cumulet.cli.up import check_isolation
from cumulet.kernel.config import load

NAME = st.text(string.ascii_lowercase, min_size=1, max_size=5)
SECTION = st.dictionaries(NAME, NAME, max_size=3)


def _file(sections: dict[str, dict[str, str]]) -> str:
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
        for name, values in sections.items()
    )


def _parsed(text: str) -> dict[str, dict[str, str]]:
    import configparser

    parser = configparser.RawConfigParser(default_section="no such section")
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


@given(st.dictionaries(NAME, SECTION, max_size=4), NAME, st.dictionaries(NAME, NAME, min_size=1, max_size=3))
def test_a_section_is_replaced_and_the_others_are_kept(
    sections: dict[str, dict[str, str]], name: str, values: dict[str, str]
) -> None:
    text = with_section(_file(sections), name, values)
    assert _parsed(text) == sections | {name: values}
    assert with_section(text, name, values) == text


def test_a_file_without_a_last_newline_and_with_comments_keeps_them() -> None:
    text = with_section("# c\n[a]\nx = 1", "b", {"y": "2"})
    assert text == "# c\n[a]\nx = 1\n\n[b]\ny = 2\n"


@pytest.mark.parametrize(
    ("since", "expected"),
    [("30s", 970_000), ("10m", 400_000), ("9h", 0), ("1970-01-01T00:01:00Z", 60_000), ("1970-01-01", 0)],
)
def test_since_takes_spans_and_times(since: str, expected: int) -> None:
    assert int(seconds_since_1970(since, 1_000.0) * 1000) == expected


def test_since_refuses_the_rest() -> None:
    with pytest.raises(click.BadParameter):
        seconds_since_1970("yesterday", 1_000.0)


def test_the_command_line_imports_no_sdk_and_no_server() -> None:
    code = (
        "import sys, cumulet.cli.main, cumulet.cli.invoke, cumulet.cli.logs, cumulet.cli.env, cumulet.cli.lifecycle\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('boto3', 'botocore', 'apsw', 'uvloop')"
        " or name.startswith(('cumulet.app', 'cumulet.gateway', 'cumulet.api'))])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("options", "level", "accepted"),
    [
        ({}, "process", True),
        ({"isolation": "rootless"}, "process", False),
        ({"isolation": "full"}, "rootless", False),
        ({"isolation": "rootless"}, "full", True),
        ({"iam": "enforce"}, "process", False),
        ({"iam": "enforce"}, "rootless", True),
        ({"iam": "enforce", "isolation": "process"}, "process", True),
    ],
)
def test_less_isolation_than_asked_for_is_refused(options: dict[str, str], level: str, accepted: bool) -> None:
    found = {"name": level, "meaning": "", "abilities": {}, "advice": ["Run as root."]}
    config = load(options, {})
    if accepted:
        check_isolation(config, found)
    else:
        with pytest.raises(CliError, match=r"Run as root\."):
            check_isolation(config, found)
