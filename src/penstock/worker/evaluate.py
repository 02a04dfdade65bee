"""EVALUATE jobs: templates of flowables that need the outside, rendered here."""

from __future__ import annotations

from penstock.expr import render_value
from penstock.model.job import Job
from penstock.model.state import State
from penstock.worker.context import AttemptContext
from penstock.worker.outcome import Outcome


def evaluate(job: Job, context: AttemptContext) -> Outcome:
    """The values of the job's templates by name; a text that is one expression keeps its type."""
    values: dict[str, object] = {
        name: render_value(value, context.templates(job.overrides.get(name)), typed=True)
        for name, value in (job.templates or {}).items()
    }
    if job.store is not None:
        from penstock.plugin.rows import write_ion

        values = {"uri": context.storage.store_stream(job.store, write_ion([values]))}
    return Outcome(State.SUCCESS, values=values)
