"""`taskCache`: outputs kept for the same rendered properties (engine.md 3.13). Faults are only logged."""

from __future__ import annotations

import hashlib
import json

import msgspec

from penstock.expr import render_value
from penstock.model.state import State
from penstock.plugin.convert import text_of
from penstock.worker.context import AttemptContext
from penstock.worker.outcome import Outcome

_KEPT = frozenset({State.SUCCESS, State.WARNING})


def recall(context: AttemptContext) -> Outcome | None:
    """The outcome kept for this task's rendered properties, or None."""
    option = context.job.task.task_cache
    if option is None or not option.enabled:
        return None
    try:
        kept = context.storage.read_cache(context.job.task.id, _key(context))
        if kept is None or (option.ttl is not None and kept[1] + option.ttl < context.now()):
            return None
        outputs = json.loads(kept[0])
    except Exception as problem:
        context.logger.warn(f"The task's cache cannot be read: {problem}")
        return None
    context.logger.info("The outputs were taken from the task's cache")
    return Outcome(State.SUCCESS, outputs, recalled=True)


def remember(context: AttemptContext, outcome: Outcome) -> None:
    """Keeps the outputs of a run that ended well; one that holds secrets is not kept."""
    option = context.job.task.task_cache
    if option is None or not option.enabled or outcome.recalled:
        return
    if outcome.state not in _KEPT or context.has_secrets:
        return
    try:
        data = msgspec.json.encode(outcome.outputs or {}, enc_hook=text_of)
        context.storage.write_cache(context.job.task.id, data, key=_key(context))
    except Exception as problem:
        context.logger.warn(f"The task's outputs cannot be kept in its cache: {problem}")


def _key(context: AttemptContext) -> str:
    """SHA-256 of the rendered task and `taskrun.value`."""
    job = context.job
    written = job.task.model_dump(mode="json", by_alias=True, exclude_none=True)
    rendered = json.dumps(render_value(written, context.templates()), sort_keys=True, default=text_of)
    return hashlib.sha256(f"{rendered}{job.value or ''}".encode()).hexdigest()
