#!/usr/bin/env python3
"""Runs rmq perf with metrics, the flight recorder and traces on and off in turn, and prints what each costs.

Started by scripts/costs.sh, from the package's folder. The broker is the one that RABBITMQ_URI names, or else the null
broker.
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys

from run import null_broker

RECORDER = ["--recorder", "200"]
HANDLE = ["handle"]
CONFIRM = ["confirm", "--tasks", "100"]
# Name, what is run with it off and on, whether `off` is the tool without the traits, the goal in per cent.
ROWS = [
    ("nothing, publish", ["publish"], ["publish"], False, None),
    ("nothing, handle", HANDLE, HANDLE, False, None),
    ("flight recorder, publish", ["publish"], ["publish", *RECORDER], False, 2),
    ("flight recorder, publish-confirm", ["publish-confirm"], ["publish-confirm", *RECORDER], False, 2),
    ("flight recorder, consume-ack", ["consume-ack"], ["consume-ack", *RECORDER], False, 2),
    ("metrics, publish", ["publish"], ["publish", "--metrics"], False, 5),
    ("metrics, publish and wait, 100 tasks", CONFIRM, [*CONFIRM, "--metrics"], False, 5),
    ("metrics, consume-ack", ["consume-ack"], ["consume-ack", "--metrics"], False, 5),
    ("metrics, handle", HANDLE, [*HANDLE, "--metrics"], False, 5),
    ("both traits built in, publish", ["publish"], ["publish"], True, 2),
    ("both traits built in, publish and wait", CONFIRM, CONFIRM, True, 2),
    ("both traits built in, handle", HANDLE, HANDLE, True, 2),
    ("traces, publish", ["publish"], ["publish", "--traces"], False, None),
    ("traces, handle", HANDLE, [*HANDLE, "--traces"], False, None),
]
# How many messages make about half a second; of a real broker, what it takes and gives in a few.
COUNTS = {"publish": 3_000_000, "publish-confirm": 1_500_000, "consume-ack": 1_000_000, "handle": 1_000_000,
          "confirm": 150_000}
REAL_COUNT = 200_000


def measure(tool, arguments, uri, count):
    """Microseconds of CPU for a message."""
    command = [tool, "perf", *arguments, "--uri", uri, "--messages", str(count), "--warmup", "10000", "--json"]
    done = subprocess.run(["timeout", "--kill-after=5", "120", *command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"costs: {' '.join(arguments)}: exit status {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout.strip().splitlines()[-1])["cpu_us_per_message"]


def quartiles(values):
    """Between which two half of them lie."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def compare(row, options, uri, is_real):
    """Prints a row. Whether it keeps to its goal."""
    name, off, on, is_bare, goal = row
    count = REAL_COUNT if is_real else COUNTS[off[0]]
    before, after = [], []
    for number in range(options.rounds):
        runs = [(options.bare if is_bare else options.watched, off, before), (options.watched, on, after)]
        # The first of two has it a little better or worse, which must not always be the same one.
        for tool, arguments, found in runs if number % 2 == 0 else reversed(runs):
            found.append(measure(tool, arguments, uri, count))
    # Each round's two beside each other: what slows the machine down for a while slows both.
    ratios = [(b / a - 1) * 100 for a, b in zip(before, after)]
    more, (low, high) = statistics.median(ratios), quartiles(ratios)
    is_kept = goal is None or more <= goal
    said = "" if goal is None else f"at most {goal} %" + ("" if is_kept else ": above")
    medians = f"{statistics.median(before):8.3f} {statistics.median(after):8.3f}"
    print(f"{name:38} {medians} {more:+7.1f} %  {low:+6.1f} to {high:+5.1f}  {said}".rstrip(), flush=True)
    return is_kept


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="regular expression that a row's name has to match")
    parser.add_argument("bare", help="rmq without the traits")
    parser.add_argument("watched", help="rmq with them")
    options = parser.parse_args()
    rows = [row for row in ROWS if re.search(options.only, row[0])]
    if not rows:
        sys.exit(f"costs: no row's name matches '{options.only}'")

    uri = os.environ.get("RABBITMQ_URI")
    with contextlib.nullcontext(uri) if uri else null_broker() as target:
        print(f"{'CPU us a message':38} {'off':>8} {'on':>8} {'more':>9}  half of the rounds")
        results = [compare(row, options, target, bool(uri)) for row in rows]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
