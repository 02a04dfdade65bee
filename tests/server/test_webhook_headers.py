"""What a flow sees of the headers of a webhook request."""

from __future__ import annotations

import base64
from pathlib import Path

from tests.server.recorded.replaying import logged_in

HOOK = """
id: hook
namespace: tests.headers
tasks: [{id: a, type: io.kestra.plugin.core.log.Log, message: hi}]
triggers: [{id: web, type: io.kestra.plugin.core.trigger.Webhook, key: k}]
"""


def test_the_login_of_the_server_is_hidden_and_that_of_others_is_not(tmp_path: Path) -> None:
    own = base64.b64encode(b"ada@example.com:Secret123").decode()
    with logged_in(tmp_path) as client:
        assert client.post("/api/v1/main/flows", content=HOOK).status_code == 200
        place = "/api/v1/main/executions/webhook/tests.headers/hook/k"
        client.cookies.set("BASIC_AUTH", own)
        mine = client.post(place)
        assert mine.json()["trigger"]["variables"]["headers"]["Authorization"] == ["Basic ***"]
        assert own not in mine.text
        client.auth = None
        other = client.post(place, headers={"Authorization": "Bearer theirs"})
        assert other.json()["trigger"]["variables"]["headers"]["Authorization"] == ["Bearer theirs"]
