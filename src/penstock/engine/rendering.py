"""Rendering what flowables need: here when templates touch only the execution, by a worker when they need the outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.plan import Node
from penstock.expr import ExpressionError, compile_template, render_value
from penstock.model.execution import TaskRun
from penstock.model.job import Job, JobKind


def needs_outside(value: object) -> bool:
    """Whether any template in `value` calls a function that needs the world outside the execution.

    A `render(…)` of something unknown counts too: what it renders may call such a function. A template that does not
    compile needs nothing: rendering it here says what is wrong with it.
    """
    if isinstance(value, str):
        if "{" not in value:
            return False
        try:
            references = compile_template(value).references
        except ExpressionError:
            return False
        return references.external or references.open_render
    if isinstance(value, Mapping):
        return any(needs_outside(k) or needs_outside(v) for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return any(needs_outside(v) for v in value)
    return False


def render_here(
    draft: Draft, values: Mapping[str, object], run: TaskRun | None, node: Node, **extra: object
) -> dict[str, object]:
    """The rendered values.

    Raises:
        ExpressionError: a template fails.
    """
    task = node.task if run is not None else None
    context = draft.moment.render_context({**draft.variables(run, task), **extra})
    return {name: render_value(value, context, typed=True) for name, value in values.items()}


def ask_worker(
    draft: Draft,
    values: Mapping[str, object],
    run: TaskRun | None,
    node: Node,
    *,
    purpose: str,
    store: str | None = None,
    overrides: Mapping[str, Mapping[str, object]] | None = None,
    **extra: object,
) -> None:
    """Have a worker render the values (and `store` them as an Ion file); they come back with an EVALUATE job's result.

    overrides: by name of a value, variables that are different for it.
    """
    run_id = run.id if run is not None else ""
    draft.emit(e.EvaluationAsked(run_id, purpose))
    execution = draft.state.execution
    task = node.task
    draft.decision.jobs.append(
        Job(
            kind=JobKind.EVALUATE,
            tenant_id=execution.tenant_id,
            namespace=execution.namespace,
            flow_id=execution.flow_id,
            flow_revision=execution.flow_revision,
            execution_id=execution.id,
            task_run_id=run_id,
            task=task,
            stamp=run.stamp if run is not None else execution.stamp,
            attempt=max(len(run.attempts) - 1, 0) if run is not None else 0,
            variables={**draft.variables(run, task if run is not None else None), **extra},
            templates=values,
            store=store,
            overrides=overrides or {},
            force=bool(run and run.force_execution),
        )
    )
