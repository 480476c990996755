"""Each service with what it is made of. Services are imported, and their databases opened, when they are first asked for."""

import importlib
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

from cumulet.compute import Compute, OnLog, OnPlatform
from cumulet.delivery.http import HttpClient
from cumulet.gateway.dispatch import Dispatcher
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock, real_time
from cumulet.kernel.config import Config
from cumulet.kernel.service import Service
from cumulet.kernel.tasks import Tasks
from cumulet.kernel.web import Apis, Inner
from cumulet.storage.database import Database
from cumulet.storage.files import FolderBlobs
from cumulet.storage.folder import DataFolder
from cumulet.storage.signals import Signals
from cumulet.storage.sqlite import SqliteDatabase

CODE_PATH = "/_cumulet/lambda/code/"
"""Where the node answers for functions' code."""
MICROVM_CREDENTIALS_PATH = "/_cumulet/microvms/credentials"
"""Where MicroVMs find their role's credentials."""
_LIMITS = {
    "apigateway": "cumulet.services.apigateway.limits",
    "dynamodb": "cumulet.services.dynamodb.limits",
    "efs": "cumulet.services.efs.limits",
    "gateway": "cumulet.gateway.limits",
    "kinesis": "cumulet.services.kinesis.limits",
    "lambda": "cumulet.services.lambda_.limits",
    "lambda-microvms": "cumulet.services.lambda_.microvms.limits",
    "lambda-web": "cumulet.services.lambda_.web.limits",
    "stepfunctions": "cumulet.services.stepfunctions.limits",
}
"""Services whose quotas can be changed, with the module of each one's profile, `Limits`."""
_WHEN_CALLED = {
    "apigateway": ("apigateway", "apigateway_api"),
    "apigatewaymanagementapi": ("apigateway", "apigatewayv2"),
    "apigatewayv2": ("apigateway", "apigatewayv2"),
    "dynamodb": ("dynamodb", "dynamodb"),
    "dynamodbstreams": ("dynamodb", "dynamodb"),
    "efs": ("efs", "efs"),
    "events": ("events", "events"),
    "kinesis": ("kinesis", "kinesis"),
    "kms": ("kms", "kms"),
    "lambda-microvms": ("lambda", "lambda_microvms"),
    "lambda-web": ("lambda", "lambda_web"),
    "sqs": ("sqs", "sqs"),
    "stepfunctions": ("stepfunctions", "stepfunctions_execution"),
}
"""Services that wait for their first call on a node that never had one, with the database and the schema that it makes:
most nodes use few of them, and each takes one to three megabytes."""


class _Stored(TypedDict):
    """What every service is made of that has a database."""

    db: Database
    clock: Clock
    tasks: Tasks


class _Acting(_Stored):
    """What those services have beside it that act for others: in their names, with credentials, in real time."""

    calls: Calls
    wall: Callable[[], float]
    secret: bytes
    enforce: bool


class Assembly:
    """How the services of one node are built. What is annotated here alone the node gives before it starts the first of them.

    `function_log`, `web_log`, `microvm_log` and `platform_log` are where what functions wrote is to go, once the services for it run.
    """

    compute: Compute
    folder: DataFolder
    inner: Inner
    apis: Apis

    def __init__(self, config: Config, clock: Clock, tasks: Tasks, signals: Signals, client: HttpClient) -> None:
        self.client = client
        self.function_log: OnLog = lambda environment, line: None
        self.web_log: OnLog = lambda environment, line: None
        self.microvm_log: OnLog = lambda environment, line: None
        self.platform_log: OnPlatform = lambda environment, kind, record: None
        self._config = config
        self._clock = clock
        self._tasks = tasks
        self._signals = signals
        self._quotas: dict[str, dict[str, float]] = {}
        self._databases: dict[str, SqliteDatabase] = {}
        self._services = Dispatcher(self._builders())

    @property
    def services(self) -> Dispatcher:
        """The services, each built with its first call."""
        return self._services

    def begins_with_node(self, service: str) -> bool:
        """Whether it is one that most clients call, or may have work of the last run to go on with."""
        if service not in _WHEN_CALLED:
            return True
        database, schema = _WHEN_CALLED[service]
        return self._database_file(database).exists() and self._database(database).knows(schema)

    def give_back_memory(self) -> None:
        """What databases keep to be fast while they are used; nothing uses them once all services have started."""
        for database in self._databases.values():
            database.give_back_memory()

    async def close(self) -> None:
        """Close what the services had open, after they have stopped."""
        for database in self._databases.values():
            await database.close()

    def _builders(self) -> dict[str, Callable[[], Service]]:
        return {
            "apigateway": self._apigateway,
            "apigatewaymanagementapi": self._apigatewaymanagementapi,
            "apigatewayv2": self._apigatewayv2,
            "dynamodb": self._dynamodb,
            "dynamodbstreams": self._dynamodbstreams,
            "efs": self._efs,
            "events": self._events,
            "iam": self._iam,
            "kinesis": self._kinesis,
            "kms": self._kms,
            "lambda": self._lambda,
            "lambda-core": self._lambda_core,
            "lambda-microvms": self._lambda_microvms,
            "lambda-web": self._lambda_web,
            "logs": self._logs,
            "s3": self._s3,
            "sqs": self._sqs,
            "stepfunctions": self._stepfunctions,
            "sts": self._sts,
        }

    def read_quotas(self) -> None:
        """Refuse wrong quotas now rather than when the service is first asked for. Raises ConfigError."""
        if self._config.limits or self._config.limits_file is not None:
            from cumulet.kernel import quotas

            self._quotas = quotas.read(self._config.limits, self._config.limits_file)
            quotas.check_services(self._quotas, _LIMITS)
            for service in self._quotas:
                self._limits(service)

    def gateway_limits(self) -> Any:
        """Those of what listens, which is no service but has limits like one."""
        return self._limits("gateway")

    def _limits(self, service: str) -> Any:
        """The quotas of a service, with what the node's owner changed."""
        from cumulet.kernel import quotas

        return quotas.profile(service, importlib.import_module(_LIMITS[service]).Limits, self._quotas)

    def _database_file(self, name: str) -> Path:
        return self._config.data / "records" / f"{name}.db"

    def _database(self, name: str) -> SqliteDatabase:
        if name not in self._databases:
            file = self._database_file(name)
            file.parent.mkdir(exist_ok=True)
            self._databases[name] = SqliteDatabase(file)
        return self._databases[name]

    def _stored(self, database: str) -> _Stored:
        return {"db": self._database(database), "clock": self._clock, "tasks": self._tasks}

    def _acting(self, database: str) -> _Acting:
        return {
            **self._stored(database),
            "calls": self._services,
            "wall": real_time,
            "secret": self.folder.key(),
            "enforce": self._enforce,
        }

    @property
    def _enforce(self) -> bool:
        return self._config.iam == "enforce"

    def _image_blobs(self) -> FolderBlobs:
        """Of the registry of container images, which Lambda's services share."""
        return FolderBlobs(self._config.data / "images")

    @cached_property
    def domain_names(self) -> Any:
        """Custom domain names, which API Gateway's services share."""
        from cumulet.services.apigateway.domains import hosts, store
        from cumulet.services.apigateway.rest.apis.store import ApiStore

        db = self._database("apigateway")

        async def find_policy(api_id: str) -> str | None:
            owned = await ApiStore(db).find(api_id)
            return None if owned is None else owned.api.security_policy

        return hosts.Domains(store.DomainStore(db), find_policy)

    def _apigateway(self) -> Service:
        from cumulet.services import apigateway

        return apigateway.build(
            **self._acting("apigateway"),
            client=self.client,
            inner=self.inner,
            domains=self.domain_names,
            limits=self._limits("apigateway"),
        )

    def _apigatewaymanagementapi(self) -> Service:
        from cumulet.services.apigateway import sockets

        async def connections() -> sockets.Sockets:
            return sockets.of(await self._services.service("apigatewayv2"))

        return sockets.build(connections=connections)

    def _apigatewayv2(self) -> Service:
        from cumulet.services.apigateway import http

        async def find_gate() -> Any:
            service: Any = await self._services.service("apigateway")
            return service.state.gate

        return http.build(
            domain_names=self.domain_names,
            find_gate=find_gate,
            **self._stored("apigateway"),
            calls=self._services,
            client=self.client,
            inner=self.inner,
            enforce=self._enforce,
            limits=self._limits("apigateway"),
        )

    def _dynamodb(self) -> Service:
        from cumulet.services import dynamodb

        return dynamodb.build(
            **self._stored("dynamodb"),
            signals=self._signals,
            calls=self._services,
            limits=self._limits("dynamodb"),
        )

    def _dynamodbstreams(self) -> Service:
        from cumulet.services.dynamodb import streams

        return streams.build(**self._stored("dynamodb"))

    def _events(self) -> Service:
        from cumulet.services import events

        return events.build(
            **self._stored("events"),
            calls=self._services,
            client=self.client,
            secret=self.folder.key(),
        )

    def _efs(self) -> Service:
        from cumulet.services import efs

        return efs.build(
            **self._stored("efs"),
            signals=self._signals,
            folder=self._config.data / "file-systems",
            limits=self._limits("efs"),
        )

    def _iam(self) -> Service:
        from cumulet.services import iam

        return iam.build(**self._stored("iam"), signals=self._signals, secret=self.folder.key())

    def _kinesis(self) -> Service:
        from cumulet.services import kinesis

        return kinesis.build(
            **self._stored("kinesis"),
            signals=self._signals,
            calls=self._services,
            secret=self.folder.key(),
            limits=self._limits("kinesis"),
        )

    def _kms(self) -> Service:
        from cumulet.services import kms

        return kms.build(**self._stored("kms"), secret=self.folder.key())

    def _lambda(self) -> Service:
        from cumulet.services import lambda_

        service = lambda_.build(
            **self._acting("lambda"),
            blobs=FolderBlobs(self._config.data / "packages"),
            images=self._image_blobs(),
            images_folder=self._config.data / "compute" / "images",
            custom=self._custom_runtimes,
            signals=self._signals,
            compute=self.compute,
            folder=self._config.data / "functions",
            limits=self._limits("lambda"),
            code_path=CODE_PATH,
        )
        assert isinstance(service.state, lambda_.Lambda)
        self.function_log = service.state.logs.line
        self.platform_log = service.state.logs.platform
        return service

    @cached_property
    def _custom_runtimes(self) -> Any:
        """The runtimes of customers, which Lambda shares with the service that manages them."""
        from cumulet.services.lambda_ import custom

        return custom.make(
            **self._stored("lambda"),
            images=self._image_blobs(),
            folder=self._config.data / "compute" / "custom-runtimes",
            on_removal=self.compute.forget_image,
        )

    def _lambda_core(self) -> Service:
        from cumulet.services.lambda_ import custom

        return custom.build(self._custom_runtimes)

    def _lambda_microvms(self) -> Service:
        from cumulet.services.lambda_ import microvms

        service = microvms.build(
            **self._acting("lambda"),
            images_blobs=self._image_blobs(),
            folder=self._config.data / "compute" / "microvms",
            machine=os.uname().machine,
            credentials_path=MICROVM_CREDENTIALS_PATH,
            compute=self.compute,
            limits=self._limits("lambda-microvms"),
        )
        assert isinstance(service.state, microvms.Microvms)
        self.microvm_log = service.state.logs.line
        return service

    def _lambda_web(self) -> Service:
        from cumulet.services.lambda_ import web

        service = web.build(
            **self._acting("lambda"),
            blobs=FolderBlobs(self._config.data / "web-packages"),
            folder=self._config.data / "web-functions",
            compute=self.compute,
            limits=self._limits("lambda-web"),
        )
        assert isinstance(service.state, web.Web)
        self.web_log = service.state.logs.line
        return service

    def _logs(self) -> Service:
        from cumulet.services import logs

        return logs.build(**self._stored("logs"), calls=self._services)

    def _s3(self) -> Service:
        from cumulet.services import s3

        return s3.build(
            **self._stored("s3"),
            blobs=FolderBlobs(self._config.data / "blobs"),
            signals=self._signals,
            calls=self._services,
        )

    def _sqs(self) -> Service:
        from cumulet.services import sqs

        return sqs.build(**self._stored("sqs"), signals=self._signals)

    def _stepfunctions(self) -> Service:
        from cumulet.services import stepfunctions

        return stepfunctions.build(
            **self._stored("stepfunctions"),
            signals=self._signals,
            wall=real_time,
            calls=self._services,
            client=self.client,
            inner=self.inner,
            apis=self.apis,
            check=_check_by_model,
            mock_file=self._config.mocks,
            enforce=self._enforce,
            limits=self._limits("stepfunctions"),
        )

    def _sts(self) -> Service:
        from cumulet.services import iam, sts

        async def find_role(arn: str) -> Any:
            return await iam.find_role(await self._services.service("iam"), arn)

        return sts.build(key=self.folder.key(), find_role=find_role, wall=real_time)


def _check_by_model(service: str, operation: str, request: Any) -> None:
    """Raises the AwsError that the wire would answer to this request."""
    from cumulet.wire import services

    services.load(service).check(operation, request)
