"""Resources/Scripts/export_classifier.py on a small network: weights from a state_dict, with "module." and inside a
checkpoint are all loaded; the file's outputs are the network's in onnxruntime, its logit in this library; the manifest
says where the tensor's axes lie; what does not fit is refused.

usage: export.py EXPORT_CLASSIFIER RUN_IMPORT [COUNTERWARP]
needs numpy, onnx, onnxruntime, torch.
"""
import contextlib
import importlib.util
import io
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch

SIZE = (6, 7, 8)  # D, H, W
NETWORK = '''
import torch

class Small(torch.nn.Module):
    """Gives its features, too, as some networks do."""
    def __init__(self, width, classes=2):
        super().__init__()
        self.features = torch.nn.Sequential(torch.nn.Conv3d(1, width, 3), torch.nn.BatchNorm3d(width), torch.nn.ReLU())
        self.head = torch.nn.Linear(width, classes)

    def forward(self, x):
        y = self.features(x)
        return self.head(y.mean((2, 3, 4))), y
'''


class Exporter:
    def __init__(self, script, folder):
        spec = importlib.util.spec_from_file_location("export_classifier", script)
        self.script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.script)
        self.folder = pathlib.Path(folder)
        self.source = self.folder / "small.py"
        self.source.write_text(NETWORK)
        self.out = self.folder / "out.onnx"
        torch.manual_seed(5)
        self.network = self.script.find(f"{self.source}:Small")(width=3)
        for module in self.network.modules():  # nothing as it is by default
            if isinstance(module, torch.nn.BatchNorm3d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2)
        self.network.eval()

    def __call__(self, *more, weights=None, arguments='{"width": 3}'):
        """What the script prints, or the text or number that it ends with."""
        sys.argv = ["export_classifier.py", "--network", f"{self.source}:Small", "--arguments", arguments, "--size",
                    *map(str, SIZE), "--out", str(self.out), *more]
        if weights is not None:
            torch.save(weights, self.folder / "weights.pt")
            sys.argv += ["--weights", str(self.folder / "weights.pt")]
        self.out.unlink(missing_ok=True)
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
                self.script.main()
        except SystemExit as end:
            return end.code
        return printed.getvalue()


def check_weights(exporter, program):
    state = exporter.network.state_dict()
    prefixed = {f"module.{key}": value for key, value in state.items()}
    images = np.random.default_rng(1).standard_normal((3, 1, *SIZE)).astype("f4")
    with torch.no_grad():
        expected = exporter.network(torch.from_numpy(images))[0].numpy()
    images.tofile(exporter.folder / "images")
    checkpoints = {"a state_dict": state, "module.": prefixed, "a checkpoint": {"state_dict": prefixed, "epoch": 3},
                   "a nested checkpoint": {"network": {"model_state_dict": state}, "epoch": 3}}
    for name, weights in checkpoints.items():
        printed = exporter(weights=weights)
        assert isinstance(printed, str) and "differ from PyTorch's by" in printed, (name, printed)
        found = onnxruntime.InferenceSession(str(exporter.out), providers=["CPUExecutionProvider"]).run(
            None, {"image": images})[0]
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max(), (name, found, expected)
        subprocess.run([program, exporter.out, "1 against 0", *map(str, SIZE), "3", exporter.folder / "images",
                        exporter.folder / "ours"], check=True, stdout=subprocess.DEVNULL)
        logit = np.fromfile(exporter.folder / "ours.logit.f32", "<f4")
        assert np.abs(logit - (expected[:, 1] - expected[:, 0])).max() <= 1e-5 * np.abs(expected).max(), name
        print(f"{name}: {printed.strip().rsplit(';')[-1].strip()}")


def manifest_of(path):
    return {p.key: p.value for p in onnx.load(path).metadata_props}


def check_manifest(exporter, program=None):
    # Steps of one voxel along D, H, W in LPS mm: R, A are against L, P.
    cases = {"RAS": [(-2, 0, 0), (0, -1, 0), (0, 0, 3)], "SLP": [(0, 0, 2), (1, 0, 0), (0, 3, 0)]}
    for orientation, steps in cases.items():
        printed = exporter("--spacing", "2", "1", "3", "--orientation", orientation, "--normalization", "zscore all",
                           "--center", "5", "-6", "7", "--output", "1 against 0", weights=exporter.network.state_dict())
        assert isinstance(printed, str), printed
        keys = manifest_of(exporter.out)
        affine = np.array(keys.pop("counterwarp.grid_to_lps_mm").split(), "f8").reshape(3, 4)
        assert keys == {"counterwarp.kind": "classifier", "counterwarp.grid_size": "8 7 6",
                        "counterwarp.normalization": "zscore all", "counterwarp.output": "1 against 0"}, keys
        np.testing.assert_allclose(affine[:, [2, 1, 0]].T, steps, atol=1e-12)  # columns are W, H, D
        middle = affine @ [(SIZE[2] - 1) / 2, (SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2, 1]
        np.testing.assert_allclose(middle, [-5, 6, 7], atol=1e-12)  # RAS to LPS
        if program:  # no import is needed
            told = subprocess.run([program, "model", "check", exporter.out], check=True, stdout=subprocess.PIPE,
                                  text=True)
            assert "zscore all" in told.stdout and "1 against 0" in told.stdout, told.stdout
    exporter(weights=exporter.network.state_dict())
    assert not manifest_of(exporter.out)
    print("manifest: as asked for")


def check_refusals(exporter):
    state = exporter.network.state_dict()
    twice = ["--spacing", "2", "--orientation", "RLS", "--normalization", "none"]
    for words, more in (("a part of a manifest", ["--spacing", "2"]), ("an axis twice", twice)):
        assert exporter(*more, weights=state) == 2 and not exporter.out.exists(), words
    try:
        ended = exporter(weights={key: value for key, value in state.items() if key != "head.bias"})
    except RuntimeError as error:
        ended = str(error)
    assert "head.bias" in str(ended) and not exporter.out.exists(), ended
    print("refused: what does not fit")


def main():
    script, run_import, *programs = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        exporter = Exporter(script, folder)
        check_weights(exporter, run_import)
        check_manifest(exporter, *programs)
        check_refusals(exporter)


if __name__ == "__main__":
    main()
