from pathlib import Path

import pytest

from cumulet.kernel.config import ConfigError, load


def test_options_win_over_the_environment_and_that_over_defaults() -> None:
    environment = {"CUMULET_PORT": "5000", "CUMULET_IAM": "off", "CUMULET_DATA": "/somewhere"}
    config = load({"port": 6000, "region": None}, environment)
    assert (config.port, config.iam, config.data, config.region) == (6000, "off", Path("/somewhere"), "us-east-1")


def test_the_environment_is_text_and_becomes_what_it_means() -> None:
    environment = {"CUMULET_TLS": "true", "CUMULET_IDLE_TIMEOUT": "2.5", "CUMULET_INTERNAL_PORTS": "5432,6379"}
    config = load({}, environment)
    assert (config.tls, config.idle_timeout, config.internal_ports) == (True, 2.5, (5432, 6379))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"port": "many"}, "port"),
        ({"port": 70_000}, "70000"),
        ({"iam": "sometimes"}, "iam"),
        ({"internal_ports": "a,b"}, "internal_ports"),
        ({"host": "0.0.0.0"}, "enforce"),
    ],
)
def test_a_setting_that_cannot_be_is_named(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(options, {})


def test_a_node_that_others_can_reach_must_enforce_permissions() -> None:
    assert not load({"host": "0.0.0.0", "iam": "enforce"}, {}).loopback
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert load({"host": host}, {}).loopback
