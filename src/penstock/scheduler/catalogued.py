"""The scheduler's view of the catalog: flows, new executions and templates as the loops ask for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from penstock.catalog.flows import FlowShelf, Shelved
from penstock.catalog.launch import Launcher as CatalogLauncher
from penstock.catalog.launch import Wish, launch
from penstock.catalog.rendering import Renderer as CatalogRenderer
from penstock.catalog.rendering import flow_variables
from penstock.clock import Clock
from penstock.errors import Bug
from penstock.expr import compile_template
from penstock.model.execution import Execution, ExecutionContext
from penstock.model.mappings import nested
from penstock.ports.flows import Flows
from penstock.ports.platform import Caller
from penstock.ports.trigger_states import FlowKey
from penstock.scheduler.declared import DeclaredFlow
from penstock.scheduler.launching import Launch, RendererOf


class ShelfFlows:
    """`DeclaredFlows` from the catalog's shelf."""

    def __init__(self, shelf: FlowShelf, rows: Flows) -> None:
        self._shelf = shelf
        self._rows = rows

    def get(self, key: FlowKey) -> DeclaredFlow | None:
        shelved = self._shelf.current(*key)
        return None if shelved is None or shelved.row.deleted else declared_flow(shelved)

    def revisions(self) -> Iterator[tuple[FlowKey, int]]:
        for row in self._rows.all_latest():
            if row.document.get("triggers"):
                yield FlowKey(row.tenant_id, row.namespace, row.id), row.revision


def declared_flow(shelved: Shelved) -> DeclaredFlow:
    """A shelved flow as the scheduler sees it; one whose source does not parse declares nothing."""
    row = shelved.row
    key = FlowKey(row.tenant_id, row.namespace, row.id)
    if shelved.parsed is None:
        return DeclaredFlow(key, row.revision, (), runnable=False, readable=False, definition=shelved)
    flow = shelved.parsed.flow
    return DeclaredFlow(
        key=key,
        revision=row.revision,
        triggers=flow.triggers or (),
        labels={label.key: label.value for label in flow.labels},
        variables=flow.variables or {},
        runnable=not row.disabled and shelved.error is None,
        definition=shelved,
    )


class FlowLauncher:
    """`Launcher` by the catalog's: labels, inputs and defaults as for any other execution."""

    def __init__(self, launcher: CatalogLauncher, clock: Clock) -> None:
        self._launcher = launcher
        self._clock = clock

    def start(self, launch: Launch) -> tuple[Execution, ExecutionContext]:
        shelved = launch.flow.definition
        if not isinstance(shelved, Shelved):
            raise Bug(f"flow {launch.flow.key} did not come from the shelf")
        if not launch.resolved:
            return self._bare(shelved, launch, self._clock.now())
        wish = Wish(
            inputs=launch.inputs,
            labels=launch.labels,
            trigger=launch.trigger,
            schedule_date=launch.schedule_date,
            system_from=launch.system_from,
            correlation_id=launch.correlation_id,
            execution_id=launch.execution_id,
        )
        prepared = self._launcher.start(shelved, wish)
        return prepared.execution, prepared.context

    def _bare(self, shelved: Shelved, wanted: Launch, now: datetime) -> tuple[Execution, ExecutionContext]:
        """An execution without inputs: it is created FAILED and never runs."""
        return launch(
            shelved.flow,
            shelved.row.revision,
            now=now,
            tenant_id=shelved.row.tenant_id,
            execution_id=wanted.execution_id,
            labels=wanted.labels,
            trigger=wanted.trigger,
            schedule_date=wanted.schedule_date,
            correlation_id=wanted.correlation_id,
            system_from=wanted.system_from,
        )


class FlowRenderer:
    """Renders templates of one flow's triggers: `flow`, `vars`, `labels` are the flow's unless given otherwise."""

    def __init__(self, renderer: CatalogRenderer, flow: DeclaredFlow) -> None:
        self._renderer = renderer
        self._flow = flow
        tenant_id, namespace, flow_id = flow.key
        self._caller = Caller(tenant_id, namespace, flow_id)

    def text(self, template: str, variables: Mapping[str, object]) -> str:
        compiled = compile_template(template)
        if compiled.is_plain:
            return template
        return compiled.render(self._renderer.context(self._seen(variables), self._caller))

    def value(self, template: str, variables: Mapping[str, object]) -> object:
        compiled = compile_template(template)
        if compiled.is_plain:
            return template
        return compiled.evaluate(self._renderer.context(self._seen(variables), self._caller))

    def _seen(self, variables: Mapping[str, object]) -> dict[str, object]:
        return {
            "flow": flow_variables(self._caller, self._flow.revision),
            "vars": self._flow.variables,
            "labels": nested(self._flow.labels),
            **variables,
        }


def renderers(renderer: CatalogRenderer) -> RendererOf:
    """How the scheduler renders templates, by the catalog's renderer."""
    return lambda flow: FlowRenderer(renderer, flow)
