#!/usr/bin/env python3
"""The proof with truth: trains classifiers and simulators on cohorts with a known effect and prints one table.

For each cohort and seed (the seed draws the cohort too): two classifiers trained apart, our simulator of the first, the
same with --objective paper, both applied to all held-out scans, judged by the second classifier and against the truth,
beside every saliency map that the program has, random numbers, image edges and the group's t map.  The figures of a
PyTorch implementation come from faithful_reference.tsv, which names their source.

    python3 Testing/Benchmark/faithful.py                      # four cohorts, three seeds: hours
    python3 Testing/Benchmark/faithful.py --quick              # two cohorts, one seed: under half an hour on two cores
    python3 Testing/Benchmark/faithful.py --cohorts whole      # heads at 64^3, from the hippocampi's classifiers
    python3 Testing/Benchmark/faithful.py --table              # only the tables, from what stands

Stages whose results stand are passed over; a stage that fails is reported, what needs it is left out, and the rest goes
on.  Written: faithful.tsv (every figure: mean over seeds and 95 % interval), faithful.md (the table for the README, and
what the project promises, with pass or fail).  Standard library only.
"""
import argparse
import csv
import hashlib
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TEMPLATES = "/usr/share/mricron/templates/"
BRAIN_CLASSIFIER = ["--flip", "true", "--erase", "0.5"]
COHORTS = {
    "spheres": dict(cohort=["--kind", "spheres"], classifier=["--steps", "400", "--batch", "32"], simulator=[]),
    "hippocampi": dict(cohort=["--kind", "brains"], classifier=BRAIN_CLASSIFIER, simulator=["--steps", "300"]),
    "ventricles": dict(cohort=["--kind", "brains", "--effect", "ventricles"], classifier=BRAIN_CLASSIFIER,
                       simulator=["--steps", "300"]),
    "thalamus": dict(cohort=["--kind", "brains", "--effect", "Thalamus"], classifier=BRAIN_CLASSIFIER,
                     simulator=["--steps", "300"]),
    # From random weights these classifiers stayed at chance for 700 steps.
    "whole": dict(cohort=["--kind", "brains", "--size", "64"], classifier=["--flip", "true", "--steps", "400"],
                  simulator=["--steps", "400"], start="hippocampi"),
}
DEFAULT_COHORTS = ["spheres", "hippocampi", "ventricles", "thalamus"]
OBJECTIVES = {"ours": [], "paper": ["--objective", "paper"]}
DIRECTIONS = {"inject": "control", "remove": "patient"}
# Seconds on two idle cores at 32^3, until stages of this run say better.
EXPECTED = {"cohort": 40, "classifier": 110, "second": 110, "simulator": 130, "simulate": 8, "group": 45, "sanity": 200}

# What the project promises of held-out scans: figure, threshold, for (direction, cohort) or all.
PROMISED_RATES = [("moved", 0.95), ("margin_reached", 0.90), ("second_moved", 0.95), ("second_flipped", 0.60)]
PROMISED_TRUTH = {("spheres", "remove"): (0.60, 0.60, 0.65), ("spheres", "inject"): (0.50, 0.60, 0.60),
                  ("hippocampi", "remove"): (0.55, 0.50, 0.60), ("hippocampi", "inject"): (0.40, 0.45, 0.50)}
TRUTH = ["signed_correlation", "average_precision", "normalised_correlation"]
# Two-sided 95 % quantiles of Student's t by degrees of freedom.
STUDENT = [math.nan, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]


def minutes(seconds):
    return "%d s" % round(seconds) if seconds < 90 else "%d min" % round(seconds / 60)


def with_steps(command, steps):
    """The command with another number of steps."""
    if not steps:
        return command
    at = command.index("--steps") if "--steps" in command else len(command)
    return [*command[:at], *command[at + 2:], "--steps", str(steps)]


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t"))


def write_whole(path, text):
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".part", path)


class Stage:
    """One call of the program.  It stands where its stamp does: written after success, with what it was made by."""

    def __init__(self, name, kind, command, outputs, needs=(), scale=1.0, fresh=True):
        self.name, self.kind, self.command, self.outputs, self.needs = name, kind, command, outputs, list(needs)
        self.scale = scale  # of the kind's expected time
        self.fresh = fresh  # outputs that a former command made are removed first; else --resume goes on
        self.failed = None

    def key(self):
        text = json.dumps([self.command, [need.key() for need in self.needs]])
        return hashlib.sha1(text.encode()).hexdigest()

    def stamp(self, out):
        return os.path.join(out, "stages", self.name.replace("/", "_") + ".json")

    def record(self, out):
        try:
            with open(self.stamp(out), encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return None

    def stands(self, out):
        record = self.record(out)
        return (record is not None and record.get("key") == self.key() and "finished" in record
                and all(os.path.exists(os.path.join(out, o)) for o in self.outputs)
                and all(need.stands(out) and need.record(out)["finished"] <= record["finished"] for need in self.needs))


def stages_of(cohort, seed, options, earlier):
    """Stages of one cohort and seed in order; earlier: groups of other seeds, whose maps are compared."""
    spec, base = COHORTS[cohort], "%s/%d/" % (cohort, seed)
    scale = 8.0 if "64" in spec["cohort"] else 1.0
    table = base + "cohort/participants.tsv"
    brains = "brains" in spec["cohort"]
    stages = []

    def add(name, kind, command, outputs, needs, **more):
        stages.append(Stage(base + name, kind, command, outputs, needs, scale=scale, **more))
        return stages[-1]

    subjects = ["--subjects", str(options.subjects)] if options.subjects else []
    made = add("cohort", "cohort",
               ["cohort", *spec["cohort"], "--seed", str(seed), "--out", base + "cohort", *subjects], [table], [])
    classifiers = []
    for index, kind in enumerate(["classifier", "second"]):
        start, needs = [], [made]
        if "start" in spec:
            other = "%s/%d/%s.onnx" % (spec["start"], seed, kind)
            start = ["--start", other]
            needs += [s for s in options.known if s.outputs == [other]]
        model = base + kind + ".onnx"
        command = ["train-classifier", "--cohort", table, "--seed", str(seed + index), "--out", model, "--resume",
                   *start, *with_steps(spec["classifier"], options.steps)]
        classifiers.append(add(kind, kind, command, [model], needs, fresh=False))
    groups = []
    for objective, extra in OBJECTIVES.items():
        model, simulations = base + objective + ".onnx", base + objective + "-simulations"
        simulator = add(objective, "simulator",
                        ["train-simulator", "--cohort", table, "--classifier", base + "classifier.onnx", "--seed",
                         str(seed), "--out", model, "--resume", *with_steps(spec["simulator"], options.steps), *extra],
                        [model], [classifiers[0]], fresh=False)
        applied = [add(objective + "-" + direction, "simulate",
                       ["simulate", "--model", model, "--direction", direction, "--group", group, "--cohort", table,
                        "--held-out-only", "--resume", "--out", simulations], [simulations], [simulator], fresh=False)
                   for direction, group in DIRECTIONS.items()]
        atlas = ["--atlas", TEMPLATES + "aal.nii.gz", "--labels", TEMPLATES + "aal.nii.txt"] if brains else []
        others = [x for g in earlier.get(objective, []) for x in ("--other", g.outputs[0].rsplit("/", 1)[0])]
        exchange = [] if objective == "ours" else ["--exchange", "0"]  # it is about the classifier, the same for both
        groups.append(add(objective + "-group", "group",
                          ["group", "--simulations", simulations, "--cohort", table, "--second", base + "second.onnx",
                           *atlas, *others, *exchange, "--out", base + objective + "-group"],
                          [base + objective + "-group/group.json"],
                          [*applied, classifiers[1], *earlier.get(objective, [])]))
        maps = [] if objective == "ours" else ["--methods", "gradient", "--scans", "2"]
        checks = maps if maps else ["--scans", str(options.scans)]
        add(objective + "-sanity", "sanity",
            ["sanity", "--model", base + "classifier.onnx", "--cohort", table, "--simulations", simulations, *checks,
             "--out", base + objective + "-sanity"], [base + objective + "-sanity/sanity.json"],
            applied)
        if objective == "ours":  # left out of the usual methods, since it may take hours on large volumes
            add("occlusion", "sanity",
                ["sanity", "--model", base + "classifier.onnx", "--cohort", table, "--simulations", simulations,
                 "--methods", "occlusion", "--scans", str(options.scans), "--out", base + "occlusion"],
                [base + "occlusion/sanity.json"], applied)
    for objective, group in zip(OBJECTIVES, groups):
        earlier.setdefault(objective, []).append(group)
    return stages


def expected(stage, speed):
    seconds = EXPECTED[stage.kind] * stage.scale
    if stage.kind == "sanity" and "--methods" in stage.command:
        seconds *= 0.1
    if stage.kind == "group" and "--exchange" in stage.command:
        seconds *= 0.3
    return seconds * speed.get(stage.kind, speed.get("all", 1.0))


def speeds(stages, out):
    """How much slower this machine is than expected, by kind and over all, from stages that stand."""
    ratios = {}
    taken = foreseen = 300.0  # so that one short stage does not tell of all the others
    for stage in stages:
        record = stage.record(out)
        if record and record.get("seconds") and stage.stands(out):
            ratios.setdefault(stage.kind, []).append(record["seconds"] / expected(stage, {}))
            taken += record["seconds"]
            foreseen += expected(stage, {})
    return {"all": taken / foreseen, **{kind: statistics.median(r) for kind, r in ratios.items()}}


def make_room(stage, out):
    """Removes what another command left: it must not be gone on from.  simulate itself tells its models apart."""
    for output in stage.outputs if stage.kind != "simulate" else []:
        path = os.path.join(out, output)
        if os.path.basename(path) in ("group.json", "sanity.json", "participants.tsv"):
            path = os.path.dirname(path)
        for doomed in (path, path + ".checkpoint", path + ".curve.tsv"):
            if os.path.isdir(doomed):
                shutil.rmtree(doomed)
            elif os.path.exists(doomed):
                os.remove(doomed)


def run(stages, options):
    out, failures = options.out, []
    os.makedirs(os.path.join(out, "stages"), exist_ok=True)
    for index, stage in enumerate(stages):
        if stage.stands(out):
            continue
        blocked = next((n for n in stage.needs if n.failed or not n.stands(out)), None)
        if blocked:
            stage.failed = "left out: it needs " + blocked.name
            print("%s: %s" % (stage.name, stage.failed), flush=True)
            continue
        speed = speeds(stages, out)
        left = sum(expected(s, speed) for s in stages[index:] if not s.failed and not s.stands(out))
        print("%d of %d  %s: about %s; all: about %s left" % (
            index + 1, len(stages), stage.name, minutes(expected(stage, speed)), minutes(left)), flush=True)
        record = stage.record(out)
        if record is None or record.get("key") != stage.key():
            if stage.fresh or record is not None:
                make_room(stage, out)
            # The stamp says from now on whose half-done work lies there.
            write_whole(stage.stamp(out), json.dumps({"key": stage.key(), "command": stage.command}))
        log_path = stage.stamp(out)[:-5] + ".log"
        started = time.time()
        with open(log_path, "w", encoding="utf-8") as log:
            try:
                code = subprocess.call([options.program, *stage.command, "--threads", str(options.threads)], cwd=out,
                                       stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            except KeyboardInterrupt:
                sys.exit("stopped in %s; the same command goes on from there." % stage.name)
        seconds = time.time() - started
        if code:
            with open(log_path, encoding="utf-8", errors="replace") as log:
                last = [line.strip() for line in log.read().replace("\r", "\n").split("\n") if line.strip()]
            stage.failed = "exit code %d: %s" % (code, last[-1] if last else "no message")
            failures.append(stage)
            print("%s failed, %s" % (stage.name, stage.failed), flush=True)
            continue
        write_whole(stage.stamp(out), json.dumps({"key": stage.key(), "command": stage.command, "seconds": seconds,
                                                  "finished": time.time(), "commit": options.commit,
                                                  "threads": options.threads}))
    return failures


# ---- what stands, as figures ----

def number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.nan


def figures_of(cohort, seed, out):
    """{(map, direction, smoothed, figure): (value, low, high)} of one seed; intervals over its scans."""
    base, found = os.path.join(out, cohort, str(seed)), {}
    for objective in OBJECTIVES:
        name = "Counterwarp" if objective == "ours" else "Counterwarp, the paper's objective"
        group = os.path.join(base, objective + "-group")
        if os.path.exists(os.path.join(group, "group.json")):
            for row in rows_of(os.path.join(group, "proof.tsv")):
                found[name, row["direction"], "false", row["figure"]] = tuple(
                    number(row[k]) for k in ("value", "low_95", "high_95"))
            with open(os.path.join(group, "group.json"), encoding="utf-8") as file:
                scores = json.load(file).get("scores", {})
            for direction, figures in scores.items():
                for figure, s in figures.items():
                    found[name, direction, "false", figure] = tuple(
                        math.nan if s[k] is None else s[k] for k in ("mean", "low", "high"))
            others = {}  # a row for each other seed
            if os.path.exists(os.path.join(group, "stability.tsv")):
                for row in rows_of(os.path.join(group, "stability.tsv")):
                    others.setdefault(row["direction"], []).append(number(row["correlation"]))
            for direction, values in others.items():
                found[name, direction, "false", "map_of_another_seed"] = (statistics.mean(values), math.nan, math.nan)
        for folder in (objective + "-sanity", "occlusion"):
            places = os.path.join(base, folder, "localisation.tsv")
            if not os.path.exists(places):
                continue
            for row in rows_of(places):
                simulator = row["map"].startswith("simulator")
                # Simulators and baselines once, saliency maps with ours.
                if (objective == "paper" and (folder == "occlusion" or not simulator)) or \
                        (folder == "occlusion" and row["map"] != "occlusion"):
                    continue
                direction = "inject" if "injection" in row["map"] else "remove"
                for figure in ("average_precision", "normalised_correlation", "auc"):
                    key = (name if simulator else row["map"], direction, row["smoothed"], figure)
                    found[key] = tuple(number(row[figure + end]) for end in ("", "_low", "_high"))
    return found


def over_seeds(values):
    """Mean over seeds and its 95 % interval; with one seed, that seed's interval over scans."""
    values = [v for v in values if not math.isnan(v[0])]
    if not values:
        return math.nan, math.nan, math.nan, 0
    if len(values) == 1:
        return (*values[0], 1)
    mean = statistics.mean(v[0] for v in values)
    degrees = len(values) - 1
    t = STUDENT[degrees] if degrees < len(STUDENT) else 1.96 + 2.7 / degrees
    half = t * statistics.stdev(v[0] for v in values) / math.sqrt(len(values))
    return mean, mean - half, mean + half, len(values)


def gather(options):
    figures = {}
    for cohort in options.cohorts:
        seeds = {}
        for seed in options.seeds:
            for key, value in figures_of(cohort, seed, options.out).items():
                seeds.setdefault(key, {})[seed] = value
        for key, by_seed in seeds.items():
            figures[(cohort, *key)] = by_seed
    return figures


def short(value, digits=2):
    return "n/a" if math.isnan(value) else "%.*f" % (digits, value)


def cell(figures, key):
    if key not in figures:
        return ""
    mean, low, high, _ = over_seeds(list(figures[key].values()))
    return short(mean) if math.isnan(low) else "%s (%s..%s)" % (short(mean), short(low), short(high))


def reference_rows():
    return {(r["cohort"], r["map"], r["direction"], r["smoothed"], r["figure"]): {0: (float(r["value"]), math.nan,
                                                                                     math.nan)}
            for r in rows_of(os.path.join(HERE, "faithful_reference.tsv"))}


def maps_of(figures, cohort):
    """Names of saliency maps and baselines, best average precision first."""
    names = sorted({k[1] for k in figures if k[0] == cohort and not k[1].startswith(("Counterwarp", "PyTorch"))})

    def rank(name):
        return -over_seeds(list(figures.get((cohort, name, "remove", "false", "average_precision"), {}).values()))[0]
    known = [n for n in names if (cohort, n, "remove", "false", "average_precision") in figures]
    return sorted(known, key=rank)


def promises(figures, cohorts):
    """(what, reached, needed, state) of each line that the project promises; nothing stands for nothing measured."""
    lines = []

    def level(cohort, direction, figure, threshold, most=False):
        by_seed = figures.get((cohort, "Counterwarp", direction, "false", figure))
        mean, _, _, seeds = over_seeds(list(by_seed.values())) if by_seed else (math.nan, 0, 0, 0)
        good = mean <= threshold if most else mean >= threshold
        lines.append(("%s, %s: %s" % (cohort, direction, figure), "%s (%d seed%s)" % (short(mean, 3), seeds, "s" * (seeds != 1)),
                      "%s %g" % ("at most" if most else "at least", threshold),
                      "not measured" if math.isnan(mean) else "pass" if good else "FAIL"))

    for cohort in cohorts:
        for direction in DIRECTIONS:
            for figure, threshold in PROMISED_RATES:
                level(cohort, direction, figure, threshold)
            level(cohort, direction, "folded_scans", 0, most=True)
            for figure, threshold in zip(TRUTH, PROMISED_TRUTH.get((cohort, direction), ())):
                level(cohort, direction, figure, threshold)
        for smoothed in ("false", "true"):
            for figure in ("average_precision", "normalised_correlation"):
                own = figures.get((cohort, "Counterwarp", "remove", smoothed, figure), {})
                above = apart = True
                lead, best = math.inf, ""  # the map that comes nearest, in any seed
                for name in maps_of(figures, cohort):
                    if name.startswith("baseline"):
                        continue
                    other = figures.get((cohort, name, "remove", smoothed, figure), {})
                    for seed in sorted(set(own) & set(other)):
                        above = above and own[seed][0] > other[seed][0]
                        apart = apart and own[seed][1] > other[seed][2]
                        if own[seed][0] - other[seed][0] < lead:
                            lead, best = own[seed][0] - other[seed][0], "%s (seed %d, by %.3f)" % (
                                name, seed, own[seed][0] - other[seed][0])
                measured = bool(own) and bool(maps_of(figures, cohort))
                strict = cohort in ("spheres", "hippocampi")  # intervals over scans must lie apart, in every seed
                good = apart if strict else above
                reached = ("n/a" if not measured else "intervals apart" if apart else
                           "above, but not apart from " + best if above else "not above " + best)
                lines.append(("%s, remove, %s %s above every saliency map" %
                              (cohort, "smoothed" if smoothed == "true" else "raw", figure.replace("_", " ")), reached,
                              "intervals apart" if strict else "above",
                              "not measured" if not measured else "pass" if good else "FAIL"))
    return lines


def write_tables(options):
    figures = gather(options)
    reference = {k: v for k, v in reference_rows().items() if k[0] in options.cohorts}
    everything = {**figures, **reference}
    text = "cohort\tmap\tdirection\tsmoothed\tfigure\tseeds\tmean\tlow_95\thigh_95\n"
    for key in sorted(everything):
        mean, low, high, count = over_seeds(list(everything[key].values()))
        values = ["n/a" if math.isnan(v) else "%.4g" % v for v in (mean, low, high)]
        text += "\t".join([*key, str(count), *values]) + "\n"
    write_whole(os.path.join(options.out, "faithful.tsv"), text)

    lines = []
    title = {"signed_correlation": "signed", "average_precision": "AP", "normalised_correlation": "NCC"}
    for cohort in options.cohorts:
        simulators = ["Counterwarp", "Counterwarp, the paper's objective"]
        simulators += sorted({k[1] for k in reference if k[0] == cohort})
        lines += ["### " + cohort, "", "| map | direction | " + " | ".join(title[t] for t in TRUTH) +
                  " | AP smoothed | NCC smoothed |", "| --- | --- |" + " ---: |" * 5]
        for name in simulators:
            for direction in ("remove", "inject"):
                keys = [(cohort, name, direction, "false", t) for t in TRUTH]
                keys += [(cohort, name, direction, "true", t) for t in TRUTH[1:]]
                if any(k in everything for k in keys):
                    lines.append("| %s |" % " | ".join([name, direction, *(cell(everything, k) for k in keys)]))
        for name in maps_of(figures, cohort):
            keys = [(cohort, name, "remove", s, t) for s in ("false", "true") for t in TRUTH[1:]]
            lines.append("| %s | | | " % name + " | ".join(cell(figures, k) for k in keys) + " |")
        names = {"moved": "moved", "flipped": "over the boundary", "margin_reached": "margin reached",
                 "second_moved": "second classifier moved", "second_flipped": "second classifier over its boundary",
                 "cycle_error": "cycle error", "folded_scans": "scans with folds", "agreement_of_directions":
                 "agreement of directions", "composition_error_mm": "composition error, mm",
                 "largest_displacement_mm": "largest displacement, mm", "map_of_another_seed": "map of another seed"}
        lines += ["", "| inject / remove | " + " | ".join(simulators) + " |", "| --- |" + " ---: |" * len(simulators)]
        for figure, words in names.items():
            row = [" / ".join(cell(everything, (cohort, n, d, "false", figure)) or "n/a" for d in DIRECTIONS)
                   for n in simulators]
            if any(r != "n/a / n/a" for r in row):
                lines.append("| %s | " % words + " | ".join("" if r == "n/a / n/a" else r for r in row) + " |")
        both = [("balanced accuracy", "balanced_accuracy"), ("share of what the classifier reads that is shape",
                                                             "shape_share")]
        for words, figure in both:
            text = cell(figures, (cohort, "Counterwarp", "both", "false", figure))
            if text:
                lines.append("| %s | %s |" % (words, text) + " |" * (len(simulators) - 1))
        lines.append("")
    lines += ["### What is promised", "", "| | reached | needed | |", "| --- | ---: | ---: | --- |"]
    lines += ["| %s |" % " | ".join(line) for line in promises(figures, options.cohorts)]
    commits = sorted({r.get("commit", "?") for s in options.known for r in [s.record(options.out)]
                      if r and r.get("seconds")})
    measured = sorted({k for by in figures.values() for k in by})
    lines += ["", "Means over seeds %s and, in brackets, 95 %% intervals (over seeds; with one seed over its scans); "
              "stages of commit %s." % (", ".join(map(str, measured)) or "none", ", ".join(commits) or "none")]
    write_whole(os.path.join(options.out, "faithful.md"), "\n".join(lines) + "\n")
    print("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    root = os.path.dirname(os.path.dirname(HERE))
    parser.add_argument("--out", default=os.path.join(root, "build", "faithful"), help="folder for everything")
    parser.add_argument("--program", default=os.path.join(root, "build", "release", "Module", "CommandLine",
                                                          "counterwarp"))
    parser.add_argument("--cohorts", nargs="+", choices=list(COHORTS), default=None, metavar="COHORT",
                        help="of " + ", ".join(COHORTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="SEED")
    parser.add_argument("--quick", action="store_true", help="spheres and hippocampi, one seed, fewer scans checked")
    parser.add_argument("--table", action="store_true", help="run nothing; tables of what stands")
    parser.add_argument("--again", nargs="+", default=[], metavar="NAME",
                        help="do stages whose names contain this again, and what rests on them")
    parser.add_argument("--threads", type=int, default=0, help="0: all processors")
    parser.add_argument("--scans", type=int, default=8, help="held-out scans in the sanity checks")
    parser.add_argument("--subjects", type=int, help="subjects a group, for a trial")
    parser.add_argument("--steps", type=int, help="training steps of everything, for a trial")
    options = parser.parse_args()
    if options.quick:
        options.cohorts, options.seeds = ["spheres", "hippocampi"], options.seeds[:1]
        options.scans = min(options.scans, 4)
    options.cohorts = options.cohorts or list(DEFAULT_COHORTS)
    if "whole" in options.cohorts and "hippocampi" not in options.cohorts:
        options.cohorts.insert(0, "hippocampi")
    options.cohorts.sort(key=list(COHORTS).index)
    options.program, options.out = os.path.abspath(options.program), os.path.abspath(options.out)
    git = subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    options.commit = git.stdout.strip() or "?"
    if not options.table and not os.access(options.program, os.X_OK):
        sys.exit("%s: is not there; build it, or name it with --program." % options.program)

    options.known, earlier = [], {cohort: {} for cohort in options.cohorts}
    for seed in options.seeds:
        for cohort in options.cohorts:
            options.known += stages_of(cohort, seed, options, earlier[cohort])
    for stage in options.known:
        if any(name in stage.name for name in options.again) and os.path.exists(stage.stamp(options.out)):
            os.remove(stage.stamp(options.out))
            for output in stage.outputs:
                path = os.path.join(options.out, output)
                shutil.rmtree(path) if os.path.isdir(path) else os.path.exists(path) and os.remove(path)
    failures = [] if options.table else run(options.known, options)
    os.makedirs(options.out, exist_ok=True)
    write_tables(options)
    for stage in options.known:
        if stage.failed:
            print("%s: %s" % (stage.name, stage.failed), file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
