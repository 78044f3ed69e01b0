"""What clients do. Each visit comes, does one kind of thing, and leaves nothing open. The random generator is the run's, with its seed."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from .settings import LIMITS, SESSIONS
from .sessions import MCPSession, Progress, RESTSession, expect
from .wire import Connection, Unexpected

# What the gateway may take longer than its limits, on a busy machine, in seconds.
GRACE = 20


async def calls(port: int, chance: random.Random) -> None:
    """Calls a tool some times; deletes its session, or forgets it."""
    async with await Connection.open(port) as connection:
        session = await MCPSession.open(connection)
        for number in range(chance.randrange(5, 30)):
            await session.echo(connection, f"{number} " + "é" * chance.randrange(2000))
        if chance.random() < 0.5:
            await session.delete(connection)


async def listens(port: int, chance: random.Random) -> None:
    """Keeps a listening stream open beside its calls."""
    async with await Connection.open(port) as connection, await Connection.open(port) as listening:
        session = await MCPSession.open(connection)
        await session.listen(listening)
        for _ in range(chance.randrange(2, 6)):
            await session.echo(connection, "while it listens")
            await asyncio.sleep(chance.random())
        if chance.random() < 0.5:
            listening.vanish()
        await session.delete(connection)


async def returns(port: int, chance: random.Random) -> None:
    """Loses its connection in the middle of an answer, more than once, and takes up where it was."""
    async with await Connection.open(port) as connection:
        session = await MCPSession.open(connection)
    progress = Progress(count=chance.randrange(20, 60))
    async with await Connection.open(port) as connection:
        response = expect(await session.post(connection, session.talk(progress.count, chance.randrange(2000), 0.02)), 200, "talk")
        await take(response, progress, chance.randrange(1, 10))
        connection.vanish()
    while not progress.is_answered:
        await asyncio.sleep(chance.random() / 2)
        async with await Connection.open(port) as connection:
            await take(await session.listen(connection, after=progress.last_event), progress, chance.randrange(5, 40))
            connection.vanish()
    progress.check("resumed answer")


async def take(response, progress: Progress, most: int) -> None:
    async for event in response.events():
        progress.take(event)
        most -= 1
        if most <= 0 or progress.is_answered:
            return


async def stalls(port: int, chance: random.Random) -> None:
    """Asks for much and reads nothing of it."""
    async with await Connection.open(port) as connection:
        session = await MCPSession.open(connection)
    async with await Connection.open(port, receive_buffer=4096) as stalled:
        stalled.send("POST", "/mcp", session.headers(), session.message(session.talk(chance.randrange(200, 800), 8000)))
        await asyncio.sleep(LIMITS["writeTimeout"] + 1)
        # Whatever is in the buffers by now comes, and then the end: the gateway has given up, or is done.
        received = await stalled.until_closed(LIMITS["idleTimeout"] + GRACE)
        if not received:
            raise Unexpected("a client that stalled never got anything")


async def stalls_on_events(port: int, chance: random.Random) -> None:
    """The same on the REST API's event feed."""
    async with await Connection.open(port) as connection, await Connection.open(port, receive_buffer=4096) as stalled:
        session = await RESTSession.open(connection)
        stalled.send("GET", "/sse/events", {"X-Session-ID": session.id})
        await session.talk(connection, chance.randrange(100, 400), 8000)
        await asyncio.sleep(LIMITS["writeTimeout"] + 1)
        # The first connection may have been closed as idle by now.
        async with await Connection.open(port) as another:
            await session.delete(another)
        await stalled.until_closed(GRACE)


async def sends_half(port: int, chance: random.Random) -> None:
    """Sends a part of a request, then waits, closes its side, or is gone."""
    async with await Connection.open(port) as connection:
        body = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"' + b"x" * 5000 + b'"}}'
        head, body = connection.bytes_of(
            "POST", "/mcp", {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}, body)
        in_body = chance.random() < 0.5
        connection.writer.write(head + body[:chance.randrange(len(body))] if in_body else head[:chance.randrange(1, len(head))])
        end = chance.choice(("wait", "half-close", "vanish"))
        if end == "vanish":
            await asyncio.sleep(chance.random())
            connection.vanish()
            return
        if end == "half-close":
            connection.writer.write_eof()
        received = await connection.until_closed(LIMITS["bodyTimeout" if in_body else "headerTimeout"] + GRACE)
        if end == "wait" and not received.startswith(b"HTTP/1.1 4"):
            raise Unexpected(f"half a request was answered with {received[:100]!r}")


async def vanishes(port: int, chance: random.Random) -> None:
    """Is gone before the answer."""
    async with await Connection.open(port) as connection:
        session = await MCPSession.open(connection)
        connection.send("POST", "/mcp", session.headers(), session.message(session.talk(20, 1000, 0.05)))
        await asyncio.sleep(chance.random())
        connection.vanish()


async def falls_silent(port: int, chance: random.Random) -> None:
    """Never closes its connection: the gateway must. Its session ends meanwhile."""
    async with await Connection.open(port) as connection:
        session = await MCPSession.open(connection)
        await session.echo(connection, "the last one")
        await connection.until_closed(LIMITS["idleTimeout"] + GRACE)
    await asyncio.sleep(SESSIONS["timeToLive"] + 1)
    async with await Connection.open(port) as connection:
        await expect(await session.post(connection, {"id": 1, "method": "ping"}), 404, "ping of a session that has ended").body()


async def follows_events(port: int, chance: random.Random) -> None:
    """Takes the REST API's events, is gone meanwhile, and gets what it missed."""
    async with await Connection.open(port) as connection:
        session = await RESTSession.open(connection)
        count = chance.randrange(5, 20)
        async with await Connection.open(port) as feed:
            ticket = await session.ticket(connection) if chance.random() < 0.5 else None
            events = (await session.events(feed, ticket)).events()
            if (await anext(events)).get("event") != "connected":
                raise Unexpected("the first event is not connected")
            seen = Progress(count)
            _, _ = await asyncio.gather(session.talk(connection, count, 500, 0.01), take_progress(events, seen))
            seen.check("event feed")
            feed.vanish()
        missed = Progress(count)
        await session.talk(connection, count, 500)
        async with await Connection.open(port) as feed:
            await take_progress((await session.events(feed, after=seen.last_event)).events(), missed)
            missed.check("resumed event feed")
            feed.vanish()
        if chance.random() < 0.7:
            await session.delete(connection)


async def take_progress(events, progress: Progress) -> None:
    async for event in events:
        if event.get("event") == "progress":
            progress.take(event)
        if len(progress.steps) >= progress.count:
            return


# Name, share of the visits, visit.
VISITS: list[tuple[str, int, Callable[[int, random.Random], Awaitable[None]]]] = [
    ("calls", 8, calls), ("listens", 4, listens), ("returns", 4, returns), ("stalls", 2, stalls), ("stalls on events", 1, stalls_on_events),
    ("sends half", 4, sends_half), ("vanishes", 4, vanishes), ("falls silent", 1, falls_silent), ("follows events", 4, follows_events),
]
