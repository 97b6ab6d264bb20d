"""Reads what run.py wrote, and makes medians and ratios of it."""

import json
import statistics

OURS, BASE = "rmq", "rabbitmq-c"
# No clients to compare with: a program that does nothing, and one that has a connection and no more.
EMPTY, CONNECTED = "empty", "connected"


def load(path):
    """The machine, and the results."""
    machine, runs, failures = {}, {}, {}
    with open(path) as file:
        for line in file:
            record = json.loads(line)
            if "machine" in record:
                machine = record["machine"]
                continue
            row = runs.setdefault((record["target"], record["scenario"]), {})
            if "failed" in record:
                row = failures.setdefault((record["target"], record["scenario"]), {})
            row.setdefault(record["client"], []).append(record)
    return machine, Results(runs, failures)


class Results:
    """Medians over the rounds. `runs` has a row for each scenario, also where no run gave a figure."""

    def __init__(self, runs, failures=None):
        self.runs = runs
        self.failures = failures or {}
        self.clients = []
        for by_client in [*runs.values(), *self.failures.values()]:
            self.clients += [client for client in by_client if client not in (*self.clients, EMPTY, CONNECTED)]

    def value(self, target, scenario, client, measure):
        values = [measure(record) for record in self.runs.get((target, scenario), {}).get(client, [])]
        return statistics.median(values) if values and None not in values else None

    def ratio(self, target, scenario, client, measure, base=BASE, base_scenario=None, base_target=None):
        ours = self.value(target, scenario, client, measure)
        other = self.value(base_target or target, base_scenario or scenario, base, measure)
        return ours / other if ours is not None and other else None


# What is measured, of one run. None where the peer did not say.

def cpu(record):
    return record["cpu_us_per_message"]


def rate(record):
    return record["rate"]


def bandwidth(record):
    return record["rate"] * record["size"] / 1e6


def _latency(record, name):
    return record.get("latency_us", {}).get(name)


def p50(record):
    return _latency(record, "p50")


def p99(record):
    return _latency(record, "p99")


def p999(record):
    return _latency(record, "p999")


def rss(record):
    return record.get("peak_rss_mb")


def resident(record):
    return record.get("rss_mb")


def threads(record):
    return record.get("threads")


def kilobytes_each(record):
    """What each connection takes of the process's memory."""
    now, before = record.get("rss_mb"), record.get("base_rss_mb")
    if now is None or before is None:
        return None
    return 1024 * (now - before) / record["options"]["connections"]


def coding(name):
    return lambda record: record.get("coding_us", {}).get(name)


def number(x):
    if x is None:
        return "-"
    if abs(x) >= 1000:
        return f"{x:,.0f}"
    size = abs(x)
    return f"{x:.0f}" if size >= 100 else f"{x:.1f}" if size >= 10 else f"{x:.2f}" if size >= 0.1 else f"{x:.3f}"
