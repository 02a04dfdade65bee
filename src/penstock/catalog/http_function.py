"""The `http()` function of templates: one request, the body of its answer parsed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from penstock.expr import EvaluationError
from penstock.model.duration import parse_duration

if TYPE_CHECKING:
    import httpx

_ERROR_EXCERPT = 2000


def fetch(
    uri: str,
    *,
    method: str,
    query: Mapping[str, object],
    body: object,
    content_type: str,
    headers: Mapping[str, object],
    options: Mapping[str, object],
    accept: str,
) -> object:
    """The body of the answer: JSON and YAML parsed, anything else as text.

    `options` are those of Kestra's HTTP tasks: `timeout.connectTimeout`, `timeout.readIdleTimeout`, `auth`,
    `followRedirects`, `allowFailed`, `allowedResponseCodes`, `ssl.insecureTrustAllCertificates`.

    Raises:
        EvaluationError: no answer, or one of a status that is not allowed.
    """
    import httpx

    sent = {"Accept": accept, **{name: str(value) for name, value in headers.items()}}
    content = _content(body, content_type)
    if content is not None:
        sent.setdefault("Content-Type", content_type)
    try:
        with _client(options) as client:
            answer = client.request(method, uri, params=_query(query), content=content, headers=sent)
    except (httpx.HTTPError, httpx.InvalidURL) as fault:
        raise EvaluationError(f"Failed to execute HTTP Request to {uri}: {fault}") from fault
    if not _is_allowed(answer, options):
        raise EvaluationError(
            f"Failed to execute HTTP Request, server respond with status {answer.status_code} : "
            f"{answer.text[:_ERROR_EXCERPT]}"
        )
    return _parsed(answer)


def _content(body: object, content_type: str) -> bytes | None:
    if body is None:
        return None
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if "x-www-form-urlencoded" in content_type and isinstance(body, Mapping):
        from urllib.parse import urlencode

        return urlencode({str(k): str(v) for k, v in body.items()}).encode()
    return json.dumps(body, ensure_ascii=False, default=str).encode()


def _query(query: Mapping[str, object]) -> dict[str, str | list[str]] | None:
    if not query:
        return None
    return {
        name: [str(one) for one in value] if isinstance(value, list | tuple) else str(value)
        for name, value in query.items()
    }


def _client(options: Mapping[str, object]) -> httpx.Client:
    import httpx

    timeout, ssl, auth = (_map(options.get(name)) for name in ("timeout", "ssl", "auth"))
    bearer = str(auth.get("type", "")).upper() == "BEARER"
    return httpx.Client(
        follow_redirects=options.get("followRedirects", True) is not False,
        timeout=_timeout(timeout),
        verify=not ssl.get("insecureTrustAllCertificates"),
        auth=_auth(auth) if auth and not bearer else None,
        headers={"Authorization": f"Bearer {auth.get('token', '')}"} if bearer else None,
    )


def _map(value: object) -> Mapping[object, object]:
    return value if isinstance(value, Mapping) else {}


def _timeout(timeout: Mapping[object, object]) -> httpx.Timeout:
    import httpx

    read = _seconds(timeout.get("readIdleTimeout"), timedelta(minutes=5))
    connect = _seconds(timeout.get("connectTimeout"), timedelta(seconds=30))
    return httpx.Timeout(read, connect=connect)


def _seconds(text: object, default: timedelta) -> float:
    try:
        return (parse_duration(text) if isinstance(text, str) else default).total_seconds()
    except ValueError as fault:
        raise EvaluationError(f"Invalid timeout of the 'http' function: {fault}") from fault


def _auth(auth: Mapping[object, object]) -> httpx.Auth:
    import httpx

    pair = str(auth.get("username", "")), str(auth.get("password", ""))
    return httpx.DigestAuth(*pair) if str(auth.get("type")).upper() == "DIGEST" else httpx.BasicAuth(*pair)


def _is_allowed(answer: httpx.Response, options: Mapping[str, object]) -> bool:
    codes = options.get("allowedResponseCodes")
    if isinstance(codes, list) and codes:
        return answer.status_code in codes
    return answer.status_code < 400 or bool(options.get("allowFailed"))


def _parsed(answer: httpx.Response) -> object:
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return answer.json()
        except ValueError as fault:
            raise EvaluationError(f"The answer of {answer.url} says it is JSON and is not: {fault}") from fault
    if kind in ("application/yaml", "application/x-yaml", "text/yaml"):
        from penstock.definition import load_yaml

        return load_yaml(answer.text)
    return answer.text
