"""WORKING_DIRECTORY jobs: the children of a WorkingDirectory task, one after another in one folder (engine.md 3.10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import msgspec

from penstock.model.execution import Attempt, TaskRun
from penstock.model.job import ChildRun, Job, JobKind, Result
from penstock.model.state import State, StateChange
from penstock.model.task import Task
from penstock.plugin.staging import collect_output_files, write_input_files, write_namespace_files
from penstock.ports.jobs import Reports
from penstock.worker.context import AttemptContext
from penstock.worker.directory_cache import DirectoryCache
from penstock.worker.equipment import Equipment
from penstock.worker.outcome import Outcome

RunChild = Callable[[Job], Result]
"""Runs a child's job in the folder of its parent, to its end."""

_STOPPING = frozenset({State.FAILED, State.KILLED})


def run_directory(context: AttemptContext, *, equipment: Equipment, reports: Reports, run_child: RunChild) -> Outcome:
    """Prepares the folder, runs the children, stores `outputFiles` and the cache.

    A child that FAILED (and may not) ends the list; the state is then FAILED, else WARNING when a child's is.
    """
    task = context.job.task
    cache = DirectoryCache(context, getattr(task, "cache", None))
    cache.restore()
    write_namespace_files(context, getattr(task, "namespace_files", None))
    write_input_files(context, getattr(task, "input_files", None))
    state = _Children(context, equipment=equipment, reports=reports, run_child=run_child).run()
    if state is State.KILLED:
        return Outcome(state)
    patterns = getattr(task, "output_files", None)
    outputs: dict[str, object] | None = None
    if patterns:
        outputs = {"outputFiles": collect_output_files(context, patterns)}
    cache.keep()
    return Outcome(state, outputs)


class _Children:
    """The children of one job and what they have put out so far."""

    def __init__(self, context: AttemptContext, *, equipment: Equipment, reports: Reports, run_child: RunChild) -> None:
        self._context = context
        self._parent = context.job
        self._equipment = equipment
        self._reports = reports
        self._run_child = run_child
        self._outputs: dict[str, object] = {}

    def run(self) -> State:
        worst = State.SUCCESS
        for task in self._parent.children:
            if self._context.killed:
                return State.KILLED
            state = self._one(task)
            if state in _STOPPING:
                return state
            if state is State.WARNING:
                worst = state
        return worst

    def _one(self, task: Task) -> State:
        begun = self._equipment.now()
        run_id = self._equipment.new_id()
        job = self._job(task, run_id, begun)
        skipped = self._refused(task, job, begun=begun)
        if skipped is not None:
            return skipped
        self._report(job, [State.CREATED, State.RUNNING], begun=begun)
        result = self._run_child(job)
        if result.logs or result.metrics:
            self._reports.lines(result.logs, result.metrics)
        state = _settled(task, result.state)
        self._report(
            job, [State.CREATED, State.RUNNING, state], begun=begun, outputs=result.outputs, log_file=result.log_file
        )
        for dynamic in result.children:
            self._reports.child(job.execution_id, dynamic)
        if result.outputs:
            self._place(task.id, result.outputs)
        return state

    def _refused(self, task: Task, job: Job, *, begun: datetime) -> State | None:
        """SKIPPED when `runIf` is false, FAILED when it cannot be rendered; None when the child may run."""
        if task.run_if is None:
            return None
        context = AttemptContext(job, self._equipment, slow=lambda: None)
        try:
            if context.holds(task.run_if):
                return None
            state = State.SKIPPED
        except Exception as problem:
            context.logger.error(f"Failed to evaluate the runIf condition for task {task.id}. Cause: {problem}")
            self._reports.lines(context.logger.take(), [])
            state = _settled(task, State.FAILED)
        self._report(job, [State.CREATED, state], begun=begun)
        return state

    def _job(self, task: Task, run_id: str, begun: datetime) -> Job:
        parent = self._parent
        return msgspec.structs.replace(
            parent,
            kind=JobKind.TASK,
            task=task,
            task_run_id=run_id,
            attempt=0,
            children=[],
            value=self._value,
            variables=self._variables(task, run_id, begun),
        )

    @property
    def _value(self) -> str | None:
        """Kestra's rule: children inherit the loop value."""
        path = self._parent.path
        return self._parent.value if self._parent.value is not None else path[-1] if path else None

    def _variables(self, task: Task, run_id: str, begun: datetime) -> Mapping[str, object]:
        given = self._parent.variables
        taskrun: dict[str, object] = {
            "id": run_id,
            "startDate": begun,
            "attemptsCount": 0,
            "parentId": self._parent.task_run_id,
        }
        variables: dict[str, object] = {
            **given,
            "task": {"id": task.id, "type": task.type},
            "taskrun": taskrun,
            "workerTaskrun": given.get("taskrun", {}),
            "outputs": LayeredOutputs(self._outputs, _as_map(given.get("outputs"))),
        }
        if self._value is not None:
            taskrun["value"] = self._value
            above = given.get("parents")
            parent = {"taskrun": {"value": self._value}}
            variables["parent"] = parent
            variables["parents"] = [parent, *(above if isinstance(above, list) else [])]
        return variables

    def _place(self, task_id: str, outputs: Mapping[str, object]) -> None:
        """Where templates find a child's outputs: below the loop values of its place (engine.md 3.6.2)."""
        level, key = self._outputs, task_id
        for value in self._parent.path:
            below = level.setdefault(key, {})
            assert isinstance(below, dict)
            level, key = below, value
        level[key] = dict(outputs)

    def _report(
        self,
        job: Job,
        states: list[State],
        *,
        begun: datetime,
        outputs: Mapping[str, object] | None = None,
        log_file: str | None = None,
    ) -> None:
        now = self._equipment.now()
        last = states[-1]
        histories = [StateChange(state, now if state is last and len(states) > 2 else begun) for state in states]
        attempt = Attempt(state=last, histories=list(histories), worker_id=self._equipment.worker_id, log_file=log_file)
        run = TaskRun(
            id=job.task_run_id,
            task_id=job.task.id,
            parent_id=self._parent.task_run_id,
            path=self._parent.path,
            value=job.value,
            state=last,
            histories=histories,
            attempts=[attempt],
            force_execution=job.force,
        )
        self._reports.child(job.execution_id, ChildRun(run=run, outputs=outputs))


class LayeredOutputs(Mapping[str, object]):
    """Outputs of this job's children over those of the execution; below a loop value both are seen."""

    __slots__ = ("_below", "_own")

    def __init__(self, own: Mapping[str, object], below: Mapping[str, object]) -> None:
        self._own = own
        self._below = below

    def __getitem__(self, key: str) -> object:
        return self._own[key] if key in self._own else self._below[key]

    def __contains__(self, key: object) -> bool:
        return key in self._own or key in self._below

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from (key for key in self._below if key not in self._own)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _settled(task: Task, state: State) -> State:
    """`allowFailure` and `allowWarning` of a child decide here whether the next one may run (engine.md 3.3)."""
    if state is State.FAILED and task.allow_failure:
        state = State.WARNING
    return State.SUCCESS if state is State.WARNING and task.allow_warning else state


def _as_map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
