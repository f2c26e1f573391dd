#!/usr/bin/env python3
"""A simulator for a classifier from elsewhere, end to end: a small MONAI DenseNet is trained by PyTorch on a cohort
(`counterwarp cohort --kind brains --subjects 400 --effect Hippocampus:30..50`), exported by
Resources/Scripts/export_classifier.py, imported, explained by a simulator, and the simulator applied to scans that
neither has seen.  Prints the classifier's held-out balanced accuracy by PyTorch and by this library, the largest
difference of their logits, and the shares of scans moved and flipped.

usage: imported_classifier.py --program COUNTERWARP --cohort FOLDER --out FOLDER [--epochs 20] [--steps 150]
                              [--threads 1]
needs torch, monai, onnx, onnxruntime, nibabel.  What is in --out already is not made again.  Exit status 1 unless the
classifier reaches 0.85 and at least 95 % of the held-out scans move the right way.
"""
import argparse
import csv
import json
import pathlib
import subprocess
import sys

import nibabel
import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve()


def densenet():
    """MONAI's, for 32^3 voxels of 3 mm: a stem without stride and a head that knows where, since a hippocampus is five
    voxels wide."""
    import monai
    network = monai.networks.nets.DenseNet(3, 1, 2, init_features=8, growth_rate=8, block_config=(3, 3, 3), bn_size=2)
    network.features.conv0 = torch.nn.Conv3d(1, 8, 3, padding=1, bias=False)
    network.class_layers.pool = torch.nn.AvgPool3d(1)
    network.class_layers.out = torch.nn.Linear(network.class_layers.out.in_features * 4**3, 2)
    return network


def read(folder):
    """Participants, labels and scans [N,1,D,H,W] of the table, as MONAI loads them: axes as stored."""
    with open(folder / "participants.tsv", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    scans = np.stack([np.asarray(nibabel.load(folder / row["image"]).dataobj, "f4") for row in rows])
    labels = np.array([row["group"] == "patient" for row in rows], int)
    return [row["participant_id"] for row in rows], labels, scans[:, None]


def zscore(x):
    """NormalizeIntensity(nonzero=True) of a scan."""
    inside = x > 0
    x = x.copy()
    x[inside] = (x[inside] - x[inside].mean()) / x[inside].std()
    return x


def divide(labels, seed):
    """A fifth of each group is held out."""
    held_out = np.zeros(len(labels), bool)
    for group in (0, 1):
        rows = np.random.default_rng(seed).permutation(np.flatnonzero(labels == group))
        held_out[rows[: len(rows) // 5]] = True
    return held_out


def logits(network, x):
    network.eval()
    with torch.no_grad():
        z = torch.cat([network(part) for part in torch.from_numpy(x).split(16)])
    return (z[:, 1] - z[:, 0]).numpy()


def balanced_accuracy(logit, labels):
    return float(np.mean([np.mean((logit[labels == g] > 0) == g) for g in (0, 1)]))


def augment(image):
    """Mirrored left to right (the first axis) or not, shifted by a voxel at most, another gain, noise.  Without the last
    three it learns the scans by heart (0.92 of those it trains on, 0.74 of others)."""
    if torch.rand(()) < 0.5:
        image = image.flip(1)
    image = torch.roll(image, [int(s) for s in torch.randint(-1, 2, (3,))], (1, 2, 3))
    return image * (1 + 0.1 * torch.randn(())) + 0.1 * torch.randn(image.shape)


def train(x, y, epochs, seed):
    """AdamW with one cycle of the rate, scans augmented."""
    torch.manual_seed(seed)
    network = densenet()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    batch, images, labels = 16, torch.from_numpy(x), torch.from_numpy(y)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, epochs * (len(y) // batch))
    for epoch in range(epochs):
        network.train()
        total = 0.0
        for rows in torch.randperm(len(y))[: len(y) // batch * batch].split(batch):
            part = torch.stack([augment(image) for image in images[rows]])
            loss = torch.nn.functional.cross_entropy(network(part), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch + 1} of {epochs}: loss {total / len(y):.3f}", file=sys.stderr, flush=True)
    return network


def run(*words):
    subprocess.run([str(word) for word in words], check=True)


def shares(simulations, direction):
    """Of held-out scans: moved the right way, over the boundary."""
    records = [json.loads(file.read_text()) for file in sorted(simulations.rglob(f"*{direction}*.json"))]
    records = [r for r in records if r.get("direction") == direction and r.get("held_out")]
    moved, flipped = ([r[key] for r in records] for key in ("moved", "flipped"))
    return len(records), float(np.mean(moved)), float(np.mean(flipped))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--cohort", type=pathlib.Path, required=True, help="folder with participants.tsv")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    table, threads = options.cohort / "participants.tsv", ["--threads", options.threads]
    names, labels, scans = read(options.cohort)
    images, held_out = np.stack([zscore(scan) for scan in scans]), divide(labels, options.seed)
    (out / "trained-on.txt").write_text("".join(n + "\n" for n, h in zip(names, held_out) if not h))
    (out / "held-out.txt").write_text("".join(n + "\n" for n, h in zip(names, held_out) if h))

    weights = out / "weights.pt"
    if not weights.exists():
        torch.save(train(images[~held_out], labels[~held_out], options.epochs, options.seed).state_dict(), weights)
    network = densenet()
    network.load_state_dict(torch.load(weights, weights_only=True))
    theirs = logits(network, images[held_out])
    accuracy = balanced_accuracy(theirs, labels[held_out])
    print(f"classifier's balanced accuracy on {held_out.sum()} held-out scans (PyTorch): {accuracy:.3f}", flush=True)

    run(sys.executable, HERE.parents[2] / "Resources/Scripts/export_classifier.py", "--network",
        f"{HERE}:densenet", "--weights", weights, "--size",
        *images.shape[2:], "--out", out / "theirs.onnx")
    run(options.program, "model", "import", out / "theirs.onnx", "--out", out / "classifier.onnx", "--like",
        options.cohort / next(csv.DictReader(open(table), delimiter="\t"))["image"], "--orientation", "RAS",
        "--normalization", "zscore", "--output", "1", "--trained-on", out / "trained-on.txt", "--held-out",
        out / "held-out.txt")
    run(options.program, "classify", "--model", out / "classifier.onnx", "--cohort", table, "--out", out / "logits.tsv",
        *threads)
    with open(out / "logits.tsv", newline="") as file:
        ours = {row["participant_id"]: float(row["logit"]) for row in csv.DictReader(file, delimiter="\t")}
    ours = np.array([ours[name] for name, h in zip(names, held_out) if h])
    print(f"by this library: {balanced_accuracy(ours, labels[held_out]):.3f}; logits differ by at most "
          f"{np.abs(ours - theirs).max():.2g}, their spread is {theirs.std():.2g}", flush=True)

    if not (out / "simulator.onnx").exists():
        run(options.program, "train-simulator", "--cohort", table, "--classifier", out / "classifier.onnx", "--out",
            out / "simulator.onnx", "--steps", options.steps, *threads)
    passed = accuracy > 0.85
    for direction, group in (("inject", "control"), ("remove", "patient")):
        run(options.program, "simulate", "--model", out / "simulator.onnx", "--direction", direction, "--cohort", table,
            "--held-out-only", "--group", group, "--resume", "--out", out / "simulations", *threads)
        count, moved, flipped = shares(out / "simulations", direction)
        print(f"{direction}: {count} held-out scans, {moved:.3f} moved the right way, {flipped:.3f} over the boundary",
              flush=True)
        passed = passed and moved >= 0.95
    sys.exit(0 if passed else "The classifier is below 0.85 or less than 95 % of the scans moved the right way.")


if __name__ == "__main__":
    main()
