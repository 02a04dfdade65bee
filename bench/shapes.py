"""The flows that are measured: those of `bench/flows`, and those that are made for a given size."""

from __future__ import annotations

from pathlib import Path

_FLOWS = Path(__file__).parent / "flows"
_RETURN = "type: io.kestra.plugin.core.debug.Return"


def kept(name: str) -> str:
    """A flow of `bench/flows`."""
    return (_FLOWS / f"{name}.yaml").read_text()


def sequential(tasks: int) -> str:
    """`tasks` trivial tasks, one after the other."""
    return _head(f"sequential-{tasks}") + "".join(_task(f"t{n}", indent=2) for n in range(tasks))


def parallel(tasks: int) -> str:
    """`tasks` trivial tasks in one Parallel."""
    opening = "  - id: all\n    type: io.kestra.plugin.core.flow.Parallel\n    tasks:\n"
    return _head(f"parallel-{tasks}") + opening + "".join(_task(f"t{n}", indent=6) for n in range(tasks))


def loop(iterations: int) -> str:
    """A Loop without a limit of concurrency."""
    return _resized("loop-100", iterations)


def foreach(iterations: int) -> str:
    """A ForEach without a limit of concurrency."""
    return _resized("loop-100-foreach", iterations)


def chain(tasks: int, size: int) -> str:
    """A text of `size` bytes, handed from task to task."""
    first = f"  - id: t0\n    type: penstock.bench.Text\n    bytes: {size}\n"
    values = ["{{ outputs.t0.value }}", *(f"{{{{ outputs.t{n}.values.text }}}}" for n in range(1, tasks - 1))]
    rest = "".join(_values(f"t{n}", text) for n, text in enumerate(values, start=1))
    return _head(f"chain-{size}") + first + rest


def one(kind: str, size: int) -> str:
    """One task of the benchmark's own plugin that makes `size` bytes."""
    return _head(f"{kind.lower()}-{size}") + f"  - id: make\n    type: penstock.bench.{kind}\n    bytes: {size}\n"


def _head(name: str) -> str:
    return f"id: {name}\nnamespace: bench\ntasks:\n"


def _task(name: str, *, indent: int) -> str:
    space = " " * indent
    return f"{space}- id: {name}\n{space}  {_RETURN}\n{space}  format: x\n"


def _values(name: str, text: str) -> str:
    """A task that hands a value on without logging it, as Return does at DEBUG."""
    return f'  - id: {name}\n    type: io.kestra.plugin.core.output.OutputValues\n    values:\n      text: "{text}"\n'


def _resized(name: str, iterations: int) -> str:
    return kept(name).replace("100", str(iterations))
