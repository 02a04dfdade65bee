"""Loop iterations as the sub-executions that 2.0 clients see, and children of any place by pages."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.model.execution import TaskRun
from penstock.ports.reads import Condition, Filter, Page, Reads, Sort, StoredExecution, StoredRun
from penstock.server.shapes import Json, is_iteration, iteration_execution, run_json


class Iterations:
    """The projection of Loop scopes; nothing is stored for it."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def read(self, tenant: str, iteration_id: str) -> Json | None:
        """One iteration as an execution with its task runs, or None."""
        found = self._reads.run(iteration_id)
        if found is None or not is_iteration(found.run):
            return None
        parent = self._reads.execution(tenant, found.execution_id)
        if parent is None:
            return None
        body = iteration_execution(parent, found.run, self._chain(found), loop=self._loop(found.run))
        runs = self._reads.runs(found.execution_id, owner=iteration_id).results
        body["taskRunList"] = [self._child(run, parent, found.run) for run in runs]
        return body

    def _child(self, run: TaskRun, parent: StoredExecution, iteration: TaskRun) -> Json:
        """A task run inside an iteration: for clients its parent is the Loop's task run."""
        body = run_json(run, parent.execution)
        body["executionId"] = iteration.id
        if run.parent_id == iteration.id:
            body["parentTaskRunId"] = iteration.parent_id
        return body

    def _loop(self, iteration: TaskRun) -> TaskRun | None:
        found = self._reads.run(iteration.parent_id) if iteration.parent_id is not None else None
        return found.run if found is not None else None

    def _chain(self, found: StoredRun) -> list[TaskRun]:
        """The iteration and those around it, innermost first."""
        chain = [found.run]
        owner = found.run.owner
        while owner:
            outer = self._reads.run(owner)
            if outer is None:
                break
            chain.append(outer.run)
            owner = outer.run.owner
        return chain

    def search(
        self, tenant: str, asked: Sequence[Condition], *, sort: Sequence[Sort], page: int, size: int
    ) -> Page[Json]:
        """Iterations that satisfy the filters."""
        found = self._reads.search_iterations(tenant, asked, sort=sort or _in_order(asked), page=page, size=size)
        parents: dict[str, StoredExecution | None] = {}
        loops: dict[str | None, TaskRun | None] = {}
        results: list[Json] = []
        for one in found.results:
            execution_id, loop_id = one.execution_id, one.run.parent_id
            if execution_id not in parents:
                parents[execution_id] = self._reads.execution(tenant, execution_id)
            if loop_id not in loops:
                loops[loop_id] = self._loop(one.run)
            parent = parents[execution_id]
            if parent is not None:
                results.append(iteration_execution(parent, one.run, self._chain(one), loop=loops[loop_id]))
        return Page(results, found.total)

    def children(
        self, execution_id: str, path: str | None, *, states: Sequence[str], page: int, size: int
    ) -> Page[TaskRun]:
        """Children of the task run or iteration `path`, or of the top: task runs, or a Loop's iterations."""
        if path is None:
            return self._reads.runs(execution_id, owner="", parent_id="", states=states, page=page, size=size)
        below = self._reads.runs(
            execution_id, owner=None, parent_id=path, states=states, iterations=True, page=page, size=size
        )
        if below.total:
            return below
        return self._reads.runs(execution_id, owner=None, parent_id=path, states=states, page=page, size=size)


def _in_order(asked: Sequence[Condition]) -> list[Sort]:
    """Iterations of one parent are shown in their order; of many, the newest first."""
    of_one = any(isinstance(c, Filter) and c.field == "parentId" and c.operation == "EQUALS" for c in asked)
    return [Sort("iteration")] if of_one else []
