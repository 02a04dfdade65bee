"""`outputs` as templates see it: a mapping that asks for one row at a time (engine.md 3.6.2).

Nothing is loaded until a template touches it, and then only the row it names. Inside a 2.0 Loop an iteration sees its own
outputs first, then those of the iterations around it, then those of the flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

Place = tuple[str, str, tuple[str, ...]]


class OutputsReader(Protocol):
    """Where stored outputs come from."""

    def output(self, execution_id: str, owner: str, task_id: str, path: tuple[str, ...]) -> Mapping[str, object] | None:
        """The outputs at one place, values kept in internal storage included; None when there are none."""
        ...

    def output_keys(self, execution_id: str, owner: str, task_id: str, prefix: tuple[str, ...]) -> Sequence[str]:
        """The next loop values below `prefix`."""
        ...

    def output_tasks(self, execution_id: str, owner: str) -> Sequence[str]:
        """The tasks that have outputs."""
        ...


class OutputsView(Mapping[str, object]):
    """`outputs`: task id -> outputs, or -> loop value -> … -> outputs for tasks inside ForEach-like loops.

    owners: the owners whose outputs are visible, nearest first. depths: levels of loop values by task id.
    """

    __slots__ = ("_depths", "_execution_id", "_owners", "_reader", "_recent")

    def __init__(
        self,
        execution_id: str,
        owners: Sequence[str],
        *,
        depths: Mapping[str, int],
        recent: Mapping[Place, Mapping[str, object]],
        reader: OutputsReader,
    ) -> None:
        self._execution_id = execution_id
        self._owners = owners
        self._depths = depths
        self._recent = recent
        self._reader = reader

    def __getitem__(self, task_id: str) -> object:
        depth = self._depths.get(task_id, 0)
        for owner in self._owners:
            found = self._level(owner, task_id, (), depth)
            if found is not None:
                return found
        raise KeyError(task_id)

    def _level(self, owner: str, task_id: str, path: tuple[str, ...], depth: int) -> object | None:
        if len(path) < depth:
            level = _LoopLevel(self, owner, task_id, path=path, depth=depth)
            return level if path or level.exists() else None
        return self.at(owner, task_id, path)

    def at(self, owner: str, task_id: str, path: tuple[str, ...]) -> Mapping[str, object] | None:
        """The outputs at one place."""
        found = self._recent.get((owner, task_id, path))
        if found is None:
            found = self._reader.output(self._execution_id, owner, task_id, path)
        return found

    def keys_below(self, owner: str, task_id: str, path: tuple[str, ...]) -> list[str]:
        """The loop values below a path, stored ones first."""
        keys = dict.fromkeys(self._reader.output_keys(self._execution_id, owner, task_id, path))
        depth = len(path)
        for at_owner, at_task, at_path in list(self._recent):
            if at_owner == owner and at_task == task_id and at_path[:depth] == path and len(at_path) > depth:
                keys.setdefault(at_path[depth])
        return list(keys)

    def __contains__(self, task_id: object) -> bool:
        try:
            self[str(task_id)]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        seen: dict[str, None] = {}
        for owner in self._owners:
            seen.update(dict.fromkeys(self._reader.output_tasks(self._execution_id, owner)))
            seen.update(dict.fromkeys(task for at_owner, task, _ in list(self._recent) if at_owner == owner))
        return iter(seen)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _LoopLevel(Mapping[str, object]):
    """One level of loop values below a task."""

    __slots__ = ("_depth", "_owner", "_path", "_task_id", "_view")

    def __init__(self, view: OutputsView, owner: str, task_id: str, *, path: tuple[str, ...], depth: int) -> None:
        self._view = view
        self._owner = owner
        self._task_id = task_id
        self._path = path
        self._depth = depth

    def exists(self) -> bool:
        """Whether any outputs lie below."""
        return bool(self._view.keys_below(self._owner, self._task_id, self._path))

    def __getitem__(self, value: str) -> object:
        path = (*self._path, str(value))
        if len(path) < self._depth:
            return _LoopLevel(self._view, self._owner, self._task_id, path=path, depth=self._depth)
        found = self._view.at(self._owner, self._task_id, path)
        if found is None:
            raise KeyError(value)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._view.keys_below(self._owner, self._task_id, self._path))

    def __len__(self) -> int:
        return len(self._view.keys_below(self._owner, self._task_id, self._path))
