#!/usr/bin/env python3
"""Turns the raw results of scripts/bench.sh into a Markdown table and a chart (SVG): medians, and ratios to rabbitmq-c.

usage: report.py RESULTS.jsonl TABLE.md CHART.svg
"""

import html
import math
import sys

import goals
import scenarios
from results import (BASE, OURS, bandwidth, cpu, kilobytes_each, load, number, p50, p99, p999, rate, resident, rss,
                     threads)

TARGETS = {"null": "null broker", "headers": "null broker", "tcp": "RabbitMQ, TCP", "tls": "RabbitMQ, TLS"}


def measure_for(target, scenario):
    """What a scenario is about."""
    if scenario == scenarios.PROCESS:
        return resident, "MB of memory"
    if scenario == scenarios.IDLE:
        return kilobytes_each, "KB each"
    if scenario == scenarios.PACED:
        return cpu, "CPU, us a message"
    if scenario == scenarios.DELAY:
        return p99, "99 %, us"
    if scenario in ("ping-pong", "connect") or target != "null" and "one at a time" in scenario:
        return p50, "median, us"
    if "MiB" in scenario:
        return bandwidth, "MB/s"
    if scenario == scenarios.CONFIRM_BUSY:
        return p99, "99 %, us"
    if target in ("null", "headers") or scenario == scenarios.RPC_MANY:
        return cpu, "CPU, us a message"
    return rate, "messages/s"


def row(cells):
    return "| " + " | ".join(cells) + " |"


def failed(failures):
    """In a cell: of runs without a figure."""
    hangs = sum(1 for failure in failures if failure["hung"])
    others = len(failures) - hangs
    return ", ".join(f"{count} {what}" for count, what in ((hangs, "hung"), (others, "failed")) if count)


def summary(results):
    yield row(["Against", "Work", "Measure", *results.clients])
    yield row(["---"] * 3 + ["---:"] * len(results.clients))
    for target, scenario in results.runs:
        measure, unit = measure_for(target, scenario)
        cells = []
        for client in results.clients:
            value = results.value(target, scenario, client, measure)
            ratio = results.ratio(target, scenario, client, measure)
            text = number(value) + (f" ({number(ratio)}x)" if ratio is not None and client != BASE else "")
            failures = results.failures.get((target, scenario), {}).get(client, [])
            cells.append(text + (f"; {failed(failures)}" if failures else ""))
        yield row([TARGETS.get(target, target), scenario, unit, *cells])


def details(results):
    titles = ["Messages/s", "CPU, us", "p50, us", "p99, us", "p99.9, us", "Peak memory, MB", "Threads"]
    yield row(["Against", "Work", "Client", "Messages", *titles])
    yield row(["---"] * 3 + ["---:"] * (len(titles) + 1))
    for (target, scenario), by_client in results.runs.items():
        for client, records in by_client.items():
            values = [results.value(target, scenario, client, m) for m in (rate, cpu, p50, p99, p999, rss, threads)]
            yield row([TARGETS.get(target, target), scenario, client, f"{records[0]['messages']:,}", *map(number, values)])


def verdicts(results):
    """The figures this package means to reach, and what it reached."""
    wanted = goals.goals(results)
    if all(goal.reached is None for goal in wanted):
        return
    yield row(["Figure", "Wanted", "Reached", ""])
    yield row(["---", "---:", "---:", "---"])
    for goal in wanted:
        reached = "-" if goal.reached is None else number(goal.reached) + goal.unit
        yield row([goal.what, f"at {goal.side} {number(goal.limit)}{goal.unit}", reached, goal.verdict])


def failures(results):
    """Every run that gave no figure: none was tried again."""
    for (target, scenario), by_client in results.failures.items():
        for client, records in by_client.items():
            for record in records:
                what = "hung" if record["hung"] else "failed"
                yield f"- {TARGETS.get(target, target)}, {scenario}: {client} {what}: {record['failed']}"


def table(machine, results):
    rounds = max((len(records) for by_client in results.runs.values() for records in by_client.values()), default=0)
    sections = [
        [f"Medians of {rounds} interleaved rounds; 100-byte bodies unless said; in brackets the ratio to {BASE}. "
         "The null broker only discards, confirms or delivers, so that the client is the limit."],
        summary(results),
        verdicts(results),
        ["Runs without a figure:" if results.failures else "Every run gave a figure."],
        failures(results),
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
    values = {client: value for client, value in values.items() if value is not None and value > 0}
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
    machine, results = load(sys.argv[1])
    with open(sys.argv[2], "w") as file:
        file.write(table(machine, results))
    with open(sys.argv[3], "w") as file:
        file.write(chart(results))
    print("\n".join([*verdicts(results), *failures(results)]))


if __name__ == "__main__":
    main()
