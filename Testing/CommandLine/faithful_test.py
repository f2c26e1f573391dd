#!/usr/bin/env python3
"""Testing/Benchmark/faithful.py without its hours: what it promises is judged, averaged and named rightly; a run of
stages goes on where it was stopped, does again what another command made, and leaves out what rests on a failure.

usage: faithful_test.py FAITHFUL.PY
"""
import argparse
import importlib.util
import json
import math
import os
import stat
import sys
import tempfile

spec = importlib.util.spec_from_file_location("faithful", sys.argv[1])
faithful = importlib.util.module_from_spec(spec)
spec.loader.exec_module(faithful)


def expect(condition, what):
    if not condition:
        sys.exit("faithful_test.py: expected " + what)


def line_of(lines, start):
    return next(line for line in lines if line[0].startswith(start))


def judged():
    own = "Counterwarp"

    def of(name, smoothed, figure, values, direction="remove"):
        return {("spheres", name, direction, smoothed, figure): {s + 1: v for s, v in enumerate(values)}}
    figures = {**of(own, "false", "moved", [(1.0, .9, 1), (.9, .8, 1), (.94, .8, 1)]),
               **of(own, "false", "second_flipped", [(.5, .4, .6)]),
               **of(own, "false", "average_precision", [(.70, .68, .72), (.70, .68, .72)]),
               **of("gradient", "false", "average_precision", [(.5, .4, .6), (.67, .66, .69)]),
               **of("smoothgrad", "false", "average_precision", [(.4, .3, .69), (.3, .2, .4)]),
               **of("baseline: random", "false", "average_precision", [(.9, .8, 1), (.9, .8, 1)])}
    lines = faithful.promises(figures, ["spheres"])
    moved = line_of(lines, "spheres, remove: moved")
    expect(moved[1] == "0.947 (3 seeds)" and moved[3] == "FAIL", "0.947 of three seeds to be below 0.95: %s" % (moved,))
    second = line_of(lines, "spheres, remove: second_flipped")
    expect(second[1] == "0.500 (1 seed)" and second[3] == "FAIL", "one seed to be said: %s" % (second,))
    inject = line_of(lines, "spheres, inject: moved")
    expect(inject[3] == "not measured", "what was not measured to be no pass: %s" % (inject,))
    raw = line_of(lines, "spheres, remove, raw average precision")
    expect(raw[3] == "FAIL" and raw[1] == "above, but not apart from gradient (seed 2, by 0.030)",
           "the nearest map to be named, and baselines left out: %s" % (raw,))
    figures.update(of("gradient", "false", "average_precision", [(.5, .4, .6), (.6, .5, .67)]))
    figures.update(of("smoothgrad", "false", "average_precision", [(.4, .3, .5), (.3, .2, .4)]))
    raw = line_of(faithful.promises(figures, ["spheres"]), "spheres, remove, raw average precision")
    expect(raw[3] == "pass" and raw[1] == "intervals apart", "intervals apart to pass: %s" % (raw,))


def averaged():
    mean, low, high, count = faithful.over_seeds([(1.0, 0, 0), (2.0, 0, 0), (3.0, 0, 0), (math.nan, 0, 0)])
    half = 4.303 / math.sqrt(3)  # Student's t of 2 degrees, standard deviation 1
    expect(count == 3 and mean == 2 and abs(low - 2 + half) < 1e-9 and abs(high - 2 - half) < 1e-9, "Student's interval")
    expect(faithful.over_seeds([(.5, .4, .6)]) == (.5, .4, .6, 1), "one seed's own interval")


def resumed(folder):
    """The program is a script that notes its calls, fails when told to, and makes the file behind --out."""
    program, calls = os.path.join(folder, "program"), os.path.join(folder, "calls")
    with open(program, "w", encoding="utf-8") as file:
        file.write('#!/bin/sh\necho "$1" >>"%s"\n[ "$1" = "$FAIL" ] && exit 3\nwhile [ "$1" != --out ]; do shift; done\n'
                   'echo made >"$2"\n' % calls)
    os.chmod(program, os.stat(program).st_mode | stat.S_IXUSR)
    options = argparse.Namespace(out=folder, program=program, threads=1, commit="c")

    def stages(steps):
        first = faithful.Stage("a/first", "cohort", ["one", "--steps", steps, "--out", "first"], ["first"])
        second = faithful.Stage("a/second", "simulate", ["two", "--out", "second"], ["second"], [first])
        return [first, second, faithful.Stage("a/third", "group", ["three", "--out", "third"], ["third"], [second])]

    def called():
        with open(calls, encoding="utf-8") as file:
            names = file.read().split()
        os.remove(calls)
        return names
    os.environ["FAIL"] = "two"
    failed = faithful.run(stages("1"), options)
    expect([s.name for s in failed] == ["a/second"] and called() == ["one", "two"], "the third stage left out")
    os.environ["FAIL"] = ""
    expect(not faithful.run(stages("1"), options) and called() == ["two", "three"], "the run to go on")
    expect(not faithful.run(stages("1"), options) and not os.path.exists(calls), "nothing to be done twice")
    os.remove(os.path.join(folder, "second"))
    faithful.run(stages("1"), options)
    expect(called() == ["two", "three"], "a lost file, and what rests on it, to be made again")
    faithful.run(stages("2"), options)
    expect(called() == ["one", "two", "three"], "another command to be run, with what rests on it")
    with open(os.path.join(folder, "stages", "a_third.json"), encoding="utf-8") as file:
        record = json.load(file)
    expect(record["commit"] == "c" and record["seconds"] >= 0, "a stamp of what was run")


judged()
averaged()
with tempfile.TemporaryDirectory() as temporary:
    resumed(temporary)
print("faithful.py: judged, averaged and resumed as it should")
