#!/usr/bin/env python3
"""From cohort to verdict for classifiers that no warp explains, and for one that reads shape: spheres whose patients are
darker on one side and of the same shape, spheres with groups drawn by lot, and spheres that differ in size.  The
simulators are trained for seconds only: that of the last may fail, but must not be said to be the classifier's fault.

usage: says_no.py COUNTERWARP          (needs numpy and nibabel)
"""
import csv
import json
import os
import subprocess
import sys
import tempfile

import nibabel
import numpy as np

PROGRAM, SUBJECTS = os.path.abspath(sys.argv[1]), 40


def expect(condition, what):
    if not condition:
        sys.exit("says_no.py: expected " + what)


def run(folder, *words):
    done = subprocess.run([PROGRAM, *words], cwd=folder, capture_output=True, text=True)
    expect(done.returncode == 0, "`%s` to end well: %s" % (" ".join(words[:3]), done.stderr[-500:]))
    return done.stderr


def table_of(folder, rows):
    with open(os.path.join(folder, "table.tsv"), "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["participant_id", "group", "image"])
        writer.writerows(rows)


def verdict(folder):
    """Of a classifier and a simulator that are trained on the folder's table.tsv."""
    run(folder, "train-classifier", "--cohort", "table.tsv", "--steps", "150", "--batch", "16", "--out", "c.onnx")
    run(folder, "train-simulator", "--cohort", "table.tsv", "--classifier", "c.onnx", "--steps", "60", "--batch", "8",
        "--out", "s.onnx")
    for direction, group in (("inject", "control"), ("remove", "patient")):
        run(folder, "simulate", "--model", "s.onnx", "--direction", direction, "--group", group, "--cohort", "table.tsv",
            "--held-out-only", "--out", "simulations")
    said = run(folder, "group", "--simulations", "simulations", "--cohort", "table.tsv", "--second", "none", "--out",
               "group")
    with open(os.path.join(folder, "group", "group.json"), encoding="utf-8") as file:
        group = json.load(file)
    expect(group["verdict"]["sentence"] in said, "the run to end with its verdict")
    run(folder, "report", "--simulations", "simulations", "--group", "group", "--out", "page.html")
    with open(os.path.join(folder, "page.html"), encoding="utf-8") as file:
        page = file.read()
    answer = group["verdict"]
    print("%s: %s (accuracy %.2f)" % (os.path.basename(folder), answer["sentence"], group["accuracy"]["mean"]))
    withheld = answer["verdict"] == "does not explain"
    expect(('"withheld":true' in page.replace(" ", "")) == withheld, "maps to be withheld where nothing is explained")
    return answer


def main(work):
    run(work, "cohort", "--kind", "spheres", "--subjects", str(2 * SUBJECTS), "--out", "spheres")
    with open(os.path.join(work, "spheres", "participants.tsv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    where = {row["participant_id"]: os.path.join(work, "spheres", row["image"]) for row in rows}
    names = {group: [r["participant_id"] for r in rows if r["group"] == group] for group in ("control", "patient")}
    chosen = names["control"][:SUBJECTS] + names["patient"][:SUBJECTS]
    lot = np.random.default_rng(5).permutation(2 * SUBJECTS) < SUBJECTS
    folders = {name: os.path.join(work, name) for name in ("size", "lot", "darker")}
    for folder in folders.values():
        os.mkdir(folder)

    table_of(folders["size"], [(n, g, where[n]) for g in names for n in names[g][:SUBJECTS]])
    table_of(folders["lot"], [(n, "patient" if p else "control", where[n]) for n, p in zip(chosen, lot)])
    darker, random = [], np.random.default_rng(6)
    for index, name in enumerate(names["control"]):  # all of one shape; every second one is darker on one side
        image = nibabel.load(where[name])
        data = np.asarray(image.dataobj, "f4").copy()
        if index % 2:
            data[: data.shape[0] // 2] *= 1 - random.uniform(0.15, 0.35)
        file = os.path.join(folders["darker"], name + ".nii.gz")
        nibabel.save(nibabel.Nifti1Image(data, image.affine), file)
        darker.append((name, "patient" if index % 2 else "control", file))
    table_of(folders["darker"], darker)

    size = verdict(folders["size"])
    expect(not size["sentence"].startswith("Warping does not explain"), "shape to be seen: " + size["sentence"])
    by_lot = verdict(folders["lot"])
    expect(by_lot["verdict"] == "does not explain" and "no better than chance" in by_lot["sentence"],
           "groups by lot to be no finding: " + by_lot["sentence"])
    dark = verdict(folders["darker"])
    expect(dark["verdict"] == "does not explain" and "no shape" in dark["sentence"],
           "brightness to be no shape: " + dark["sentence"])


with tempfile.TemporaryDirectory() as temporary:
    main(temporary)
