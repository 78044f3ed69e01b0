"""The tables for the terminal."""

from ..report import number, rows
from .judgement import thirds
from .samples import Sample

COLUMNS = (
    ("RSS MiB", "rss", 1024), ("anonymous MiB", "anonymous", 1024), ("store MiB", "store", 1024), ("descriptors", "descriptors", 1),
    ("threads", "threads", 1), ("connections", "connections", 1), ("streams", "streams", 1), ("sessions", "sessions", 1), ("stored", "stored", 1),
)


def samples_table(run: dict) -> str:
    def shown(value: float | None, unit: int) -> str:
        return number(None if value is None else value / unit, 1 if unit > 1 else 0)

    def moment(title: str, sample: dict) -> list[str]:
        return [title, *(shown(sample[field], unit) for _, field, unit in COLUMNS)]

    body = [moment("before", run["baseline"])]
    for third in thirds([Sample(**sample) for sample in run["samples"]], run["seconds"]):
        for word, index in (("mean", 0), ("most", 1)):
            body.append([
                f"{third.name}, {word}",
                *(shown(third.figures[field][index] if field in third.figures else None, unit) for _, field, unit in COLUMNS)])
    body.append(moment("all gone", run["rest"]))
    return rows(["mcp-gateway", *(title for title, _, _ in COLUMNS)], body)


def verdicts_table(run: dict) -> str:
    body = [
        [verdict["promise"], verdict["bound"], f"{number(verdict['figure'], 0 if not verdict['unit'] else 1)} {verdict['unit']}".strip(),
         "pass" if verdict["met"] else "MISS"]
        for verdict in run["verdicts"]]
    return rows(["promise", "bound", "this run", ""], body)


def render(run: dict) -> str:
    machine = run["machine"]
    head = (
        f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}; commit {machine['commit']}; {machine['gateway']}"
        f"{', DEBUG BUILD' if machine['debug_build'] else ''}\n{run['clients']} clients for {run['seconds']} s, seed {run['seed']}")
    visits = "visits: " + ", ".join(f"{name} {count:,}" for name, count in sorted(run["visits"].items()))
    parts = [head, samples_table(run), visits, verdicts_table(run), *(f"FAILED {failure}" for failure in run["failures"])]
    if run["failures"] and run["log"]:
        parts.append("the gateway's last lines:\n" + run["log"])
    return "\n\n".join(parts)
