"""Runs the command-line modules as 3D Slicer does: slicer_modules.py SAMPLES COUNTERWARP FOLDER_OF_MODULES

Command lines are put together from the modules' own XML, in the order of vtkSlicerCLIModuleLogic (flags, then indexed
parameters), so that description and program cannot differ.
"""
import array
import gzip
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as tree

from checks import check, failures

samples, counterwarp, modules = sys.argv[1:]
# Parameters and their parts that Slicer's parser knows (ModuleDescriptionParser.cxx).
KINDS = {"integer", "boolean", "float", "double", "string", "string-enumeration", "file", "directory", "image",
         "transform"}
PARTS = {"name", "flag", "longflag", "label", "description", "default", "channel", "index", "constraints", "element"}
HEAD = ["category", "title", "description", "version", "documentation-url", "license", "contributor"]


def describe(module):
    done = subprocess.run([f"{modules}/{module}", "--xml"], capture_output=True, check=True)
    check(done.stdout.startswith(b"<?xml") and not done.stderr, f"{module} --xml prints the description and no more")
    root = tree.fromstring(done.stdout)
    check(root.tag == "executable" and [e.tag for e in root if e.tag != "parameters"] == HEAD, f"{module}: head")
    parameters = {}
    for group in root.iter("parameters"):
        for parameter in group:
            if parameter.tag in ("label", "description"):
                continue
            parts = {e.tag: (e.text or "") for e in parameter}
            name = parts.get("name", "")
            fine = (parameter.tag in KINDS and set(parts) <= PARTS and parts.get("label") and parts.get("description")
                    and re.fullmatch(r"[A-Za-z]\w*", name) and ("longflag" in parts) != ("index" in parts))
            if parameter.tag in ("image", "transform", "file", "directory"):
                fine = fine and parts.get("channel") in ("input", "output")
            if parameter.tag in ("image", "transform"):
                fine = fine and parameter.get("fileExtensions") == (".nii.gz" if parameter.tag == "image" else ".nrrd")
            if parameter.tag == "string-enumeration":
                fine = fine and parts["default"] in [e.text for e in parameter.findall("element")]
            if not fine:
                check(False, f"{module}: parameter {name}")
            parameters[name] = (parameter.tag, parts)
    return parameters


def command(module, parameters, values):
    line, indexed = [f"{modules}/{module}"], []
    for name, (kind, parts) in parameters.items():
        value = values.get(name, parts.get("default", ""))
        if "index" in parts:
            indexed.append((int(parts["index"]), str(value)))
        elif kind == "boolean":
            line += [parts["longflag"]] if value in (True, "true") else []
        elif value != "":
            line += [parts["longflag"], str(value)]
    return line + [value for _, value in sorted(indexed)]


def run(line):
    return subprocess.run(line, capture_output=True, text=True)


def read_nrrd(file):
    """Numbers x, y, z, x, .. and the columns of the grid's affine."""
    head, _, data = file.read_bytes().partition(b"\n\n")
    header = dict(line.split(": ", 1) for line in head.decode().splitlines()[2:])
    columns = re.findall(r"\(([^)]*)\)", header["space directions"] + header["space origin"])
    return array.array("f", data), [[float(n) for n in c.split(",")] for c in columns], header["space"]


def read_nifti_field(file):
    """The same of a NIfTI file of intent 1006, as LPS."""
    data = gzip.decompress(file.read_bytes())
    rows = [struct.unpack_from("<4f", data, 280 + 16 * r) for r in range(3)]
    numbers = array.array("f", data[352:])
    count = len(numbers) // 3
    signs = (-1, -1, 1)
    mixed = array.array("f", bytes(4 * len(numbers)))
    for c in range(3):
        mixed[c::3] = array.array("f", (signs[c] * n for n in numbers[c * count:(c + 1) * count]))
    return mixed, [[signs[r] * rows[r][c] for r in range(3)] for c in range(4)], struct.unpack_from("<h", data, 68)[0]


def check_progress(output, what):
    numbers = [float(n) for n in re.findall(r"<filter-progress>([^<]*)</filter-progress>", output)]
    check(bool(numbers) and all(0 <= n <= 1 for n in numbers) and "<filter-start>" in output and
          max(numbers) == 1 and "<filter-end>" in output, f"{what}: progress as Slicer reads it")
    rest = re.sub(r"<filter-(start|end)>.*?</filter-\1>\s*|<filter-progress>[^<]*</filter-progress>\s*", "", output,
                  flags=re.S)
    check(rest == "", f"{what}: nothing else on standard output {rest[:80]!r}")


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    subprocess.run([samples, name], check=True, stdout=subprocess.DEVNULL)

    simulate = describe("CounterwarpSimulate")
    values = {"input": folder / "scan.nii.gz", "output": folder / "out.nii.gz", "field": folder / "out field.nrrd",
              "jacobian": folder / "out_j.nii.gz", "model": folder / "model.onnx", "direction": "remove",
              "strength": "0.7"}
    done = run(command("CounterwarpSimulate", simulate, values))
    check(done.returncode == 0, f"CounterwarpSimulate runs {done.stderr.strip()}")
    check_progress(done.stdout, "CounterwarpSimulate")
    subprocess.run([counterwarp, "simulate", "--quiet", "--model", folder / "model.onnx", "--direction", "remove",
                    "--strength", "0.7", "--out", folder / "same", folder / "scan.nii.gz"], check=True)
    for module_file, program_file in (("out.nii.gz", "image"), ("out_j.nii.gz", "jacobian")):
        same = folder / "same" / f"scan_desc-remove_{program_file}.nii.gz"
        check((folder / module_file).read_bytes() == same.read_bytes(), f"{module_file}: as counterwarp simulate")
    ours, columns, space = read_nrrd(folder / "out field.nrrd")
    theirs, same_columns, intent = read_nifti_field(folder / "same" / "scan_desc-remove_field.nii.gz")
    check(space == "left-posterior-superior" and intent == 1006 and ours == theirs,
          "out field.nrrd: the field of counterwarp simulate")
    check(all(abs(a - b) < 1e-4 for c, d in zip(columns, same_columns) for a, b in zip(c, d)),
          "out field.nrrd: its grid")
    check(not list(folder.glob("*.part*")), "no folder is left")
    # Somebody's own, of a name that such a folder might have; and an output on another file system.
    (folder / "again.nii.gz.part").mkdir()
    (folder / "again.nii.gz.part" / "kept").write_text("kept")
    elsewhere = pathlib.Path("/dev/shm")
    away = elsewhere.is_dir() and elsewhere.stat().st_dev != folder.stat().st_dev
    with tempfile.TemporaryDirectory(dir=elsewhere if away else folder) as other:
        field = pathlib.Path(other) / "field.nrrd"
        done = run(command("CounterwarpSimulate", simulate, {**values, "output": folder / "again.nii.gz",
                                                             "field": field}))
        check(done.returncode == 0 and field.exists() and field.read_bytes() == (folder / "out field.nrrd").read_bytes(),
              f"an output on {'another' if away else 'the same'} file system {done.stderr.strip()}")
        check([f.name for f in field.parent.iterdir()] == ["field.nrrd"], "nothing else is left there")
    check((folder / "again.nii.gz.part" / "kept").exists(), "a folder that was there stays as it was")

    done = run(command("CounterwarpSimulate", simulate, {**values, "model": folder / "absent.onnx",
                                                         "output": folder / "none.nii.gz"}))
    check(done.returncode != 0 and "absent.onnx" in done.stderr, f"a missing model is named: {done.stderr.strip()}")
    check(not list(folder.glob("none*")), "nothing is left of a failure")
    done = run(command("CounterwarpSimulate", simulate, {**values, "direction": "sideways"}))
    check(done.returncode == 2 and done.stderr, "a wrong direction is refused")

    # Slicer cancels by killing: what that leaves goes with the next run for the same output, and nobody else's does.
    dead = subprocess.Popen(["true"])
    dead.wait()
    left, others = (folder / f"killed.nii.gz.part-{pid}-aBcD12" for pid in (dead.pid, os.getpid()))
    for part in (left, others):
        part.mkdir()
        (part / "field.nii.gz").write_bytes(b"half")
    done = run(command("CounterwarpSimulate", simulate, {**values, "output": folder / "killed.nii.gz"}))
    check(done.returncode == 0 and not left.exists() and others.exists(), "what a killed run left is gone")
    shutil.rmtree(others)

    # ITK refuses images whose axes are not at right angles.
    check("right angles" not in done.stderr, "a scan without shear is not warned of")
    header = bytearray(gzip.decompress((folder / "scan.nii.gz").read_bytes()))
    struct.pack_into("<h", header, 252, 0)
    struct.pack_into("<f", header, 284, struct.unpack_from("<f", header, 284)[0] + 0.3)
    (folder / "sheared.nii.gz").write_bytes(gzip.compress(header))
    done = run(command("CounterwarpSimulate", simulate, {**values, "input": folder / "sheared.nii.gz",
                                                         "output": folder / "of sheared.nii.gz"}))
    check(done.returncode == 0 and "sheared.nii.gz" in done.stderr and "right angles" in done.stderr,
          f"a sheared scan is warned of {done.stderr.strip()}")

    train = describe("CounterwarpTrain")
    subprocess.run([counterwarp, "cohort", "--quiet", "--kind", "spheres", "--subjects", "8", "--size", "32", "--out",
                    folder / "cohort"], check=True)
    values = {"cohort": folder / "cohort" / "participants.tsv", "out": folder / "classifier.onnx", "steps": 40}
    done = run(command("CounterwarpTrain", train, values))
    check(done.returncode == 0 and (folder / "classifier.onnx").exists(), f"CounterwarpTrain {done.stderr.strip()}")
    check_progress(done.stdout, "CounterwarpTrain")
    done = run(command("CounterwarpTrain", train, {**values, "network": "simulator", "out": folder / "s.onnx"}))
    check(done.returncode != 0 and "classifier" in done.stderr, "a simulator asks for its classifier")
    simulator = {**values, "network": "simulator", "steps": 3, "classifier": folder / "classifier.onnx",
                 "out": folder / "s.onnx"}
    done = run(command("CounterwarpTrain", train, simulator))
    check(done.returncode == 0 and (folder / "s.onnx").exists(), f"CounterwarpTrain: a simulator {done.stderr.strip()}")
    check_progress(done.stdout, "CounterwarpTrain: a simulator")
    long = command("CounterwarpTrain", train, {**values, "steps": 100000, "out": folder / "cancelled.onnx"})
    with subprocess.Popen(long, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        check(process.returncode == 128 + signal.SIGTERM, f"cancelling ends it ({process.returncode})")
    check(not (folder / "cancelled.onnx").exists(), "no model of a cancelled training")

    saliency = describe("CounterwarpSaliency")
    scan = next((folder / "cohort").glob("*/*T1w.nii.gz"), None) or next((folder / "cohort").glob("*/*.nii.gz"))
    left = folder / "gradient.nii.gz.part"  # of a run that was killed
    left.mkdir()
    (left / "a_desc-other_saliency.nii.gz").write_bytes(b"of another method")
    for method in ("gradient", "gradcam"):
        done = run(command("CounterwarpSaliency", saliency, {"input": scan, "output": folder / f"{method}.nii.gz",
                                                             "model": folder / "classifier.onnx", "method": method}))
        check(done.returncode == 0 and (folder / f"{method}.nii.gz").exists(),
              f"CounterwarpSaliency {method} {done.stderr.strip()}")
    check((folder / "gradient.nii.gz").read_bytes() != b"of another method", "the map is this run's")
    check((folder / "gradient.nii.gz").read_bytes() != (folder / "gradcam.nii.gz").read_bytes(), "methods differ")
    check_progress(done.stdout, "CounterwarpSaliency")
    check(not list(folder.glob("*.part-*")), "no folder is left of a map")

    group = describe("CounterwarpGroup")
    done = run(command("CounterwarpGroup", group, {"simulations": folder / "cohort", "out": folder / "group"}))
    check(done.returncode == 1 and "holds" in done.stderr, f"an unfit folder is explained: {done.stderr.strip()}")
    subprocess.run([counterwarp, "simulate", "--quiet", "--model", folder / "s.onnx", "--direction", "inject", "--cohort",
                    folder / "cohort" / "participants.tsv", "--held-out-only", "--out", folder / "injected"], check=True)
    done = run(command("CounterwarpGroup", group, {"simulations": folder / "injected", "out": folder / "group",
                                                   "cohort": folder / "cohort" / "participants.tsv"}))
    written = sorted(f.name for f in (folder / "group").glob("*"))
    check(done.returncode == 0 and {"group.json", "scans.tsv"} <= set(written),  # maps: where they explain something
          f"CounterwarpGroup {done.stderr.strip()} {written}")
    check_progress(done.stdout, "CounterwarpGroup")

sys.exit(1 if failures else 0)
