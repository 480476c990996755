"""What a route wants of messages: that they fit the model which the route's expression selects.

https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-request-validation.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from cumulet.api import apigatewayv2 as v2
from cumulet.services.apigateway.http import expressions
from cumulet.services.apigateway.http.expressions import Find
from cumulet.services.apigateway.rest.pipeline.schema import InvalidSchema, Schema
from cumulet.services.apigateway.sockets.events import Moment

_USUAL = "$default"


class BodyCheck:
    """The check of one route; models are compiled with the first message that they are for."""

    def __init__(self, expression: str, keys: Mapping[str, str], models: Mapping[str, v2.Model]) -> None:
        """`keys` are names of `models` by what the expression gives; models may refer to each other."""
        self._expression = expressions.compile(expression)
        self._keys = keys
        self._models = models
        self._schemas: dict[str, Schema] = {}

    def problem(self, moment: Moment, find: Find) -> str:
        """What is wrong with a message; empty when nothing is. Raises InvalidSchema."""
        selected = self._expression.evaluate(find) or ""
        name = self._keys.get(selected) or self._keys.get(_USUAL)
        if name is None:
            return f"no model is for {selected or 'this message'}"
        schema = self._schemas.get(name)
        if schema is None:
            if name not in self._models:
                raise InvalidSchema(f"there is no model {name}")
            schema = self._schemas[name] = Schema(self._models[name].schema or "{}", self._models)
        body = moment.body or ""
        return schema.problem(base64.b64decode(body) if moment.encoded else body.encode())


def check_of(route: v2.Route, models: Mapping[str, v2.Model]) -> BodyCheck | None:
    """The check that a route asks for, by an expression; None when it asks for none."""
    if not route.model_selection_expression or not route.request_models:
        return None
    return BodyCheck(route.model_selection_expression, route.request_models, models)
