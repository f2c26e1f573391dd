"""Files of the library in onnxruntime: the checker accepts them, and every output agrees with the library's own to
1e-5 of its largest value.  Among them simulators for an imported classifier of each family, without the warped image
and with it: 1e-4 for logits, which are differences of outputs there, and for images, which are noise warped far.

usage: onnx_onnxruntime.py PROGRAM FAMILIES: PROGRAM (write_samples.cxx) writes the models, FAMILIES holds index.tsv."""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

TOLERANCE, IMPORTED = 1e-5, 1e-4


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
    bad = []
    for name, theirs in zip(names, session.run(names, inputs)):
        ours = np.fromfile(f"{stem}.{name}.f32", "<f4").reshape(theirs.shape)
        largest = np.abs(theirs).max()
        assert np.isfinite(theirs).all() and largest > 0, f"{path.name}: {name} says nothing"
        error = np.abs(ours.astype("f8") - theirs).max() / largest
        print(f"{path.name} {name} {theirs.shape}: largest {largest:.4g}, relative difference {error:.2e}")
        if not error <= (IMPORTED if "imported-" in stem and name in ("logit", "warped") else TOLERANCE):
            bad.append(f"{path.name}: {name} by {error:.2e}")
    return bad


def main():
    families = (pathlib.Path(sys.argv[2]) / "index.tsv").read_text().splitlines()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder, sys.argv[2]], check=True)
        bad = [compare(path) for path in sorted(pathlib.Path(folder).glob("*.onnx"))]
    assert len(bad) == 8 + 2 * len(families) > 8, len(bad)
    if any(bad):
        sys.exit("onnxruntime differs: " + "; ".join(sum(bad, [])))


if __name__ == "__main__":
    main()
