"""Everything that can be configured: file < `PENSTOCK_…` environment < command line, read once at start-up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from penstock.errors import BadRequest


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one process. Each field is documented in `docs/reference/settings.md`.

    home: the folder that holds everything a local server keeps.
    host, port: where the server listens.
    user, password: the login of the server; without them a password is made at the first start and printed.
    auth: False turns logins off; the server then listens on the loopback address only.
    worker_threads: tasks that run at the same time; 0 means 8 for each core, as in Kestra.
    durability: `process` keeps every commit when the process dies, `power` also when the machine loses power.
    storage: where internal storage is: `type` is `local` (the default, `path` a folder), `s3`, `gcs` or `azure`, the other
        keys say where: `bucket` or `container`, `prefix`, `endpoint`, `region`, `access_key_id`, `secret_access_key` …
    outputs_inline: bytes up to which outputs stay in the database; larger ones go to internal storage.
    outputs_limit: bytes a task's outputs may have; more fails the task. None: no limit.
    timezone: the zone of dates in templates and of Schedules that name none.
    kill_grace: seconds a killed attempt may take to end.
    globals, kestra: what templates see under these names.
    envs_prefix: environment variables with it are seen as `envs.*`.
    plugin_defaults: values for plugins as in a flow's `pluginDefaults`, for all flows; with `namespace` for those in it and
        below it. A flow's own come first, then the nearest namespace's; `forced` ones win, the server's over all.
    retention_days: executions older than this are removed; 0 keeps them for ever.
    retention: policies that come before that one, each with `keep` (an ISO duration or `forever`) and optionally
        `namespace`, `labels`, `states` and `kinds`.
    allowed_files: folders that `file:///` URIs may name.
    plugins: settings of plugins by name; `scripts.docker-fallback: process` runs script tasks as processes of this machine
        where no container engine answers, `scripts.default-runner` names the runner of tasks that name none.
    """

    home: str = ".penstock"
    host: str = "127.0.0.1"
    port: int = 8080
    user: str | None = None
    password: str | None = None
    auth: bool = True
    worker_threads: int = 0
    durability: Literal["process", "power"] = "process"
    storage: dict[str, object] = {}
    outputs_inline: int = 16_384
    outputs_limit: int | None = None
    timezone: str = "UTC"
    kill_grace: float = 30.0
    globals: dict[str, object] = {}
    kestra: dict[str, object] = {}
    envs_prefix: str = "ENV_"
    plugin_defaults: list[dict[str, object]] = []
    retention_days: int = 30
    retention: list[dict[str, object]] = []
    allowed_files: list[str] = []
    plugins: dict[str, object] = msgspec.field(default_factory=lambda: {"scripts.docker-fallback": "process"})

    @property
    def folder(self) -> Path:
        """The home folder."""
        return Path(self.home)

    @property
    def threads(self) -> int:
        """Worker threads, resolved."""
        return self.worker_threads or 8 * (os.cpu_count() or 1)


def environment() -> Mapping[str, str]:
    """The environment of the process; the only place that reads it."""
    return dict(os.environ)


def load_settings(
    file: Path | None = None, *, env: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None
) -> Settings:
    """The settings of file, environment and command line, the later ones winning.

    Raises:
        BadRequest: an unknown setting (the nearest name is suggested) or a value of another type.
    """
    values: dict[str, object] = {}
    if file is not None:
        import yaml

        values.update(yaml.safe_load(file.read_text()) or {})
    for name in Settings.__struct_fields__:
        text = (env or {}).get(f"PENSTOCK_{name.upper()}")
        if text is not None:
            values[name] = _from_text(text)
    values.update({k: v for k, v in (overrides or {}).items() if v is not None})
    _refuse_unknown(values)
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(f"a setting has a wrong value: {error}") from error


def _from_text(text: str) -> object:
    if text[:1] in "[{":
        return msgspec.json.decode(text)
    return text


def _refuse_unknown(values: Mapping[str, object]) -> None:
    import difflib

    for name in values:
        if name not in Settings.__struct_fields__:
            close = difflib.get_close_matches(name, Settings.__struct_fields__, n=1)
            hint = f", did you mean `{close[0]}`?" if close else ""
            raise BadRequest(f"unknown setting `{name}`{hint}")
