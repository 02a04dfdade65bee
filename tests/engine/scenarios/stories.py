"""What the stories share: short task types, a worker that fails as told, and a look at what happened."""

from __future__ import annotations

import re
from collections import Counter
from textwrap import dedent

from msgspec.structs import replace

from penstock.engine import commands as c
from penstock.model.job import JobKind
from penstock.model.state import State
from penstock.testing.harness import Harness

ID = "execution"
OK = "CREATED RUNNING SUCCESS"
RAN = "CREATED SUBMITTED RUNNING SUCCESS"
FELL = "CREATED SUBMITTED RUNNING FAILED"
_SHORT = re.compile(r"type: (flow|log|debug|execution|output)\.")


def flow(text):
    """A flow's source; types of the core may be written without `io.kestra.plugin.core.`."""
    return "id: story\nnamespace: company.team\n" + _SHORT.sub(r"type: io.kestra.plugin.core.\1.", dedent(text))


class Story(Harness):
    """A harness whose worker ends tasks as `ends` says: by task id, a state or a list of states, one per attempt."""

    def __init__(self, text, *, ends=None, **more):
        super().__init__(flow(text), **more)
        self.ends = {k: list(v) if isinstance(v, list | tuple) else [v] for k, v in (ends or {}).items()}
        self.played = []

    def play(self, job):
        self.played.append(job.task.id)
        told = self.ends.get(job.task.id)
        if not told:
            return super().play(job)
        state = told.pop(0) if len(told) > 1 else told[0]
        _, outputs = super().play(job)
        return State(state), outputs

    # -- commands ------------------------------------------------------------------------------------------------

    def kill(self, *, cascade=True):
        return self.step(c.KillExecution(execution_id=ID, cascade=cascade))

    def pause(self):
        return self.step(c.PauseExecution(execution_id=ID))

    def resume(self, **more):
        return self.step(c.ResumeExecution(execution_id=ID, **more))

    def restart(self):
        return self.step(c.RestartExecution(execution_id=ID))

    def reply(self, task_id, state="SUCCESS", **outputs):
        """The worker ends the oldest job of one task."""
        job = next(j for j in self.jobs if j.task.id == task_id)
        self.jobs.remove(job)
        return self.answer(job, lambda _: (State(state), outputs or None))

    def rendered(self, **values):
        """The worker answers the oldest evaluation with these values."""
        job = next(j for j in self.jobs if j.kind is JobKind.EVALUATE)
        self.jobs.remove(job)
        return self.step(replace(self.result_of(job), state=State.SUCCESS, values=values, error=None))

    # -- what happened -------------------------------------------------------------------------------------------

    @property
    def ended(self):
        return str(self.state.execution.state)

    def of(self, task_id):
        """The only task run of a task."""
        (found,) = self.task_runs(task_id)
        return found

    def past(self, task_id):
        """The states of the only task run of a task."""
        return " ".join(str(h.state) for h in self.of(task_id).histories)

    def attempts(self, task_id):
        return [str(a.state) for a in self.of(task_id).attempts]

    def counts(self):
        """How many task runs each task has."""
        return dict(Counter(r.task_id for r in self.task_runs()))

    def output(self, task_id, *path):
        """The outputs of a task run at the top."""
        return self.archive.outputs.get(("", task_id, path))

    def said(self, text):
        return [line for line in self.logs if text in line]

    def waiting(self):
        """The tasks of jobs that are not answered."""
        return [job.task.id for job in self.jobs]


def play(text, **more):
    """A story to its end."""
    return Story(text, **more).finish()
