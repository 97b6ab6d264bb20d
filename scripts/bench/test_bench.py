"""Of the benchmark itself: which peers there are, what is made of a run, and the verdicts. scripts/lint.sh runs it."""

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import costs
import goals
import report
import results
import run
import scenarios

PEER = """#!/bin/sh
# A peer that answers as its name says.
case $PEER in
hangs) exec sleep 600 ;;
lacks) exit 3 ;;
fails) echo "no such host" >&2; exit 1 ;;
chats) echo "hello" ;;
esac
messages=5
while [ $# -gt 0 ]; do
    if [ "$1" = --messages ]; then messages=$2; fi
    shift
done
if [ "$PEER" = more ]; then messages=$((messages + 1)); fi
echo '{"mode":"publish","messages":'$messages',"size":100,"seconds":1,"rate":5,"cpu_us_per_message":2}'
"""


def record(client, cpu, target="null", scenario="publish", **more):
    return {"client": client, "target": target, "scenario": scenario, "mode": "publish", "messages": 10, "size": 100,
            "seconds": 1, "rate": 10, "cpu_us_per_message": cpu, **more}


def loaded(*records):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for one in ({"machine": {"cores": 2}}, *records):
            file.write(json.dumps(one) + "\n")
        file.flush()
        return results.load(file.name)


class Peers(unittest.TestCase):
    def test_a_list_and_options_make_the_peers(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("# none\nsh  sh -c 'exit 3'  # with a comment\nabsent  /nowhere/peer\n\n")
            file.flush()
            with contextlib.redirect_stderr(io.StringIO()) as said:
                peers = run.read_peers([file.name], ["swift=env PEER='a b' sh"])
        self.assertEqual(peers, {"sh": ["sh", "-c", "exit 3"], "swift": ["env", "PEER=a b", "sh"]})
        self.assertIn("absent skipped", said.getvalue())

    def test_a_peer_that_is_asked_for_has_to_be_there(self):
        for wrong in ("name=/nowhere/peer", "name=", "name", "=sh"):
            with self.assertRaises(SystemExit, msg=wrong):
                run.read_peers([], [wrong])

    def test_a_flag_has_no_value(self):
        self.assertEqual(run.words_of({"size": 5, "read-headers": True}), ["--size", "5", "--read-headers"])


class Runs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.peer = os.path.join(self.folder.name, "peer")
        with open(self.peer, "w") as file:
            file.write(PEER)
        os.chmod(self.peer, 0o700)
        uri = os.environ.pop("RABBITMQ_URI", None)
        if uri is not None:
            self.addCleanup(os.environ.__setitem__, "RABBITMQ_URI", uri)
        self.path = os.path.join(self.folder.name, "results.jsonl")
        self.runner = run.Runner(argparse.Namespace(results=self.path, timeout=1, seconds=0.1, rounds=3))
        self.addCleanup(self.runner.results.close)

    def one(self, kind):
        return self.runner.run(["env", f"PEER={kind}", self.peer], "publish", "amqp://", {}, 7)

    def test_what_a_run_says(self):
        self.assertEqual(self.one("speaks")["messages"], 7)
        self.assertEqual(self.one("chats")["rate"], 5)  # only the last line counts
        self.assertIsNone(self.one("lacks"))
        self.assertEqual(self.one("fails"), run.Failed("exit status 1, said: no such host"))
        self.assertIn("8 messages", self.one("more").why)

    def test_a_run_that_hangs_is_ended_and_told(self):
        self.assertEqual(self.one("hangs"), run.Failed("not done after 1 s", hung=True))

    def test_each_round_is_written_down_and_nothing_is_tried_again(self):
        peers = {kind: ["env", f"PEER={kind}", self.peer] for kind in ("speaks", "lacks", "fails", "hangs")}
        scenario = scenarios.Scenario("publish", "publish", {"messages": 5})
        with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
            self.runner.scenario(peers, "null", "amqp://", {}, scenario)
        _, found = results.load(self.path)
        self.assertEqual(len(found.runs["null", "publish"]["speaks"]), 3)
        failures = found.failures["null", "publish"]
        # Who hangs twice is left out of the rest, which would take a minute each.
        self.assertEqual({name: len(all) for name, all in failures.items()}, {"fails": 3, "hangs": 2})
        self.assertIn("hangs HUNG in null, publish", said.getvalue())
        self.assertNotIn("lacks", said.getvalue())

    def test_a_peer_that_hangs_at_once_is_in_the_table(self):
        scenario = scenarios.Scenario("publish", "publish")
        peers = {kind: ["env", f"PEER={kind}", self.peer] for kind in ("hangs", "speaks")}
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            self.runner.scenario(peers, "null", "amqp://", {}, scenario)
        machine, found = results.load(self.path)
        table = report.table(machine, found)
        self.assertIn("-; 1 hung", table)
        self.assertIn("- null broker, publish: hangs hung: not done after 1 s", table)


class Costs(unittest.TestCase):
    def test_what_is_compared_does_the_same_work(self):
        for name, off, on, _, _ in costs.ROWS:
            self.assertIn(off[0], costs.COUNTS, name)
            self.assertEqual(on[:len(off)], off, name)

    def compared(self, goal, *figures):
        row, options = ("row", ["publish"], ["publish"], False, goal), argparse.Namespace(rounds=3, bare="", watched="")
        with unittest.mock.patch.object(costs, "measure", side_effect=figures) as measure, \
                contextlib.redirect_stdout(io.StringIO()) as said:
            is_kept = costs.compare(row, options, "amqp://", False)
        self.assertEqual(measure.call_count, 6)
        return is_kept, said.getvalue()

    def test_each_round_is_compared_by_itself(self):
        # The second round begins with what is on, and the last one ran when all was slow.
        is_kept, said = self.compared(5, 1, 1.01, 1.03, 1, 10, 11)
        self.assertTrue(is_kept)
        self.assertIn("   +3.0 %    +2.0 to  +6.5  at most 5 %\n", said)
        is_kept, said = self.compared(2, 1, 1.01, 1.03, 1, 10, 11)
        self.assertFalse(is_kept)
        self.assertIn("at most 2 %: above", said)

    def test_without_a_goal_nothing_is_above_it(self):
        is_kept, said = self.compared(None, 1, 2, 2, 1, 1, 2)
        self.assertTrue(is_kept)
        self.assertTrue(said.endswith("+100.0 %  +100.0 to +100.0\n"), said)

    def test_one_round_has_no_spread(self):
        self.assertEqual(costs.quartiles([3]), (3, 3))


class Verdicts(unittest.TestCase):
    def verdict(self, what, *records):
        _, found = loaded(*records)
        one, = [goal for goal in goals.goals(found) if goal.what == what]
        return one.verdict

    def test_medians_are_compared(self):
        base = [record("rabbitmq-c", cpu) for cpu in (5, 4, 90)]
        what = "publish, null broker: CPU"
        self.assertEqual(self.verdict(what, *base, record("rmq", 0.1)), "yes")
        self.assertEqual(self.verdict(what, *base, record("rmq", 0.1), record("rmq", 0.2)), "no")
        self.assertEqual(self.verdict(what, *base), "not measured")

    def test_a_run_of_ours_that_failed_is_in_the_verdict(self):
        failed = {"client": "rmq", "target": "null", "scenario": "publish", "failed": "it ended", "hung": False}
        base = record("rabbitmq-c", 5)
        self.assertEqual(self.verdict("publish, null broker: CPU", base, failed), "no: failed")
        self.assertEqual(self.verdict("publish, null broker: CPU", base, record("rmq", 0.1), failed),
                         "yes, but some runs failed")

    def test_the_other_clients_figure_is_better_than_an_absolute_one(self):
        scenario = scenarios.waiting(100)
        ours, go = record("rmq", 3, scenario=scenario), record("amqp091-go", 40, scenario=scenario)
        self.assertEqual(self.verdict(f"{scenario}, null broker: CPU", ours), "no")
        self.assertEqual(self.verdict(f"{scenario}, null broker: CPU, of amqp091-go's", ours, go), "yes")

    def test_memory_is_counted_from_an_empty_program_and_for_each_connection(self):
        name = scenarios.PROCESS
        ours, empty = record("connected", 1, scenario=name, rss_mb=24), record("empty", 1, scenario=name, rss_mb=9)
        what = f"{name}, null broker: memory, above an empty program's"
        self.assertEqual(self.verdict(what, ours, empty), "no")
        self.assertEqual(self.verdict(what, ours), "not measured")
        crowd = record("rmq", 1, scenario=scenarios.IDLE, rss_mb=59, base_rss_mb=20, options={"connections": 1000})
        self.assertEqual(self.verdict(f"{scenarios.IDLE}, null broker: memory of each", crowd), "yes")

    def test_every_goal_is_about_a_row(self):
        rows = {"null": scenarios.NULL, "headers": scenarios.NULL_HEADERS, "tls": scenarios.REAL,
                "tcp": scenarios.REAL + scenarios.TCP_ONLY}
        names = {f"{scenario.name}, {goals.NAMES[target]}" for target, all in rows.items() for scenario in all}
        _, found = loaded()
        everything = goals.goals(found)
        self.assertGreater(len(everything), 60)
        for goal in everything:
            self.assertIn(goal.what.split(":")[0], names)
            self.assertEqual(goal.verdict, "not measured")

    def test_the_rows_have_names_of_their_own(self):
        for rows in (scenarios.NULL, scenarios.NULL_HEADERS, scenarios.REAL + scenarios.TCP_ONLY):
            self.assertEqual(len({row.name for row in rows}), len(rows))

    def test_the_table_and_the_chart_are_made_of_anything(self):
        # Less work than was taken off makes a figure below zero.
        rows = [record("rmq", -0.1), record("rabbitmq-c", 5), record("rmq", 2, scenario=scenarios.DELAY)]
        machine, found = loaded(*rows)
        self.assertIn("| publish, null broker: CPU |", report.table(machine, found))
        self.assertIn("</svg>", report.chart(found))


if __name__ == "__main__":
    unittest.main()
