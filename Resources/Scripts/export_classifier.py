#!/usr/bin/env python3
"""A PyTorch or MONAI classifier as one ONNX file that counterwarp reads, with a printed check of equal outputs.

    export_classifier.py --network monai.networks.nets:DenseNet121 \\
        --arguments '{"spatial_dims": 3, "in_channels": 1, "out_channels": 2}' --weights best.pt --size 96 96 96 \\
        --spacing 2 --orientation RAS --normalization zscore --output 1 --out classifier.onnx

--network names a class or function, module:name or file.py:name, that gives the network when it is called with the
arguments.  --weights is a state_dict, or a checkpoint that holds one; a leading "module." (DataParallel) is taken off.
With --spacing, --orientation and --normalization the file carries its manifest and needs no `counterwarp model import`.
Needs torch, onnx and onnxruntime, and for MONAI's networks monai.  Only load weights from people you trust.
"""
import argparse
import importlib
import importlib.util
import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
import torch

TOLERANCE = 1e-4  # of the largest output


def find(name):
    module, _, attribute = name.partition(":")
    if not attribute:
        sys.exit(f"--network {name}: expected module:name or file.py:name")
    if module.endswith(".py"):
        spec = importlib.util.spec_from_file_location(pathlib.Path(module).stem, module)
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
    else:
        loaded = importlib.import_module(module)
    return getattr(loaded, attribute)


def mend_monai():
    """MONAI's shortcut A copies its input by `.data`: exporters store that as a constant, and the file would be wrong."""
    try:
        from monai.networks.nets import resnet
    except ImportError:
        return

    def shortcut(self, x, planes, stride, spatial_dims=3):
        pool = (torch.nn.functional.avg_pool1d, torch.nn.functional.avg_pool2d, torch.nn.functional.avg_pool3d)
        y = pool[spatial_dims - 1](x, 1, stride)
        return torch.cat([y, y.new_zeros(y.shape[0], planes - y.shape[1], *y.shape[2:])], 1)
    resnet.ResNet._downsample_basic_block = shortcut


def load(network, path):
    state = torch.load(path, map_location="cpu", weights_only=True)
    names = ("state_dict", "model_state_dict", "model", "network", "net")
    while inner := [key for key in names if isinstance(state.get(key), dict)]:
        state = state[inner[0]]
    while state and all(key.startswith("module.") for key in state):
        state = {key[len("module."):]: value for key, value in state.items()}
    network.load_state_dict(state)


class First(torch.nn.Module):
    """The first output of networks that give several."""
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        out = self.network(image)
        return out[0] if isinstance(out, (tuple, list)) else out


def metadata(options):
    """The keys that include/counterwarp/model.h calls the model's preprocessing."""
    axes = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}  # LPS
    spacing = options.spacing * 3 if len(options.spacing) == 1 else options.spacing
    affine = np.zeros((3, 4))
    affine[:, 3] = [-options.center[0], -options.center[1], options.center[2]]
    for t, letter in enumerate(options.orientation):  # D, H, W: the last is the first index of the grid
        axis, sign = axes[letter]
        affine[axis, 2 - t] = sign * spacing[t]
        affine[axis, 3] -= sign * spacing[t] * (options.size[t] - 1) / 2
    keys = {"counterwarp.kind": "classifier",
            "counterwarp.grid_size": " ".join(str(n) for n in reversed(options.size)),
            "counterwarp.grid_to_lps_mm": " ".join(repr(float(v)) for v in affine.ravel()),
            "counterwarp.normalization": options.normalization}
    return keys | ({"counterwarp.output": options.output} if options.output else {})


def check(options, network, images):
    """Largest difference of the file's outputs from PyTorch's, relative to the largest output."""
    session = onnxruntime.InferenceSession(options.out, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in (images[:1], images):
        with torch.no_grad():
            expected = network(batch).numpy()
        found = session.run(None, {"image": batch.numpy()})[0]
        worst = max(worst, float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12)))
    return worst, expected


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", required=True)
    parser.add_argument("--arguments", type=json.loads, default={}, help="JSON object")
    parser.add_argument("--weights")
    parser.add_argument("--size", type=int, nargs=3, required=True, help="D H W of the input")
    parser.add_argument("--out", required=True)
    parser.add_argument("--opset", type=int, default=17)
    parser.add_argument("--spacing", type=float, nargs="+", help="mm along D, H, W, or one for all")
    parser.add_argument("--orientation", help="where D, H, W point to, such as RAS")
    parser.add_argument("--normalization", help='none, minmax, zscore, "zscore all", "percentile P", "range LOW HIGH"')
    parser.add_argument("--center", type=float, nargs=3, default=[0, 0, 0], help="world point in the middle (RAS, mm)")
    parser.add_argument("--output", help='the patients\' class: "1", "1 against 0", "3 alone"')
    options = parser.parse_args()
    manifest = [options.spacing, options.orientation, options.normalization]
    if any(manifest) and not all(manifest):
        parser.error("a manifest needs --spacing, --orientation and --normalization")
    if options.orientation and sorted("RPI".find(c) % 3 if c in "RPI" else "LAS".find(c) for c in options.orientation
                                      ) != [0, 1, 2]:
        parser.error("--orientation: expected one letter of R L, one of A P and one of S I")
    mend_monai()
    network = find(options.network)(**options.arguments)
    if options.weights:
        load(network, options.weights)
    network = First(network).eval()
    torch.manual_seed(0)
    images = torch.rand(2, 1, *options.size)
    with torch.no_grad():
        torch.onnx.export(network, (images,), options.out, dynamo=False, opset_version=options.opset,
                          input_names=["image"], output_names=["output"],
                          dynamic_axes={"image": {0: "N"}, "output": {0: "N"}})
    if all(manifest):
        model = onnx.load(options.out)
        onnx.helper.set_model_props(model, metadata(options))
        onnx.save(model, options.out)
    worst, outputs = check(options, network, images)
    print(f"{options.out}: outputs {np.array2string(outputs[0], precision=5, threshold=8)} of a random image; the file's "
          f"differ from PyTorch's by {worst:.1e} of the largest")
    if not worst <= TOLERANCE:
        sys.exit(f"The exported file gives other outputs than the network (allowed: {TOLERANCE:.0e}).")


if __name__ == "__main__":
    main()
