"""Files of the library in onnxruntime: the checker accepts them, and every output agrees with the library's own to
1e-5 of its largest value.  usage: onnx_onnxruntime.py PROGRAM, which writes the models (write_samples.cxx)."""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-5


def load(path, shape):
    return np.fromfile(path, "<f4").reshape([-1 if isinstance(n, str) else n for n in shape])


def compare(path):
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path))
    image = path.name.startswith("image-")
    assert (model.ir_version, model.opset_import[0].version) == ((9, 20) if image else (8, 17))
    assert {p.key for p in model.metadata_props} >= {"counterwarp.kind", "counterwarp.grid_size"}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    stem = str(path)[: -len(".onnx")]
    inputs = {i.name: load(f"{stem}.{i.name}.f32", i.shape) for i in session.get_inputs()}
    names = [o.name for o in session.get_outputs()]
    assert ("warped" in names) == image
    worst = 0
    for name, theirs in zip(names, session.run(names, inputs)):
        ours = np.fromfile(f"{stem}.{name}.f32", "<f4").reshape(theirs.shape)
        largest = np.abs(theirs).max()
        assert np.isfinite(theirs).all() and largest > 0, f"{path.name}: {name} says nothing"
        error = np.abs(ours.astype("f8") - theirs).max() / largest
        print(f"{path.name} {name} {theirs.shape}: largest {largest:.4g}, relative difference {error:.2e}")
        worst = max(worst, error)
    return worst


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        worst = [compare(path) for path in sorted(pathlib.Path(folder).glob("*.onnx"))]
    assert len(worst) == 8, worst
    if not max(worst) <= TOLERANCE:
        sys.exit(f"onnxruntime differs by {max(worst):.2e}, allowed are {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
