"""What Dockerfiles say, and that no text breaks their reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.services.lambda_.microvms.dockerfile import BadDockerfile, expand, ignored_paths, parse


def test_settings_of_the_program() -> None:
    recipe = parse(
        """# escape=`
        ARG TAG=v1
        FROM own/image:${TAG}
        ENV A=1 B="two words" C=$A.
        ENV E=$A.
        ENV D the rest of it
        WORKDIR /srv
        WORKDIR app/../data
        EXPOSE 80 443/tcp
        ENTRYPOINT ["run", `
            "me"]
        CMD --fast
        """,
        [],
    )
    assert recipe.base == "own/image:v1"
    assert recipe.environment == {"A": "1", "B": "two words", "C": ".", "D": "the rest of it", "E": "1."}
    assert recipe.folder == "/srv/data"
    assert recipe.ports == [80, 443]
    assert recipe.entry == ["run", "me"]
    assert recipe.command == ["/bin/sh", "-c", "--fast"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FROM",
        "RUN true\nFROM x",
        "FROM x\nFROM y",
        "FROM x\nCOPY one",
        "FROM x\nCOPY --from=y one /two",
        "FROM x\nADD https://example.com/a /b",
        "FROM x\nRUN --mount=type=cache,target=/x true",
        "FROM x\nRUN <<EOF\ntrue\nEOF",
        "FROM x\nEXPOSE 70000",
        "FROM x\nENV lonely",
        "FROM x\nONBUILD RUN true",
        "FROM x\nSHELL bash",
        "FROM x\nCOPY 'open /x",
        "FROM x\nEXPOSE 0000809999",
        "FROM x\nENV A=aaaaaaaaaaaaaaaa" + "\nENV A=$A$A$A$A" * 30,
        "FROM x\nARG A=aaaaaaaaaaaaaaaa" + "\nARG A=$A$A$A$A" * 30,
        f"FROM x\nENV A={'a' * 30_000}\nCOPY {'$A' * 15_000} /b",
        f"FROM x\nENV A={'a' * 30_000}\nWORKDIR $A\nWORKDIR $A\nRUN true",
        "FROM x" + f"\nRUN {'a' * 600}" * 100,
    ],
)
def test_what_cannot_be_built_is_refused(text: str) -> None:
    with pytest.raises(BadDockerfile):
        parse(text, [])


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    for whole in (text, f"FROM x\n{text}", f"FROM x\nCOPY {text}", f"FROM x\nENV {text}", f"FROM x\nCMD {text}"):
        try:
            parse(whole, [])
        except BadDockerfile:
            continue


def test_nesting_is_no_matter() -> None:
    assert parse("FROM x\nCMD " + "[" * 60_000, []).command == ["/bin/sh", "-c", "[" * 60_000]


def test_what_holds_for_all_steps_is_told_once() -> None:
    text = "FROM x\nENV A=1 B=2\nRUN one\nCOPY a b\nARG C=3\nENV B=4\nRUN two\nCOPY a b\nRUN three"
    steps = parse(text, ["left"]).steps
    assert [step.get("environment", {}) for step in steps] == [{"A": "1", "B": "2"}, {}, {"C": "3", "B": "4"}, {}, {}]
    assert [step.get("ignored", []) for step in steps] == [[], ["left"], [], [], []]


def test_variables() -> None:
    known = {"A": "1", "EMPTY": ""}
    assert expand("$A ${A} ${B:-else} ${A:-else} ${A:+then} ${B:+then}. \\$A $B", known, 99) == "1 1 else 1 then . $A "


def test_ignored_paths() -> None:
    assert ignored_paths("# no\n/one/\ntwo/three\n*.pyc\n!kept\n\n") == ["one", "two/three"]
