"""NIfTI files exchanged with nibabel, both ways: nifti_nibabel.py PATH_OF_nifti_convert."""
import itertools
import os
import subprocess
import sys
import tempfile

import nibabel
import numpy as np

CONVERT = sys.argv[1]
RANDOM = np.random.default_rng(1)
TURN = np.diag([-1.0, -1.0, 1.0])  # LPS <-> RAS


def convert(*arguments):
    run = subprocess.run([CONVERT, *arguments], stderr=subprocess.PIPE, text=True)
    assert run.returncode == 0, run.stderr
    return run.stderr


def rotation():
    q, _ = np.linalg.qr(RANDOM.normal(size=(3, 3)))
    return q


def affine(shear):
    result = np.eye(4)
    result[:3, :3] = rotation() @ np.diag([0.9, 1.7, 3.1])
    if shear:
        result[:3, :3] += 0.2 * RANDOM.normal(size=(3, 3))
    result[:3, 3] = [-90.5, 126, -72]
    return result


def image(folder, kind, order, shear, form, extension):
    """nibabel writes, we read and write, nibabel reads: the same numbers and the same place."""
    shape = (6, 5, 4)
    if np.issubdtype(kind, np.integer):
        limits = np.iinfo(kind)
        data = RANDOM.integers(max(limits.min, -30000), min(limits.max, 30000), shape, endpoint=True).astype(kind)
    else:
        data = RANDOM.normal(0, 1000, shape).astype(kind)
    where = affine(shear)
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(kind)
    source = nibabel.Nifti1Image(data, None, header)
    if form == "sform":
        source.set_sform(where, 2)
        source.set_qform(None, 0)
    else:
        source.set_qform(where, 1)
        source.set_sform(None, 0)
    name, out = os.path.join(folder, "in" + extension), os.path.join(folder, "out" + extension)
    nibabel.save(source, name)
    convert("image", name, out, "float32")
    theirs, ours = nibabel.load(name), nibabel.load(out)
    assert ours.get_data_dtype() == np.float32
    np.testing.assert_array_equal(ours.get_fdata(), theirs.get_fdata().astype(np.float32))
    np.testing.assert_allclose(ours.affine, theirs.affine, rtol=0, atol=2e-5)
    assert ours.header["sform_code"] > 0
    assert (ours.header["qform_code"] > 0) == (not shear), "a qform exactly where there is no shear"
    if not shear:
        np.testing.assert_allclose(ours.get_qform(), ours.get_sform(), rtol=0, atol=1e-4)
    np.testing.assert_allclose(ours.header.get_zooms(), np.linalg.norm(ours.affine[:3, :3], axis=0), rtol=1e-6)
    assert ours.header.get_xyzt_units()[0] == "mm"


def scaled(folder):
    """nibabel chooses a slope and an intercept to store floats as 16-bit integers."""
    source = nibabel.Nifti1Image(RANDOM.normal(5, 3, (6, 5, 4)), affine(False))
    source.set_data_dtype(np.int16)
    name, out = os.path.join(folder, "s.nii.gz"), os.path.join(folder, "o.nii")
    nibabel.save(source, name)
    theirs = nibabel.load(name)
    assert theirs.dataobj.slope not in (0, 1)
    convert("image", name, out, "float32")
    np.testing.assert_allclose(nibabel.load(out).get_fdata(), theirs.get_fdata(), rtol=2e-7, atol=1e-6)
    for kind in ("int16", "uint8"):
        convert("image", name, out, kind)
        ours = nibabel.load(out)
        assert ours.get_data_dtype() == np.dtype(kind)
        low = 0 if kind == "uint8" else -32768
        np.testing.assert_array_equal(ours.get_fdata(), np.maximum(np.rint(theirs.get_fdata().astype(np.float32)), low))


def field(folder, intent_in, intent_out, order):
    """A displacement field: intent, the five dimensions and the signs of its numbers."""
    data = RANDOM.normal(size=(6, 5, 4, 1, 3)).astype(np.float32)
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(np.float32)
    source = nibabel.Nifti1Image(data, affine(False), header)
    source.header["intent_code"] = intent_in
    name, out = os.path.join(folder, "f.nii.gz"), os.path.join(folder, "g.nii.gz")
    nibabel.save(source, name)
    convert("field", name, out, "ras" if intent_out == 1006 else "lps")
    ours = nibabel.load(out)
    assert ours.header["intent_code"] == intent_out
    assert ours.shape == (6, 5, 4, 1, 3)
    expected = data if intent_in == intent_out else data @ TURN.astype(np.float32)
    np.testing.assert_array_equal(ours.get_fdata(dtype=np.float32), expected)
    np.testing.assert_allclose(ours.affine, source.affine, rtol=0, atol=2e-5)


with tempfile.TemporaryDirectory() as temporary:
    kinds = (np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64)
    for kind, order in itertools.product(kinds, "<>"):
        for shear, form in ((False, "sform"), (True, "sform"), (False, "qform")):
            image(temporary, kind, order, shear, form, ".nii.gz" if order == "<" else ".nii")
    scaled(temporary)
    for one, two, order in itertools.product((1006, 1007), (1006, 1007), "<>"):
        field(temporary, one, two, order)
print("nibabel agrees")
