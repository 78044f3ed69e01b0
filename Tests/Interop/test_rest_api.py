"""The REST API of the source document: sessions and tools. Its paths and origins are in test_rest_routes.py, its events in test_event_feed.py."""

from __future__ import annotations

import json
import time
import uuid

import anyio
import pytest
from gateway import Gateway, everything, raw
from metrics import Metrics
from rawhttp import RawSession
from restapi import UUID4, RestClient, moment, refused

SERVERS = {
    "everything": everything(isolation="session"),
    "raw": raw(),
    "failing": raw(env={"RAW_HANDSHAKE": "exit"}),
    "slow": raw(timeout="500ms"),
}
SETTINGS = {
    "pageSize": 5,
    "startupWait": "3s",
    "api": {"maxMetadataBytes": "1KiB"},
}


def client(gateway: Gateway, client_id: str = "interop", session_id: str | None = None) -> RestClient:
    return RestClient(gateway.base_url, client_id, session_id)


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


# Sessions.


async def test_create_answers_with_a_version_4_uuid_and_the_times(gateway: Gateway) -> None:
    before = time.time()
    async with await client(gateway).create() as rest:
        created = rest.created
        assert set(created) == {"sessionId", "clientId", "createdAt", "expiresAt"}
        assert UUID4.match(created["sessionId"]) and created["clientId"] == "interop"
        assert before - 2 <= moment(created["createdAt"]) <= time.time() + 2
        # sessions.timeToLive is 24 hours.
        assert moment(created["expiresAt"]) - moment(created["createdAt"]) == pytest.approx(24 * 3600, abs=2)


@pytest.mark.parametrize("client_id", ["a", "ü" * 255, "🎉" * 255, " ", "a\r\nb", 'quo"te', "\\", "null", "<script>"])
async def test_a_client_id_is_any_text_of_1_to_255_characters(gateway: Gateway, client_id: str) -> None:
    async with await client(gateway, client_id).create() as rest:
        assert rest.created["clientId"] == client_id
        assert (await rest.validate())["clientId"] == client_id
        assert [session["clientId"] for session in await rest.sessions()] == [client_id]


async def test_metadata_is_kept_as_it_is(gateway: Gateway) -> None:
    metadata = {"user": "ü🎉", "nested": {"list": [1, 2.5, None, True, {"a": []}]}, "big": 12345678901234567890, "empty": {}}
    async with await client(gateway).create(metadata=metadata) as rest:
        assert (await rest.validate())["metadata"] == metadata
    async with await client(gateway).create() as rest:
        assert (await rest.validate())["metadata"] == {}


async def test_metadata_may_be_as_large_as_the_limit(gateway: Gateway) -> None:
    async with client(gateway) as rest:
        metadata = {"a": "b" * (1024 - len(json.dumps({"a": ""})))}
        await rest.create(metadata=metadata)
        response = await rest.request("POST", "/api/session/create", {"clientId": "a", "metadata": {"a": "b" * 1024}})
        assert "api.maxMetadataBytes" in refused(response, 413, "too_large")


async def test_validate_tells_of_the_session_and_renews_it(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest:
        first = await rest.validate()
        assert set(first) == {"valid", "sessionId", "clientId", "createdAt", "expiresAt", "metadata"}
        assert (
            first["valid"] is True and first["sessionId"] == rest.session_id and first["createdAt"] == rest.created["createdAt"]
        )
        with anyio.fail_after(10):
            while moment((await rest.validate())["expiresAt"]) <= moment(first["expiresAt"]):
                await anyio.sleep(0.05)


@pytest.mark.parametrize("body", [None, b"", b"{}", b"nonsense", b'{"sessionId":"other"}'])
async def test_validate_takes_no_notice_of_a_body(gateway: Gateway, body: bytes | None) -> None:
    async with await client(gateway).create() as rest:
        response = await rest.request("POST", "/api/session/validate", body, content_type=None)
        assert response.status_code == 200 and response.json()["sessionId"] == rest.session_id


async def test_an_expired_session_is_invalid(start_gateway) -> None:
    gateway = start_gateway({}, {"sessions": {"timeToLive": "1s"}})
    async with await client(gateway).create() as rest:
        assert moment(rest.created["expiresAt"]) - moment(rest.created["createdAt"]) == pytest.approx(1, abs=0.1)
        with anyio.fail_after(10):
            # Each look renews the session, so there is one look, after its time.
            while time.time() < moment(rest.created["expiresAt"]) + 0.2:
                await anyio.sleep(0.05)
        refused(await rest.request("POST", "/api/session/validate"), 401, "invalid_session")
        assert await (await client(gateway).create()).sessions() != []


async def test_delete_ends_the_session_for_good(gateway: Gateway) -> None:
    async with await client(gateway, unique("deleted")).create() as rest:
        response = await rest.request("DELETE", "/api/session")
        assert response.status_code == 204 and response.content == b""
        for method, path in (("POST", "/api/session/validate"), ("DELETE", "/api/session"), ("GET", "/api/mcp/tools")):
            refused(await rest.request(method, path), 401, "invalid_session")
        async with await client(gateway, rest.client_id).create() as other:
            assert len(await other.sessions()) == 1


async def test_sessions_of_a_client_are_listed_oldest_first_and_never_with_their_ids(gateway: Gateway) -> None:
    name = unique("lister")
    clients = [await client(gateway, name).create() for _ in range(5)]
    await client(gateway, unique("somebody else")).create()
    response = await clients[2].http.get("/api/sessions", params={"clientId": name}, headers=clients[2].headers())
    assert not any(one.session_id in response.text for one in clients)
    listed = response.json()["sessions"]
    made = sorted(clients, key=lambda one: (one.created["createdAt"], one.session_id))
    assert [one["id"] for one in listed] == [one.session_id[:8] + "…" for one in made]
    assert [one["current"] for one in listed] == [one is clients[2] for one in made]
    for one in listed:
        assert set(one) == {"id", "clientId", "createdAt", "lastAccessed", "expiresAt", "current"} and one["clientId"] == name
        assert moment(one["createdAt"]) <= moment(one["lastAccessed"]) <= moment(one["expiresAt"])
    times = [moment(one["createdAt"]) for one in listed]
    assert times == sorted(times)
    assert await clients[0].sessions(unique("nobody")) == []
    for one in clients:
        await one.http.aclose()


async def test_sessions_of_a_client_are_listed_in_pages_each_once(start_gateway) -> None:
    gateway = start_gateway({}, {"pageSize": 3})
    async with client(gateway, "many") as rest:
        made = [(await rest.create()).session_id for _ in range(7)]

        async def pages(**parameters: Any) -> list[list[str]]:
            found, cursor = [], {}
            while True:
                response = await rest.http.get("/api/sessions", params={"clientId": "many", **parameters, **cursor})
                assert response.status_code == 200, response.text
                body = response.json()
                assert not any(one in response.text for one in made)
                found.append([one["id"] for one in body["sessions"]])
                if "nextCursor" not in body:
                    return found
                cursor = {"cursor": body["nextCursor"]}

        for parameters, sizes in (({}, [3, 3, 1]), ({"limit": 2}, [2, 2, 2, 1]), ({"limit": 7}, [3, 3, 1]), ({"limit": 10_000}, [3, 3, 1])):
            found = await pages(**parameters)
            assert [len(page) for page in found] == sizes
            assert sorted(one for page in found for one in page) == sorted(one[:8] + "…" for one in made)
        bad = [("limit", value) for value in ("0", "-1", "+1", "10001", "x", "")] + [("cursor", value) for value in ("", "1", made[0])]
        for name, value in bad:
            refused(await rest.http.get("/api/sessions", params={"clientId": "many", name: value}), 400, "invalid_request")


async def test_a_session_survives_kill_9_with_its_client_and_metadata(start_gateway) -> None:
    gateway = start_gateway({"raw": raw()})
    async with await client(gateway).create(metadata={"a": [1]}) as rest:
        before = await rest.validate()
        gateway.restart("kill")
        after = await rest.validate()
        assert {key: after[key] for key in ("sessionId", "clientId", "createdAt", "metadata")} == {
            key: before[key] for key in ("sessionId", "clientId", "createdAt", "metadata")
        }
        assert (await rest.call("raw__count"))["structuredContent"] == {"count": 1}
        assert len(await rest.sessions()) == 1


async def test_sessions_per_client_have_a_limit(start_gateway) -> None:
    gateway = start_gateway({}, {"sessions": {"maxSessionsPerClient": 2}})
    async with client(gateway, "greedy") as rest:
        await rest.create()
        await rest.create()
        response = await rest.request("POST", "/api/session/create", {"clientId": "greedy"})
        assert "sessions.maxSessionsPerClient" in refused(response, 429, "too_many_sessions")
        assert int(response.headers["retry-after"]) > 0
        await client(gateway, "modest").create()
        assert (await rest.request("DELETE", "/api/session")).status_code == 204
        await rest.create()


async def test_sessions_have_a_limit_over_all(start_gateway) -> None:
    gateway = start_gateway({}, {"sessions": {"maxSessions": 2}})
    await client(gateway, "one").create()
    await client(gateway, "two").create()
    async with client(gateway, "three") as rest:
        response = await rest.request("POST", "/api/session/create", {"clientId": "three"})
        refused(response, 503, "unavailable")
        assert int(response.headers["retry-after"]) > 0


# One kind of session.


async def test_a_session_of_the_api_is_one_of_mcp_too(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest, RawSession(gateway.url) as mcp:
        mcp.session_id = rest.session_id
        assert await mcp.request("ping") == {}
        names = set()
        cursor = None
        while True:
            page = await mcp.request("tools/list", {"cursor": cursor} if cursor else None)
            names |= {tool["name"] for tool in page["tools"]}
            if (cursor := page.get("nextCursor")) is None:
                break
        assert names == {tool["name"] for tool in await rest.tools()}
        assert (await mcp.call("raw__echo", {"a": 1}))["structuredContent"] == {"a": 1}
        assert (await mcp.delete()).status_code in (200, 204)
        refused(await rest.request("POST", "/api/session/validate"), 401, "invalid_session")


async def test_a_session_of_mcp_is_one_of_the_api_too(gateway: Gateway) -> None:
    name = unique("raw-client")
    async with RawSession(gateway.url) as mcp:
        await mcp.initialize(name=name)
        async with client(gateway, name, mcp.session_id) as rest:
            validated = await rest.validate()
            assert (validated["sessionId"], validated["clientId"]) == (mcp.session_id, name)
            assert [one["current"] for one in await rest.sessions()] == [True]
            assert (await rest.call("raw__echo", {"a": 1}))["structuredContent"] == {"a": 1}
            assert (await rest.request("DELETE", "/api/session")).status_code == 204
        response = await mcp.post(mcp.message("ping"))
        assert response.status_code == 404


async def test_both_apis_use_one_process_of_a_session_server(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest, RawSession(gateway.url) as mcp:
        mcp.session_id = rest.session_id
        tool = {"name": "everything__echo", "arguments": {"text": "x"}}
        one = await rest.call(tool["name"], tool["arguments"])
        two = await mcp.request("tools/call", tool)
        assert one.get("content") == two.get("content")


# Tools.


async def test_tools_lists_all_pages_at_once(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest:
        tools = await rest.tools()
        names = [tool["name"] for tool in tools]
        assert len(names) == len(set(names)) > 20
        assert {"get-development-environment-status", "raw__echo"} <= set(names)
        assert all(tool["inputSchema"]["type"] == "object" for tool in tools)


async def test_a_call_answers_with_the_tools_result_byte_for_byte(gateway: Gateway) -> None:
    arguments = '{"big":12345678901234567890123,"float":1.10,"exp":1E+2,"order":{"z":1,"a":2},"text":"\\u00fc\\ud83c\\udf89","dup":1,"dup":2}'
    async with await client(gateway).create() as rest:
        response = await rest.request("POST", "/api/mcp/call", f'{{"name":"raw__echo","arguments":{arguments}}}')
        assert response.status_code == 200
        assert response.text == f'{{"content":[],"structuredContent":{arguments}}}'


async def test_a_tool_that_fails_answers_with_its_own_result(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest:
        result = await rest.call("everything__fail", {})
        assert result["isError"] is True and result["content"]


async def test_a_call_without_arguments_is_one_with_none(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest:
        assert (await rest.call("raw__count"))["structuredContent"]["count"] >= 1
        assert (await rest.call("get-development-environment-status"))["content"]


async def test_a_call_that_sends_progress_still_answers_in_json(gateway: Gateway) -> None:
    """The progress goes to the feed; without a feed it is not shown, and the call waits longer than streams.firstEventWait."""
    async with await client(gateway).create() as rest:
        response = await rest.call_response("raw__progress", {"steps": 3, "delay": 0.15}, _meta={"progressToken": "p"})
        assert response.status_code == 200 and response.headers["content-type"].startswith("application/json")
        assert response.json()["structuredContent"] == {"steps": 3}


async def test_an_unknown_tool_is_answered_with_404(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest:
        for name in ("nothing", "nobody__echo", "raw__nothing"):
            assert name.removeprefix("raw__") in refused(await rest.call_response(name, {}), 404, "unknown_tool")


async def test_params_that_the_tool_refuses_are_answered_with_400(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest:
        response = await rest.call_response("get-development-environment-status", {"checkDocker": "perhaps"})
        refused(response, 400, "invalid_request")


async def test_a_server_that_is_down_is_answered_with_502(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest:
        response = await rest.call_response("failing__echo", {})
        assert "failing" in refused(response, 502, "upstream_failed")


async def test_an_answer_that_is_none_is_answered_with_502(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest:
        assert "raw" in refused(await rest.call_response("raw__broken", {}), 502, "upstream_failed")


async def test_a_server_that_dies_during_a_call_is_answered_with_502(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest:
        refused(await rest.call_response("raw__die", {}), 502, "upstream_failed")
        with anyio.fail_after(15):
            while (await rest.call_response("raw__echo", {})).status_code != 200:
                await anyio.sleep(0.05)


async def test_a_server_that_says_nothing_is_answered_with_504(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest:
        assert "slow" in refused(await rest.call_response("slow__silent", {}), 504, "upstream_timeout")


async def test_calls_of_one_session_have_a_limit(start_gateway) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"maxConcurrentPerSession": 2}})
    async with await client(gateway).create() as rest, anyio.create_task_group() as group:
        statuses: list[int] = []

        async def hold() -> None:
            statuses.append((await rest.call_response("raw__wait", {"seconds": 2})).status_code)

        group.start_soon(hold)
        group.start_soon(hold)
        with anyio.fail_after(10):
            while Metrics(gateway).value("mcp_upstream_in_flight", upstream="raw") != 2:
                await anyio.sleep(0.02)
        response = await rest.call_response("raw__count")
        refused(response, 429, "too_many_requests")
        assert int(response.headers["retry-after"]) > 0
    assert statuses == [200, 200]


async def test_a_client_that_leaves_a_call_does_not_disturb_the_session(gateway: Gateway) -> None:
    async with await client(gateway).create() as rest:
        with anyio.move_on_after(0.3):
            await rest.call_response("raw__wait", {"seconds": 1})
        assert (await rest.call("raw__count"))["structuredContent"]["count"] >= 1
