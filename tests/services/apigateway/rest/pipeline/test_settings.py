import pytest

from cumulet.api import apigateway as api
from cumulet.services.apigateway.rest.pipeline.settings import settings_of


@pytest.mark.parametrize(
    ("key", "path"),
    [("/GET", "/"), ("~1/GET", "/"), ("pets/{id}/GET", "/pets/{id}"), ("~1pets~1{id}/GET", "/pets/{id}")],
)
def test_settings_of_a_method_are_found_however_its_path_was_written(key: str, path: str) -> None:
    stage = api.Stage(method_settings={key: api.MethodSetting(logging_level="INFO")})
    assert settings_of(stage, path, "GET").log_level == "INFO"
    assert settings_of(stage, path, "PUT").log_level == "OFF"
    assert settings_of(stage, "/other", "GET").log_level == "OFF"
