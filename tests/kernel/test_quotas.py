from pathlib import Path

import pytest
from msgspec import Struct

from cumulet.kernel.config import ConfigError, load
from cumulet.kernel.quotas import check_services, profile, read


class Profile(Struct, frozen=True, kw_only=True):
    layers: int = 5
    pause: float = 1.5


def test_texts_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text("[some]\nlayers = 7\npause = 2\n")

    quotas = read(["some.layers=8, some.layers = 9"], file)

    assert profile("some", Profile, quotas) == Profile(layers=9, pause=2.0)
    assert profile("other", Profile, quotas) == Profile()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layers=5", "give SERVICE.NAME=VALUE"),
        ("some.layers=many", "cannot be 'many'"),
        ("some.layer=5", "did you mean layers"),
        ("some.zzz=5", "it has layers, pause"),
        ("some.layers=-1", "give 0 or more"),
        ("some.layers=1.5", "Expected `int`"),
        ("other.layers=1", "a service 'other'"),
    ],
)
def test_what_cannot_be_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        quotas = read([text])
        check_services(quotas, ["some"])
        profile("some", Profile, quotas)


@pytest.mark.parametrize("content", ["no toml", "some = 1", '[some]\nlayers = "x"'])
def test_a_file_that_is_wrong_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=str(file)):
        read([], file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read([], tmp_path / "none")


def test_settings_carry_them() -> None:
    assert load({}, {"CUMULET_LIMITS": "a.b=1,a.c=2"}).limits == ("a.b=1,a.c=2",)
    assert load({"limits": ("a.b=1",), "limits_file": "/f"}, {}).limits_file == Path("/f")
