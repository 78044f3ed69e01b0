"""The table for the terminal."""

from .measurements import CONNECTIONS


def number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def rows(header: list[str], body: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in [header, *body]) for column in range(len(header))]

    def line(row: list[str]) -> str:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        return "  ".join(cells).rstrip()

    return "\n".join([line(header), "  ".join("─" * width for width in widths), *map(line, body)])


def calls_table(run: dict) -> str:
    body = []
    for name, levels in run["calls"].items():
        for connections in CONNECTIONS:
            figures = levels.get(str(connections))
            if figures:
                body.append([
                    run["titles"][name] if connections == CONNECTIONS[0] else "", str(connections), number(figures["per_second"]),
                    number(figures["p50_us"]), number(figures["p99_us"]), number(figures["cpu_us_each"], 1)])
    return rows(["tools/call", "connections", "req/s", "p50 µs", "p99 µs", "CPU µs/req"], body) if body else ""


def metrics_table(run: dict) -> str:
    figures = run.get("metrics")
    if not figures:
        return ""

    def row(title: str, each: dict) -> list[str]:
        low, high = each["interval_percent"]
        return [
            title, "64", number(each["cpu_us_with"], 2), number(each["cpu_us_without"], 2), f"{each['cost_percent']:+.2f} %",
            f"{low:+.2f} … {high:+.2f} %", f"{each['rounds']} × {each['pairs'] // each['rounds']}"]

    recording = figures["recording"]
    alone = [
        [f"recording one call alone, {threads} at once"] + [
            " … ".join(number(each, 0) for each in recording[f"{state}_{threads}"]) for state in ("on", "off")]
        for threads in (1, 2)]
    return rows(
        ["what metrics cost", "connections", "CPU µs/req", "beside", "more", "95 % interval", "rounds × pairs"],
        [row("metrics on beside off", figures), row("off beside off", figures["control"])]) + "\n\n" + rows(
        ["CPU ns, least … median … most of 5", "metrics on", "off"], alone)


def sessions_table(run: dict) -> str:
    figures = run.get("sessions")
    if not figures:
        return ""
    return rows(
        ["sessions (initialize, initialized, tools/list)", "connections", "sessions/s", "p50 ms", "p99 ms", "CPU µs", "after kill -9"],
        [["mcp-gateway, SQLite", "64", number(figures["per_second"]), number(figures["p50_us"] / 1000, 1), number(figures["p99_us"] / 1000, 1),
          number(figures["cpu_us_each"]), f"{figures['survived_kill']} of {figures['checked_after_kill']}"]])


def memory_table(run: dict) -> str:
    figures = run.get("memory")
    if not figures:
        return ""

    def row(title: str, key: str, each: float | None) -> list[str]:
        return [title, number(figures[key]["rss_kib"] / 1024, 1), number(figures[key]["anonymous_kib"] / 1024, 1), number(each, 2)]

    body = [row("idle", "idle", None), row("1,000 sessions", "with_1000_sessions", figures["kib_per_session"])]
    if "kib_per_further_session" in figures:
        body.append(row(f"{figures['sessions_of_streams']:,} sessions", "before_streams", figures["kib_per_further_session"]))
    body.append(row(f"and {figures['streams']:,} idle SSE streams", "with_streams", figures["kib_per_stream"]))
    return rows(["memory of mcp-gateway", "RSS MiB", "anonymous MiB", "KiB for each more"], body)


def verdicts_table(run: dict) -> str:
    words = {True: "pass", False: "MISS", None: "debug build" if run["machine"]["debug_build"] else "not measured"}
    unresolved = words | {None: "not resolved"}
    body = []
    for verdict in run["verdicts"]:
        figure = verdict["figure"]
        shown = "–" if figure is None else f"{number(figure, 0 if figure >= 100 else 2)} {verdict['unit']}"
        if verdict.get("interval"):
            low, high = verdict["interval"]
            shown += f" ({low:.2f} … {high:.2f})"
        body.append([verdict["target"], verdict["bound"], shown, (unresolved if verdict.get("interval") else words)[verdict["met"]]])
    return rows(["target", "bound", "this run", ""], body)


def machine_lines(run: dict) -> str:
    machine = run["machine"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_mib']:,} MiB, Linux {machine['kernel']}; "
        f"fdatasync on {machine['file_system']} {machine['sync_us']:.0f} µs",
        f"commit {machine['commit']}; {machine['gateway'] or 'no gateway'}; {machine['nginx'] or 'no NGINX'}; "
        + ", ".join(f"{name} {version}" for name, version in machine["packages"].items()),
    ]
    if machine["debug_build"]:
        lines.append("THE GATEWAY IS A DEBUG BUILD, many times slower than a release build: nothing is judged. Give --binary a release build.")
    if machine["load_average_before"] > 0.5:
        lines.append(f"The machine was busy before the run (load average {machine['load_average_before']:.2f}): run again when it is quiet.")
    return "\n".join(lines)


def render(run: dict) -> str:
    parts = [machine_lines(run), calls_table(run), metrics_table(run), sessions_table(run), memory_table(run), verdicts_table(run)]
    parts += [f"FAILED {name}: {text}" for name, text in run["failures"].items()]
    return "\n\n".join(part for part in parts if part)
