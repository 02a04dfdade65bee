"""Who asks Google Cloud, for which project, and the clients made of it."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from penstock.model.authored import Authored, Dynamic
from penstock.plugin import RunContext, TaskFailed

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud.bigquery import Client

if find_spec("google") is None or find_spec("google.cloud.bigquery") is None:  # imported when a task runs
    raise ModuleNotFoundError("No module named 'google.cloud.bigquery'", name="google.cloud.bigquery")

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
ENDPOINT = "gcp.bigquery.endpoint"


class GoogleAccess(Authored):
    """The properties of all tasks on Google Cloud; without `serviceAccount` the environment's own credentials are used.

    The plugin setting `gcp.bigquery.endpoint` sends requests of BigQuery elsewhere (a proxy, an emulator); without a
    `serviceAccount` they then carry no credentials.
    """

    project_id: str | None = None
    service_account: str | None = None
    impersonated_service_account: str | None = None
    scopes: Dynamic[list[str]] = SCOPES


def bigquery_client(ctx: RunContext, access: GoogleAccess, *, location: str | None) -> Client:
    """A client of BigQuery; the caller closes it.

    Raises:
        TaskFailed: there are no credentials, or no project is named anywhere.
    """
    from google.api_core.client_options import ClientOptions
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import bigquery

    endpoint = ctx.setting(ENDPOINT)
    key = _key(ctx, access)
    project = ctx.render(access.project_id) or (key or {}).get("project_id") or ("local" if endpoint else None)
    try:
        return bigquery.Client(
            project=project,
            location=location,
            credentials=credentials(ctx, access, key=key, anonymous=bool(endpoint)),
            client_options=ClientOptions(api_endpoint=str(endpoint)) if endpoint else None,
        )
    except (GoogleAuthError, OSError) as problem:
        raise TaskFailed(
            f"Google Cloud cannot be reached: {problem} Set `projectId` and `serviceAccount` (the JSON key), or give the"
            " worker Application Default Credentials"
        ) from problem


def credentials(
    ctx: RunContext, access: GoogleAccess, *, key: dict[str, Any] | None, anonymous: bool
) -> Credentials | None:
    """The credentials of a task: its service account's, or None for the environment's own."""
    from google.auth import default
    from google.auth.credentials import AnonymousCredentials
    from google.auth.impersonated_credentials import Credentials as Impersonated
    from google.oauth2 import service_account

    scopes = ctx.render(access.scopes, list[str])
    found: Credentials | None = None
    if key is not None:
        found = service_account.Credentials.from_service_account_info(key, scopes=scopes)
    elif anonymous:
        found = AnonymousCredentials()
    target = ctx.render(access.impersonated_service_account)
    if not target:
        return found
    source = found if found is not None else default(scopes=SCOPES)[0]
    return Impersonated(source_credentials=source, target_principal=target, target_scopes=scopes)


def _key(ctx: RunContext, access: GoogleAccess) -> dict[str, Any] | None:
    text = ctx.render(access.service_account)
    if not text:
        return None
    try:
        key = json.loads(text)
    except ValueError as problem:
        raise TaskFailed("`serviceAccount` must be the JSON key of a service account: it is no JSON") from problem
    if not isinstance(key, dict) or "private_key" not in key:
        raise TaskFailed("`serviceAccount` must be the JSON key of a service account: it has no `private_key`")
    return key
