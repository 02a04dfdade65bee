"""Routes that act on one execution (engine.md 5), each verb with `actions/` as in 2.0 and without as in 1.x."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.engine import commands as c
from penstock.errors import NotFound, Unprocessable
from penstock.ids import new_id
from penstock.model.execution import Execution
from penstock.model.state import State
from penstock.server.asked import flag, json_of, optional_number
from penstock.server.errors import InvalidParameter
from penstock.server.executions import ExecutionRoutes
from penstock.server.forms import form_of
from penstock.server.replies import json_reply, nothing, offload
from penstock.server.services import Services
from penstock.server.shapes import input_json
from penstock.server.wishes import breakpoints_of, labels_in, state_of

Handler = Callable[[Request], Awaitable[Response]]
Make = Callable[[str, QueryParams], c.Command]

_DECISIONS = {"APPROVE": "APPROVED", "APPROVED": "APPROVED", "DENY": "DENIED", "DENIED": "DENIED"}


def _kill(i: str, q: QueryParams) -> c.Command:
    return c.KillExecution(execution_id=i, cascade=flag(q, "isOnKillCascade", default=True))


def _unqueue(i: str, q: QueryParams) -> c.Command:
    return c.Unqueue(execution_id=i, state=state_of(q.get("state") or q.get("newState"), default=State.RUNNING))


def _change_status(i: str, q: QueryParams) -> c.Command:
    return c.ChangeStatus(execution_id=i, state=state_of(q.get("status") or q.get("newStatus")))


def _from_breakpoint(i: str, q: QueryParams) -> c.Command:
    return c.ResumeFromBreakpoint(execution_id=i, breakpoints=breakpoints_of(q.get("breakpoints")) or [])


def _replay(i: str, q: QueryParams) -> c.Command:
    return c.ReplayExecution(
        execution_id=i,
        new_id=new_id(),
        task_run_id=q.get("taskRunId"),
        revision=optional_number(q, "revision"),
        breakpoints=breakpoints_of(q.get("breakpoints")),
    )


def _restart(i: str, q: QueryParams) -> c.Command:
    revision = optional_number(q, "revision")
    if revision is None:
        return c.RestartExecution(execution_id=i)
    return c.ReplayExecution(execution_id=i, new_id=new_id(), revision=revision, restart=True)


SIMPLE: dict[str, Make] = {
    "kill": _kill,
    "pause": lambda i, _: c.PauseExecution(execution_id=i),
    "force-run": lambda i, _: c.ForceRun(execution_id=i),
    "unqueue": _unqueue,
    "change-status": _change_status,
    "resume-from-breakpoint": _from_breakpoint,
    "replay": _replay,
    "restart": _restart,
}
"""Verbs whose command is made of the query alone."""


class ActionRoutes:
    """Handlers of actions on one execution."""

    def __init__(self, services: Services, executions: ExecutionRoutes) -> None:
        self._services = services
        self._executions = executions

    def routes(self) -> list[Route]:
        """Their addresses."""
        base = "/api/v1/{tenant}/executions"
        verbs: dict[str, Handler] = {verb: self._acting(make) for verb, make in SIMPLE.items()}
        verbs |= {
            "resume": self.resume,
            "resume/validate": self.resume_validate,
            "replay-with-inputs": self.replay_with_inputs,
            "state": self.state,
            "labels": self.labels,
            "review": self.review,
        }
        routes = [Route(f"{base}/{{id}}", self.delete, methods=["DELETE"])]
        for verb, handler in verbs.items():
            method = "DELETE" if verb == "kill" else "POST"
            routes.append(Route(f"{base}/{{id}}/actions/{verb}", handler, methods=[method]))
            old = handler if "/" in verb else self._or_create(verb, handler)
            routes.append(Route(f"{base}/{{id}}/{verb}", old, methods=[method]))
        return routes

    def _or_create(self, verb: str, act: Handler) -> Handler:
        """`executions/{id}/{verb}` of 1.x, unless no execution has that id: then it starts the flow named like the verb."""

        async def handle(request: Request) -> Response:
            names = request.path_params
            if request.method != "POST" or not await offload(self._is_flow, names, verb):
                return await act(request)
            names["namespace"], names["flow"] = names["id"], verb
            return await self._executions.create(request)

        return handle

    def _is_flow(self, names: dict[str, str], verb: str) -> bool:
        """Whether the address names a flow and no execution."""
        tenant, place = names["tenant"], names["id"]
        if self._services.reads.execution(tenant, place) is not None:
            return False
        return self._services.shelf.current(tenant, place, verb) is not None

    def _acting(self, make: Make) -> Handler:
        async def act(request: Request) -> Response:
            return await self._do(request, make(request.path_params["id"], request.query_params))

        return act

    async def _do(self, request: Request, command: c.Command) -> Response:
        """Give the command and answer the execution as it is after its commit; a new one where it makes one."""
        tenant = request.path_params["tenant"]
        await offload(self._required, tenant, command.execution_id)
        await asyncio.wrap_future(self._services.commands.submit(command))
        shown = command.new_id if isinstance(command, c.ReplayExecution) else command.execution_id
        return await self._executions.answer(tenant, shown)

    def _required(self, tenant: str, execution_id: str) -> Execution:
        stored = self._services.reads.execution(tenant, execution_id)
        if stored is None:
            raise NotFound("Not Found")
        return stored.execution

    async def resume(self, request: Request) -> Response:
        """Let a paused execution go on; the parts of the form are the inputs its Pause asks for."""
        names = request.path_params
        async with form_of(request) as form:
            await offload(
                self._services.desk.resume,
                names["tenant"],
                names["id"],
                inputs=form.values,
                by=self._services.login.user or None,
                task_run_id=request.query_params.get("taskRunId"),
            )
        return await self._executions.answer(names["tenant"], names["id"])

    async def resume_validate(self, request: Request) -> Response:
        """What the inputs of a resume would be; nothing happens."""
        names = request.path_params
        head = await offload(self._required, names["tenant"], names["id"])
        async with form_of(request) as form:
            _, resolved = await offload(
                self._services.desk.resume_inputs, names["tenant"], names["id"], inputs=form.values, store_files=False
            )
        inputs = [input_json(one) for one in resolved.inputs]
        return json_reply({"id": head.flow_id, "namespace": head.namespace, "inputs": inputs, "checks": []})

    async def replay_with_inputs(self, request: Request) -> Response:
        """A replay with other inputs; without a form Kestra answers 422."""
        names, params = request.path_params, request.query_params
        if not request.headers.get("content-type"):
            raise Unprocessable("Illegal argument: expected the inputs as multipart/form-data")
        head = await offload(self._required, names["tenant"], names["id"])
        revision = optional_number(params, "revision") or head.flow_revision
        async with form_of(request) as form:
            resolved, _ = await offload(
                self._services.launcher.validate,
                names["tenant"],
                head.namespace,
                head.flow_id,
                revision=revision,
                inputs=form.values,
            )
        command = c.ReplayExecution(
            execution_id=names["id"],
            new_id=new_id(),
            task_run_id=params.get("taskRunId"),
            revision=revision,
            inputs=resolved.require(),
            breakpoints=breakpoints_of(params.get("breakpoints")),
        )
        return await self._do(request, command)

    async def state(self, request: Request) -> Response:
        """Give one task run another state: body `{"taskRunId", "state"}`."""
        body = await json_of(request, dict[str, object])
        run_id = body.get("taskRunId")
        if not isinstance(run_id, str):
            raise InvalidParameter("`taskRunId` is required")
        state = state_of(str(body.get("state") or ""))
        command = c.ChangeTaskRunState(execution_id=request.path_params["id"], task_run_id=run_id, state=state)
        return await self._do(request, command)

    async def labels(self, request: Request) -> Response:
        """Replace the labels: body `[{"key", "value"}]`."""
        labels = labels_in(await json_of(request, list[object]))
        return await self._do(request, c.SetLabels(execution_id=request.path_params["id"], labels=labels))

    async def review(self, request: Request) -> Response:
        """Decide an Approval: body `{"decision", "comment"?, "inputs"?, "taskRunId"?}`."""
        body = await json_of(request, dict[str, object])
        decision = _DECISIONS.get(str(body.get("decision", "")).upper())
        if decision is None:
            raise Unprocessable("Illegal argument: `decision` must be approve or deny")
        inputs, comment, run_id = body.get("inputs"), body.get("comment"), body.get("taskRunId")
        command = c.ReviewApproval(
            execution_id=request.path_params["id"],
            decision=decision,
            comment=str(comment) if comment else None,
            inputs=inputs if isinstance(inputs, dict) else {},
            by=self._services.login.user or None,
            task_run_id=str(run_id) if run_id else None,
        )
        return await self._do(request, command)

    async def delete(self, request: Request) -> Response:
        """Delete an execution with what belongs to it."""
        names, params = request.path_params, request.query_params
        await offload(self._required, names["tenant"], names["id"])
        await offload(
            self._services.purger.executions,
            names["tenant"],
            [names["id"]],
            logs=flag(params, "deleteLogs", default=True),
            metrics=flag(params, "deleteMetrics", default=True),
            files=flag(params, "deleteStorage", default=True),
        )
        return nothing(204)
