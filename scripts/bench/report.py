#!/usr/bin/env python3
"""Turns the raw results of scripts/bench.sh into a Markdown table and a chart (SVG): medians, and ratios to rabbitmq-c.

usage: report.py RESULTS.jsonl TABLE.md CHART.svg
"""

import html
import json
import math
import statistics
import sys

OURS, BASE = "rmq", "rabbitmq-c"
MIB = 1024 * 1024
TARGETS = {"null": "null broker", "tcp": "RabbitMQ, TCP", "tls": "RabbitMQ, TLS"}


def load(path):
    machine, runs = {}, {}
    with open(path) as file:
        for line in file:
            record = json.loads(line)
            if "machine" in record:
                machine = record["machine"]
            else:
                runs.setdefault((record["target"], record["scenario"]), {}).setdefault(record["client"], []).append(record)
    return machine, runs


class Results:
    """Medians over the rounds."""

    def __init__(self, runs):
        self.runs = runs
        self.clients = []
        for by_client in runs.values():
            self.clients += [client for client in by_client if client not in self.clients]

    def value(self, target, scenario, client, measure):
        values = [measure(record) for record in self.runs.get((target, scenario), {}).get(client, [])]
        return statistics.median(values) if values and None not in values else None

    def ratio(self, target, scenario, client, measure, base=BASE, base_scenario=None):
        ours = self.value(target, scenario, client, measure)
        other = self.value(target, base_scenario or scenario, base, measure)
        return ours / other if ours is not None and other else None


def cpu(record):
    return record["cpu_us_per_message"]


def rate(record):
    return record["rate"]


def bandwidth(record):
    return record["rate"] * record["size"] / 1e6


def p50(record):
    return record.get("latency_us", {}).get("p50")


def p99(record):
    return record.get("latency_us", {}).get("p99")


def rss(record):
    return record["peak_rss_mb"]


def measure_for(target, scenario):
    """What a scenario is about."""
    if scenario in ("ping-pong", "connect") or target != "null" and "one at a time" in scenario:
        return p50, "median, us"
    if "MiB" in scenario:
        return bandwidth, "MB/s"
    if target == "null":
        return cpu, "CPU, us a message"
    return rate, "messages/s"


def number(x):
    if x is None:
        return "-"
    if x >= 1000:
        return f"{x:,.0f}"
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}" if x >= 0.1 else f"{x:.3f}"


def row(cells):
    return "| " + " | ".join(cells) + " |"


def summary(results):
    yield row(["Against", "Work", "Measure", *results.clients])
    yield row(["---"] * 3 + ["---:"] * len(results.clients))
    for target, scenario in results.runs:
        measure, unit = measure_for(target, scenario)
        cells = []
        for client in results.clients:
            value = results.value(target, scenario, client, measure)
            ratio = results.ratio(target, scenario, client, measure)
            cells.append(number(value) + (f" ({number(ratio)}x)" if ratio is not None and client != BASE else ""))
        yield row([TARGETS.get(target, target), scenario, unit, *cells])


def details(results):
    yield row(["Against", "Work", "Client", "Messages", "Messages/s", "CPU, us", "p50, us", "p99, us", "Peak memory, MB"])
    yield row(["---"] * 3 + ["---:"] * 6)
    for (target, scenario), by_client in results.runs.items():
        for client, records in by_client.items():
            values = [results.value(target, scenario, client, m) for m in (rate, cpu, p50, p99, rss)]
            yield row([TARGETS.get(target, target), scenario, client, f"{records[0]['messages']:,}", *map(number, values)])


def goals(results):
    """The figures this package means to reach, and what it reached."""
    r = results.ratio
    wanted = [
        ("publish, CPU, of rabbitmq-c's", r("null", "publish", OURS, cpu), "most", 1 / 30),
        ("publish, CPU, of the blast's", r("null", "publish", OURS, cpu, "blast"), "most", 3),
        ("publish-confirm, CPU, of rabbitmq-c's publish",
         r("null", "publish-confirm", OURS, cpu, BASE, "publish"), "most", 1 / 10),
        ("consume, CPU, of rabbitmq-c's", r("null", "consume", OURS, cpu), "most", 1.5),
        ("consume-ack, CPU, of rabbitmq-c's", r("null", "consume-ack", OURS, cpu), "most", 1 / 5),
        ("ping-pong over TCP, median, of rabbitmq-c's", r("tcp", "ping-pong", OURS, p50), "most", 1.15),
        ("publish over TLS, messages/s, of rabbitmq-c's", r("tls", "publish, unroutable", OURS, rate), "least", 4),
        ("publish of 1 MiB, bytes/s, of rabbitmq-c's", r("null", "publish, 1 MiB", OURS, bandwidth), "least", 1),
        ("publish of 16 MiB, bytes/s, of rabbitmq-c's", r("null", "publish, 16 MiB", OURS, bandwidth), "least", 1),
        ("publish, 100 channels, CPU, of one's",
         r("null", "publish, 100 channels", OURS, cpu, OURS, "publish"), "most", 1.3),
        ("consume, 500 consumers, CPU, of one's",
         r("null", "consume, 500 consumers", OURS, cpu, OURS, "consume"), "most", 1.3),
        ("connect over TCP, median, of rabbitmq-c's", r("tcp", "connect", OURS, p50), "most", 1.3),
    ]
    if all(reached is None for _, reached, _, _ in wanted):
        return
    yield row(["Figure", "Wanted", "Reached", ""])
    yield row(["---", "---:", "---:", "---"])
    for what, reached, side, limit in wanted:
        fine = reached is not None and (reached <= limit if side == "most" else reached >= limit)
        verdict = "not measured" if reached is None else "yes" if fine else "no"
        yield row([what, f"at {side} {number(limit)}x", "-" if reached is None else number(reached) + "x", verdict])


def table(machine, results):
    rounds = max((len(records) for by_client in results.runs.values() for records in by_client.values()), default=0)
    sections = [
        [f"Medians of {rounds} interleaved rounds; 100-byte bodies unless said; in brackets the ratio to {BASE}. "
         "The null broker only discards, confirms or delivers, so that the client is the limit."],
        summary(results),
        goals(results),
        ["Every figure:"],
        details(results),
        ["Measured with: " + "; ".join(f"{name} {value}" for name, value in machine.items()) + "."],
    ]
    return "\n\n".join(text for text in ("\n".join(section) for section in sections) if text) + "\n"


# The chart: a panel for each scenario of most interest, a bar for each client, best first, on a logarithmic scale.

PANELS = [("null", "publish"), ("null", "publish-confirm"), ("null", "consume"), ("null", "consume-ack"),
          ("tcp", "ping-pong"), ("tls", "publish, unroutable")]
WIDTH, LABEL, BAR, GAP, TITLE, MARGIN = 460, 90, 18, 6, 40, 16


def panel(results, target, scenario, x, y):
    measure, unit = measure_for(target, scenario)
    values = {client: results.value(target, scenario, client, measure) for client in results.clients}
    values = {client: value for client, value in values.items() if value}
    if not values:
        return
    more_is_better = measure in (rate, bandwidth)
    order = sorted(values, key=values.get, reverse=more_is_better)
    low = math.log10(min(values.values())) - 0.3
    span = math.log10(max(values.values())) - low
    better = "more" if more_is_better else "less"
    yield (f'<text x="{x}" y="{y + 14}" class="title">{html.escape(scenario)}, {html.escape(TARGETS[target])}</text>'
           f'<text x="{x}" y="{y + 30}" class="unit">{html.escape(unit)}; {better} is better</text>')
    for i, client in enumerate(order):
        top = y + TITLE + i * (BAR + GAP)
        length = (WIDTH - LABEL - 70) * (math.log10(values[client]) - low) / span
        kind = "ours" if client == OURS else "bar"
        yield (f'<text x="{x + LABEL - 6}" y="{top + 13}" text-anchor="end">{html.escape(client)}</text>'
               f'<rect x="{x + LABEL}" y="{top}" width="{length:.1f}" height="{BAR}" rx="2" class="{kind}"/>'
               f'<text x="{x + LABEL + length + 6:.1f}" y="{top + 13}">{number(values[client])}</text>')


def chart(results):
    height = TITLE + len(results.clients) * (BAR + GAP) + MARGIN
    panels = [p for p in PANELS if p in results.runs]
    total_width, total_height = 2 * (WIDTH + MARGIN) + MARGIN, math.ceil(len(panels) / 2) * height + 2 * MARGIN + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width} {total_height}" width="{total_width}" '
        f'height="{total_height}" font-family="system-ui, sans-serif" font-size="12">',
        "<style>text{fill:#222}.title{font-size:14px;font-weight:600}.unit{fill:#666}.bar{fill:#9aa5b1}"
        ".ours{fill:#f05138}</style>",
        f'<rect width="{total_width}" height="{total_height}" fill="#fff"/>',
    ]
    for i, (target, scenario) in enumerate(panels):
        x = MARGIN + i % 2 * (WIDTH + MARGIN)
        lines += panel(results, target, scenario, x, MARGIN + i // 2 * height)
    lines += [f'<text x="{MARGIN}" y="{total_height - 10}" class="unit">Medians of interleaved runs, 100-byte bodies; '
              "logarithmic scales.</text>", "</svg>"]
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    machine, runs = load(sys.argv[1])
    results = Results(runs)
    with open(sys.argv[2], "w") as file:
        file.write(table(machine, results))
    with open(sys.argv[3], "w") as file:
        file.write(chart(results))


if __name__ == "__main__":
    main()
