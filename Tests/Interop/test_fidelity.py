"""Bytes pass through (DESIGN, decision 2): numbers, key order, unknown fields, unusual text."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from gateway import Gateway, raw
from rawhttp import RawSession, RPCError

SERVERS = {"shared": raw(isolation="shared"), "own": raw(isolation="session")}


async def echo(session: RawSession, server: str, arguments: str) -> str:
    """Calls echo with arguments as text and gives `structuredContent` as text."""
    body = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{server}__echo","arguments":{arguments}}}}}'
    response: httpx.Response = await session.post(body)
    assert response.status_code == 200, response.text
    is_stream = response.headers["content-type"].startswith("text/event-stream")
    text = (response.content.split(b"data: ")[-1].strip() if is_stream else response.content).decode()
    marker = '"structuredContent":'
    start = text.index(marker) + len(marker)
    _, end = json.JSONDecoder().raw_decode(text, start)
    return text[start:end]


@pytest.mark.parametrize("server", ["shared", "own"])
@pytest.mark.parametrize(
    "arguments",
    [
        '{"n":1e400}',
        '{"n":12345678901234567890,"m":-0.0,"k":1.10,"big":0.1234567890123456789012345678901234567890}',
        '{"z":1,"a":2,"m":{"y":1,"b":2}}',
        '{"slash":"\\/","escaped":"\\u00e9\\ud83c\\udf89","tab":"\\t"}',
        '{"plain":"é🎉","separators":"\u2028\u2029\u0085"}',
        '{"empty":{},"none":null,"list":[[],[[]],{}],"":""}',
        '{ "spaces" : [ 1 , 2 ] }',
        '{"__proto__":{"x":1},"id":5,"jsonrpc":"1.0","method":"x","params":{"name":"y"},"_meta":{"progressToken":"p"}}',
        '{"quote":"\\"}},\\"id\\":9","backslash":"\\\\"}',
        '{"nul":"\\u0000","lone":"\\ud800"}',
        '{"deep":' + "[" * 100 + "]" * 100 + "}",
    ],
)
async def test_arguments_and_results_pass_byte_for_byte(gateway: Gateway, server: str, arguments: str) -> None:
    async with RawSession(gateway.url) as session:
        await session.initialize()
        assert await echo(session, server, arguments) == arguments


@pytest.mark.parametrize("identifier", [0, 1, -1, 2**53 - 1, 2**63 - 1, "", "text", "1", 'é\u2028"\\', "x" * 1000])
async def test_every_kind_of_id_comes_back_as_it_was(gateway: Gateway, identifier: Any) -> None:
    async with RawSession(gateway.url) as session:
        await session.initialize()
        for method, params in (("ping", None), ("tools/call", {"name": "shared__count", "arguments": {}})):
            response = await session.post(session.message(method, params, id=identifier) | {"id": identifier})
            answer = session.messages(response)[-1]
            assert answer["id"] == identifier and type(answer["id"]) is type(identifier)


@pytest.mark.parametrize("token", [0, 1, 2**53 - 1, "", "text", "1", 'é"'])
async def test_every_kind_of_progress_token_comes_back_as_it_was(gateway: Gateway, token: Any) -> None:
    async with RawSession(gateway.url) as session:
        await session.initialize()
        call = session.message(
            "tools/call", {"name": "shared__progress", "arguments": {"steps": 2}, "_meta": {"progressToken": token, "x/y": [1]}}
        )
        messages = session.messages(await session.post(call))
        tokens = [message["params"]["progressToken"] for message in messages if "method" in message]
        assert tokens == [token, token] and all(type(one) is type(token) for one in tokens)


@pytest.mark.parametrize("server", ["shared", "own"])
async def test_line_separators_of_unicode_do_not_split_a_message(gateway: Gateway, server: str) -> None:
    async with RawSession(gateway.url) as session:
        await session.initialize()
        assert (await session.call(f"{server}__separators"))["structuredContent"] == {"text": "a\u2028b\u2029c\u0085d"}


@pytest.mark.parametrize("server", ["shared", "own"])
async def test_a_message_written_byte_by_byte_with_crlf_arrives_whole(gateway: Gateway, server: str) -> None:
    async with RawSession(gateway.url) as session:
        await session.initialize()
        assert (await session.call(f"{server}__halves"))["content"][0]["text"] == "ünïcödé 🎉"


@pytest.mark.parametrize("server", ["shared", "own"])
async def test_noise_on_stdout_and_answers_that_nobody_asked_for_do_no_harm(gateway: Gateway, server: str) -> None:
    async with RawSession(gateway.url) as session:
        await session.initialize()
        assert (await session.call(f"{server}__garbage"))["content"][0]["text"] == "after the garbage"
        assert (await session.call(f"{server}__twice"))["content"][0]["text"] == "first"
        assert (await session.call(f"{server}__count"))["structuredContent"]["count"] >= 1


async def test_a_method_unknown_to_everybody_is_method_not_found(gateway: Gateway) -> None:
    async with RawSession(gateway.server_url("shared")) as session:
        await session.initialize()
        with pytest.raises(RPCError) as raised:
            await session.request("x/unknown", {"a": 1})
        assert raised.value.code == -32601
