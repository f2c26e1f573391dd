"""Classifiers that labs use, in PyTorch and onnxruntime, beside bench_import: same names and units,
"peer <tab> name <tab> figure <tab> unit".  Random weights.

    python peer_families.py export FAMILY FILE        # for bench_import and onnxruntime; prints bench_import's arguments
    python peer_families.py pytorch|onnxruntime forward|gradient FAMILY FILE

Needs torch and monai.  One process a figure, since peaks of memory do not fall.
"""
import os
import pathlib
import sys
import time

import numpy as np

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Formats"))
NAMES = {"densenet121": "DenseNet121, 96^3", "resnet50b": "ResNet50, 64^3", "sfcn": "SFCN, 160 x 192 x 160"}


def shortest(work, budget=4):
    best, spent, runs = 1e30, 0.0, 0
    work()
    while runs < 5 or (spent < budget and runs < 1000):
        start = time.perf_counter()
        work()
        taken = time.perf_counter() - start
        best, spent, runs = min(best, taken), spent + taken, runs + 1
    return 1e3 * best


def memory(key):
    """VmRSS, resident now, or VmHWM, the most since the last reset, in MiB."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024


def report(peer, name, work):
    before = memory("VmRSS")
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # loading took memory too, which is given back by now
    except OSError:
        pass
    milliseconds = shortest(work)
    for what, figure, unit in (("", milliseconds, "ms"),
                               (", memory above the network", memory("VmHWM") - before, "MiB")):
        print(f"{peer}\t{name}{what}\t{figure:.4g}\t{unit}", flush=True)


def run_onnxruntime(family, file):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape[1:]
    images = {"image": np.random.default_rng(3).random((1, *shape), dtype="f4")}
    report(f"onnxruntime {onnxruntime.__version__}", f"{NAMES[family]}, forward", lambda: session.run(None, images))


def run_pytorch(family, gradient):
    import torch
    import families
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    make, shape, choice = families.families(False)[family]
    torch.manual_seed(0)
    net = families.logits_network(make()).eval().requires_grad_(False)
    image = torch.rand(1, 1, *shape, requires_grad=gradient)

    def work():
        image.grad = None
        logit = families.logit_of(families.forward_logits(family, net, image), choice)
        if gradient:
            logit.sum().backward()
    tuned = ", malloc tuned" if os.environ.get("MALLOC_MMAP_MAX_") == "0" else ""
    what = "forward and input gradient" if gradient else "forward"
    report(f"PyTorch {torch.__version__.split('+')[0]}{tuned}", f"{NAMES[family]}, {what}", work)


def export(family, file):
    import torch
    import families
    make, shape, choice = families.families(False)[family]
    torch.manual_seed(0)
    net = make().eval()
    families.export(families.Whole(net).eval(), torch.rand(1, 1, *shape), file, False)
    print(NAMES[family], file, choice or "1", *shape, sep="\t")


def main():
    if sys.argv[1] == "export":
        export(*sys.argv[2:])
    elif sys.argv[1] == "onnxruntime":
        run_onnxruntime(*sys.argv[3:])
    else:
        run_pytorch(sys.argv[3], sys.argv[2] == "gradient")


if __name__ == "__main__":
    main()
