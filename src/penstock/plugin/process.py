"""The environment that child processes get."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from penstock.plugin.context import RunContext


def process_environment(ctx: RunContext) -> dict[str, str]:
    """The environment of child processes: the setting `process.environment`, else just a search path.

    The worker's own environment is not passed on: secrets are in it. The folder of this Python is searched last, so
    that `python` is found also where the machine has only `python3`.
    """
    given = ctx.setting("process.environment")
    env = {str(k): str(v) for k, v in given.items()} if isinstance(given, Mapping) else {}
    path = env.get("PATH") or os.pathsep.join(os.get_exec_path())
    return {**env, "PATH": f"{path}{os.pathsep}{Path(sys.executable).parent}"}
