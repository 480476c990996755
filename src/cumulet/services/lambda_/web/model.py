"""What a web function, a revision and an endpoint are, and how answers show them."""

from __future__ import annotations

from msgspec import Struct

from cumulet.api import lambda_web as api
from cumulet.services.lambda_.web.names import WebKey

PENDING, ACTIVE, FAILED = "Pending", "Active", "Failed"
LATEST, DISABLED = "LatestRevision", "Disabled"
HOME, MULTI, EACH = "HomeRegion", "MultiRegion", "PerRegion"
IAM = "IamAuth"


class WebFunction(Struct, frozen=True, kw_only=True):
    """What revisions and endpoints share. `policy` is the text of its resource policy, `policy_revision` that text's id."""

    created: float
    updated: float
    tags: dict[str, str] = {}
    policy: str = ""
    policy_revision: str = ""

    def summary(self, key: WebKey) -> api.FunctionSummary:
        return api.FunctionSummary(
            function_name=key.name,
            function_arn=key.arn,
            state=ACTIVE,
            state_reason="The function is active.",
            created_at=self.created,
            updated_at=self.updated,
        )


class Revision(Struct, frozen=True, kw_only=True):
    """Code and configuration, which do not change. `code` is the id of its package; `sealed` its variables as they are stored
    where a key is given for them."""

    id: str
    code: str
    build: api.BuildConfig
    service: api.ServiceConfig
    created: float
    description: str | None = None
    kms_key_arn: str | None = None
    state: str = PENDING
    reason: str = "The revision is being created."
    errors: list[api.RevisionError] | None = None
    sealed: str = ""

    @property
    def runtime(self) -> str:
        return self.build.runtime_config.runtime

    def summary(self, key: WebKey) -> api.FunctionRevisionSummary:
        return api.FunctionRevisionSummary(
            revision_arn=key.revision(self.id),
            revision_id=self.id,
            description=self.description,
            state=self.state,
            state_reason=self.reason,
            created_at=self.created,
        )

    def answer(self, key: WebKey) -> api.GetWebFunctionRevisionResponse:
        return api.GetWebFunctionRevisionResponse(
            function_arn=key.arn,
            revision_arn=key.revision(self.id),
            revision_id=self.id,
            description=self.description,
            kms_key_arn=self.kms_key_arn,
            build_config=self.build,
            service_config=self.service,
            state=self.state,
            state_reason=self.reason,
            errors=self.errors,
            created_at=self.created,
        )


class Endpoint(Struct, frozen=True, kw_only=True):
    """An address. `id` and `place` are the first two parts of its host's name; `weights` is empty until a first revision is
    there; `regions` begins with the home region."""

    name: str
    id: str
    place: str
    kind: str
    auth: str
    mode: str
    regions: list[str]
    created: float
    updated: float
    weights: list[api.RevisionWeight] = []
    description: str | None = None
    scaling: api.ScalingConfig | None = None
    throttle: api.ThrottleConfig | None = None
    state: str = PENDING
    reason: str = "The endpoint is being created."
    update_status: str | None = None
    update_reason: str | None = None

    def domain(self, host: str, region: str = "") -> str:
        """Its host's name, or that of one of its regions, below what the client calls this node."""
        if region:
            return f"{self.id}.{self.place}.lambda-web.{region}.{host}"
        if self.kind == HOME:
            return f"{self.id}.{self.place}.lambda-web.{self.regions[0]}.{host}"
        return f"{self.id}.lambda-web.global.{host}"

    def summary(self, key: WebKey, host: str) -> api.FunctionEndpointSummary:
        return api.FunctionEndpointSummary(
            endpoint_arn=key.endpoint(self.name),
            endpoint_name=self.name,
            description=self.description,
            endpoint_type=self.kind,
            domain_name=self.domain(host),
            auth_type=self.auth,
            auto_deployment_mode=self.mode,
            revision_weights=self.weights,
            regions=self.regions,
            scaling_config=self.scaling,
            throttle_config=self.throttle,
            state=self.state,
            state_reason=self.reason,
            update_status=self.update_status,
            update_status_reason=self.update_reason,
            created_at=self.created,
            updated_at=self.updated,
        )

    def answer(self, key: WebKey, host: str) -> api.GetWebFunctionEndpointResponse:
        shown = self.summary(key, host)
        members = {name: getattr(shown, name) for name in shown.__struct_fields__}
        regional = {region: self._in(region, host) for region in self.regions}
        return api.GetWebFunctionEndpointResponse(function_arn=key.arn, regional_endpoints=regional, **members)

    def _in(self, region: str, host: str) -> api.RegionalEndpoint:
        return api.RegionalEndpoint(
            domain_name=self.domain(host, region) if self.kind != MULTI else None,
            auth_type=self.auth,
            revision_weights=self.weights,
            scaling_config=self.scaling,
            throttle_config=self.throttle,
            state=self.state,
            state_reason=self.reason,
            update_status=self.update_status,
            update_status_reason=self.update_reason,
        )
