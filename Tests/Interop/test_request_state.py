"""`requestState`: what the gateway lets a client carry, and what it does not take back (2026-07-28, basic/patterns/mrtr)."""

from __future__ import annotations

import copy
import os
import signal
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from clients import Seen, sdk_client, texts
from gateway import Gateway
from limit_checks import limit
from mcp import MCPError
from mcp.client.streamable_http import streamable_http_client
from metrics import Metrics, limit_hits, wait_for_metric
from modern import ALL_CAPABILITIES, ModernClient, Reply, answers
from upstreams import stdio

pytestmark = pytest.mark.binary
ERAS = ["legacy", "modern"]
SERVERS = {era: stdio("everything.py", era, isolation="session") for era in ERAS} | {
    "other-legacy": stdio("everything.py", "legacy", isolation="session"),
    "other-modern": stdio("everything.py", "modern"),
}
Start = Callable[..., Gateway]
ASK = {"name": "ask-model", "arguments": {"prompt": "first"}}


def parked(gateway: Gateway) -> float:
    return Metrics(gateway).value("mcp_parked_exchanges")


def ends(gateway: Gateway, outcome: str) -> float:
    return Metrics(gateway).value("mcp_parked_exchange_ends_total", outcome=outcome)


def client(gateway: Gateway, era: str) -> ModernClient:
    return ModernClient(gateway.server_url(era), ALL_CAPABILITIES)


async def asked(client: ModernClient, params: dict[str, Any] = ASK, method: str = "tools/call") -> tuple[dict[str, Any], str]:
    """The params of the retry that has every answer, and its state."""
    result = await client.request(method, params)
    assert result["resultType"] == "input_required" and result["requestState"], result
    retry = ModernClient.retry(params, result, answers())
    return retry, retry["requestState"]


def assert_refused(reply: Reply) -> None:
    assert reply.error is not None and reply.error["code"] == -32602, reply.messages


@pytest.mark.parametrize("era", ERAS)
async def test_the_state_that_was_given_is_taken(gateway: Gateway, era: str) -> None:
    async with client(gateway, era) as one:
        retry, _ = await asked(one)
        assert (await one.request("tools/call", retry))["content"][0]["text"] == "answer to first"


CHANGES: dict[str, Callable[[str], str]] = {
    "one character at the start": lambda state: ("B" if state[0] != "B" else "C") + state[1:],
    "one character in the middle": lambda state: state[: len(state) // 2] + ("x" if state[len(state) // 2] != "x" else "y")
    + state[len(state) // 2 + 1 :],
    "one character near the end": lambda state: state[:-6] + ("Q" if state[-6] != "Q" else "R") + state[-5:],
    "something behind it": lambda state: state + "-TAMPERED",
    "the end is missing": lambda state: state[:-8],
    "half of it": lambda state: state[: len(state) // 2],
    "nothing": lambda state: "",
    "another text": lambda state: "state",
    "twice the text": lambda state: state * 2,
    "very long": lambda state: "A" * 200_000,
    "in lower case": lambda state: state.lower(),
}  # fmt: skip


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("change", CHANGES)
async def test_a_state_that_was_changed_is_refused(gateway: Gateway, era: str, change: str) -> None:
    async with client(gateway, era) as one:
        retry, state = await asked(one)
        before = ends(gateway, "refused")
        assert_refused(await one.exchange("tools/call", retry | {"requestState": CHANGES[change](state)}))
        assert ends(gateway, "refused") == before + 1
        # The good one is still good.
        assert (await one.request("tools/call", retry))["resultType"] == "complete"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("state", [1, None, {}, ["x"], True])
async def test_a_state_that_is_no_text_is_refused(gateway: Gateway, era: str, state: Any) -> None:
    async with client(gateway, era) as one:
        reply = await one.exchange("tools/call", ASK | {"requestState": state})
        # A null may as well be read as none.
        if state is None and reply.error is None:
            assert reply.result["resultType"] == "input_required"
        else:
            assert_refused(reply)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("method", "params"),
    [
        pytest.param("tools/call", {"name": "ask-user", "arguments": {"prompt": "first"}}, id="another tool"),
        pytest.param("tools/call", {"name": "ask-model", "arguments": {"prompt": "second"}}, id="other arguments"),
        pytest.param("tools/call", {"name": "ask-model", "arguments": {}}, id="no arguments"),
        pytest.param("tools/call", {"name": "ask-model", "arguments": {"prompt": "first", "more": 1}}, id="more arguments"),
        pytest.param("prompts/get", {"name": "simple"}, id="another method"),
        pytest.param("resources/read", {"uri": "everything://text"}, id="a resource"),
    ],
)
async def test_the_state_of_another_request_is_refused(gateway: Gateway, era: str, method: str, params: dict[str, Any]) -> None:
    async with client(gateway, era) as one:
        retry, state = await asked(one)
        foreign = copy.deepcopy(params) | {"requestState": state, "inputResponses": retry["inputResponses"]}
        assert_refused(await one.exchange(method, foreign))
        assert (await one.request("tools/call", retry))["resultType"] == "complete"


@pytest.mark.parametrize("era", ERAS)
async def test_the_state_of_another_server_is_refused(gateway: Gateway, era: str) -> None:
    async with client(gateway, era) as one, client(gateway, f"other-{era}") as other:
        retry, _ = await asked(one)
        assert_refused(await other.exchange("tools/call", retry))
        assert (await one.request("tools/call", retry))["resultType"] == "complete"


async def test_a_parked_exchange_goes_on_once(gateway: Gateway) -> None:
    async with client(gateway, "legacy") as one:
        retry, _ = await asked(one)
        assert (await one.request("tools/call", retry))["resultType"] == "complete"
        assert_refused(await one.exchange("tools/call", retry))


async def test_of_two_retries_at_once_one_is_taken(gateway: Gateway) -> None:
    async with client(gateway, "legacy") as one:
        retry, _ = await asked(one)
        replies: list[Reply] = []

        async def send() -> None:
            replies.append(await one.exchange("tools/call", retry))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(send)
        assert len([reply for reply in replies if reply.error is None]) == 1


async def test_a_state_from_an_earlier_round_is_refused(gateway: Gateway) -> None:
    async with client(gateway, "legacy") as one:
        params = {"name": "ask-in-rounds", "arguments": {}}
        first, _ = await asked(one, params)
        second = await one.request("tools/call", first)
        assert second["resultType"] == "input_required"
        assert_refused(await one.exchange("tools/call", first))
        retry = ModernClient.retry(params, second, answers())
        third = await one.request("tools/call", retry)
        assert third["resultType"] == "input_required" and third["requestState"] != second["requestState"]
        assert (await one.request("tools/call", ModernClient.retry(params, third, answers())))["resultType"] == "complete"


@pytest.mark.parametrize("era", ERAS)
async def test_what_is_not_answered_is_asked_again(gateway: Gateway, era: str) -> None:
    async with client(gateway, era) as one:
        retry, state = await asked(one)
        for responses in ({}, {"wrong_key": {"action": "accept"}}):
            again = await one.request("tools/call", ASK | {"requestState": retry["requestState"], "inputResponses": responses})
            assert again["resultType"] == "input_required", again
            retry = ModernClient.retry(ASK, again, answers())
        assert (await one.request("tools/call", retry))["content"][0]["text"] == "answer to first"


@pytest.mark.parametrize("era", ERAS)
async def test_an_answer_that_is_none_does_no_harm(gateway: Gateway, era: str) -> None:
    async with client(gateway, era) as one:
        for answer in (12345, None, "text", [], {}):
            retry, _ = await asked(one)
            responses = dict.fromkeys(retry["inputResponses"], answer)
            # An error, asked again, or a tool that failed: whatever the server makes of it, but an answer.
            reply = await one.exchange("tools/call", retry | {"inputResponses": responses})
            assert reply.error is not None or reply.result["resultType"] == "input_required" or reply.result.get("isError")
        assert (await one.call("add", {"a": 1, "b": 1}))["structuredContent"] == {"sum": 2}


@pytest.mark.parametrize("era", ERAS)
async def test_a_user_who_declines_is_understood(gateway: Gateway, era: str) -> None:
    async with client(gateway, era) as one:
        table = answers() | {"elicitation/create": lambda params: {"action": "decline"}}
        result = await one.complete("tools/call", {"name": "ask-user", "arguments": {}}, table)
        assert result["structuredContent"]["action"] == "decline"


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_is_asked_for_nothing_that_it_does_not_declare(gateway: Gateway, era: str) -> None:
    async with ModernClient(gateway.server_url(era), {"roots": {}}) as one:
        for tool in ("ask-model", "ask-user", "ask-all-at-once"):
            reply = await one.exchange("tools/call", {"name": tool, "arguments": {}})
            assert reply.error is not None or reply.result.get("isError"), reply.messages
        assert (await one.complete("tools/call", {"name": "list-roots", "arguments": {}}))["resultType"] == "complete"


# Parked exchanges.


async def test_parked_exchanges_are_counted(start_gateway: Start) -> None:
    gateway = start_gateway({"legacy": SERVERS["legacy"]})
    async with client(gateway, "legacy") as one:
        before = ends(gateway, "resumed")
        retries = [(await asked(one))[0] for _ in range(2)]
        assert parked(gateway) == 2
        for retry in retries:
            await one.request("tools/call", retry)
        assert parked(gateway) == 0 and ends(gateway, "resumed") == before + 2


@limit("limits.parkedExchangeTimeout")
async def test_parked_exchanges_that_nobody_resumes_are_freed_and_counted(start_gateway: Start) -> None:
    gateway = start_gateway({"legacy": SERVERS["legacy"]}, {"limits": {"parkedExchangeTimeout": "1s"}})
    async with client(gateway, "legacy") as one:
        retry, _ = await asked(one)
        assert parked(gateway) == 1
        wait_for_metric(gateway, "it is freed", lambda metrics: metrics.value("mcp_parked_exchanges") == 0)
        assert ends(gateway, "expired") == 1
        assert limit_hits(gateway, "limits.parkedExchangeTimeout") == 1
        assert_refused(await one.exchange("tools/call", retry))
        # The server was told, and its process is good for others.
        assert (await one.call("add", {"a": 1, "b": 1}))["structuredContent"] == {"sum": 2}
    gateway.assert_no_zombies()


@limit("limits.maxInputRounds")
async def test_a_server_that_never_has_enough_input_is_given_up(start_gateway: Start) -> None:
    servers = {"modern": SERVERS["modern"]}
    for rounds, is_enough in ((2, False), (3, True)):
        gateway = start_gateway(servers, {"limits": {"maxInputRounds": rounds}})
        async with sdk_client(streamable_http_client(gateway.server_url("modern")), Seen()) as one:
            if is_enough:
                assert texts(await one.call_tool("ask-in-rounds", {}))[-1] == "accept"
                continue
            with pytest.raises(MCPError) as raised:
                await one.call_tool("ask-in-rounds", {})
            assert raised.value.error.code == -32603 and "limits.maxInputRounds" in raised.value.error.message
            assert limit_hits(gateway, "limits.maxInputRounds") == 1


async def test_an_expired_state_of_a_modern_server_is_refused(start_gateway: Start) -> None:
    gateway = start_gateway({"modern": SERVERS["modern"]}, {"limits": {"parkedExchangeTimeout": "1s"}})
    async with client(gateway, "modern") as one:
        retry, _ = await asked(one)
        await anyio.sleep(1.3)
        assert_refused(await one.exchange("tools/call", retry))


@limit("limits.maxParkedExchanges")
async def test_no_more_exchanges_are_parked_than_the_limit_allows(start_gateway: Start) -> None:
    gateway = start_gateway({"legacy": SERVERS["legacy"]}, {"limits": {"maxParkedExchanges": 2}})
    async with client(gateway, "legacy") as one:
        retries = [(await asked(one))[0] for _ in range(2)]
        reply = await one.exchange("tools/call", ASK)
        assert reply.error is not None and "maxParkedExchanges" in reply.error["message"]
        assert limit_hits(gateway, "limits.maxParkedExchanges") == 1 and parked(gateway) == 2
        for retry in retries:
            await one.request("tools/call", retry)
        retry, _ = await asked(one)
        assert (await one.request("tools/call", retry))["resultType"] == "complete"


async def test_a_retry_whose_client_leaves_cancels_the_exchange(start_gateway: Start, tmp_path: Any) -> None:
    gateway = start_gateway({"legacy": SERVERS["legacy"]})
    async with client(gateway, "legacy") as one:
        params = {"name": "ask-in-rounds", "arguments": {}}
        retry, _ = await asked(one, params)
        with anyio.move_on_after(0):
            await one.exchange("tools/call", retry)
        # Either it was answered before the client left, and waits for its next retry, or it is cancelled; never lost.
        assert parked(gateway) in (0, 1)


async def test_states_do_not_outlive_what_they_belong_to(start_gateway: Start) -> None:
    gateway = start_gateway({"legacy": SERVERS["legacy"]})
    async with client(gateway, "legacy") as one:
        retry, _ = await asked(one)
        gateway.restart("terminate")
        assert_refused(await one.exchange("tools/call", retry))


async def test_the_end_of_a_process_ends_what_was_parked_with_it(start_gateway: Start) -> None:
    gateway = start_gateway({"legacy": SERVERS["legacy"]})
    async with client(gateway, "legacy") as one:
        retry, _ = await asked(one)
        for pid in gateway.children():
            os.kill(pid, signal.SIGKILL)
        reply = await one.exchange("tools/call", retry)
        assert reply.error is not None
        assert (await one.call("add", {"a": 1, "b": 1}))["structuredContent"] == {"sum": 2}
        assert parked(gateway) == 0
