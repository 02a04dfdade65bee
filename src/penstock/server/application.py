"""The ASGI application: all routes, found by their resource, behind the log-in and the tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.applications import Starlette
from starlette.datastructures import URLPath
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match, NoMatchFound, Router
from starlette.types import Receive, Scope, Send

from penstock.errors import PenstockError
from penstock.server.actions import ActionRoutes
from penstock.server.auth import Doorkeeper, LoginGate
from penstock.server.bulk import BulkRoutes
from penstock.server.configs import InstanceRoutes
from penstock.server.dependencies import DependencyRoutes
from penstock.server.errors import FORESEEN, error_reply, http_reply
from penstock.server.executions import ExecutionRoutes
from penstock.server.exports import ExportRoutes
from penstock.server.expressions import ExpressionRoutes
from penstock.server.files import ExecutionFileRoutes
from penstock.server.flow_sources import FlowSourceRoutes
from penstock.server.flows import FlowRoutes
from penstock.server.follow import FollowRoutes
from penstock.server.graphs import GraphRoutes
from penstock.server.key_values import KeyValueRoutes
from penstock.server.login import LoginRoutes
from penstock.server.logs import LogRoutes
from penstock.server.metrics import MetricRoutes
from penstock.server.namespace_files import NamespaceFileRoutes
from penstock.server.namespaces import NamespaceRoutes
from penstock.server.outputs import OutputRoutes
from penstock.server.pages import PageRoutes
from penstock.server.plugins import PluginRoutes
from penstock.server.retention import RetentionRoutes
from penstock.server.secrets import SecretRoutes
from penstock.server.services import Services
from penstock.server.tenancy import TENANT, MainTenant
from penstock.server.triggers import TriggerRoutes
from penstock.server.triggers_bulk import TriggerBulkRoutes
from penstock.server.webhooks import WebhookRoutes

_BASE = f"/api/v1/{TENANT}/"


class ResourceRoute(BaseRoute):
    """All routes of the tenant's resources, found by the resource's name first: a look-up instead of a long list."""

    def __init__(self, resources: Mapping[str, Router]) -> None:
        self._resources = resources

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found = self._router(scope)
        return (Match.NONE, {}) if found is None else (Match.FULL, {})

    def _router(self, scope: Scope) -> Router | None:
        if scope["type"] != "http" or not scope["path"].startswith(_BASE):
            return None
        return self._resources.get(scope["path"][len(_BASE) :].partition("/")[0])

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        router = self._router(scope)
        assert router is not None
        await router(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        raise NoMatchFound(name, path_params)


def resources_of(services: Services) -> dict[str, Sequence[BaseRoute]]:
    """The routes of each resource below `/api/v1/{tenant}/`, in the order in which they are tried."""
    executions = ExecutionRoutes(services)
    actions = ActionRoutes(services, executions)
    graphs, dependencies, exports = GraphRoutes(services), DependencyRoutes(services), ExportRoutes(services)
    expressions = ExpressionRoutes(services)
    return {
        "executions": [
            *WebhookRoutes(services, executions).routes(),
            *executions.fixed_routes(),
            *exports.of_executions(),
            *BulkRoutes(services).routes(),
            *ExecutionFileRoutes(services).routes(),
            *FollowRoutes(services, executions).routes(),
            *graphs.of_executions(),
            *expressions.of_executions(),
            *actions.routes(),
            *executions.routes(),
        ],
        "flows": [
            *FlowSourceRoutes(services).routes(),
            *exports.of_flows(),
            *graphs.of_flows(),
            *dependencies.of_flows(),
            *FlowRoutes(services).routes(),
        ],
        "concurrency-limit": FlowRoutes(services).limits(),
        "outputs": OutputRoutes(services).routes(),
        "logs": LogRoutes(services).routes(),
        "metrics": MetricRoutes(services).routes(),
        "triggers": [
            *exports.of_triggers(),
            *TriggerBulkRoutes(services).routes(),
            *TriggerRoutes(services).routes(),
        ],
        "kv": KeyValueRoutes(services).search_routes(),
        "secrets": SecretRoutes(services).search_routes(),
        "namespaces": [
            *KeyValueRoutes(services).routes(),
            *NamespaceFileRoutes(services).routes(),
            *SecretRoutes(services).routes(),
            *dependencies.of_namespaces(),
            *NamespaceRoutes(services).routes(),
        ],
        "expressions": expressions.routes(),
        "retention": RetentionRoutes(services).routes(),
    }


def create_app(services: Services) -> Starlette:
    """The server over what it is given."""
    door = Doorkeeper(services.login, services.clock)
    routers = {
        name: Router(routes=list(routes), redirect_slashes=False) for name, routes in resources_of(services).items()
    }
    routes: list[BaseRoute] = [
        ResourceRoute(routers),
        *InstanceRoutes(services).routes(),
        *PluginRoutes(services).routes(),
        *LoginRoutes(door).routes(),
        *PageRoutes(services.ui).routes(),
    ]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(LoginGate, door=door),
            Middleware(MainTenant, resources=frozenset(routers)),
        ],
        exception_handlers={
            **dict.fromkeys((PenstockError, *FORESEEN, Exception), error_reply),
            HTTPException: http_reply,
        },
    )
