"""Reads our files with 3D Slicer's own code (PyPI: slicer-core): slicer_reads.py SAMPLES

SAMPLES is the program of samples.cxx.  The field must become an oriented grid transform in RAS without a warning; the
scan hardened under it by Slicer must be our simulated image (both are trilinear); the Jacobian must lie on the scan's
grid.  Exit code 77 where slicer-core is not installed.
"""
import subprocess
import sys
import tempfile

import numpy as np

from checks import check, failures, slicer_core

slicer, vtk = slicer_core()
from vtk.util.numpy_support import vtk_to_numpy  # noqa: E402 (it may not be there)


class Messages:
    """What VTK says while files are read."""

    def __init__(self):
        self.window = vtk.vtkStringOutputWindow()
        vtk.vtkOutputWindow.SetInstance(self.window)

    def text(self):
        return self.window.GetOutput()


def samples(volume):
    image = volume.GetImageData()
    values = vtk_to_numpy(image.GetPointData().GetScalars()).astype(float)
    return values.reshape(image.GetDimensions()[::-1])


def matrix(volume):
    m = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(m)
    return np.array([[m.GetElement(r, c) for c in range(4)] for r in range(4)])


def read(scene, name, file, kind, storage_kind):
    node = scene.AddNewNodeByClass(kind, name)
    storage = scene.AddNewNodeByClass(storage_kind)
    storage.SetFileName(file)
    check(storage.ReadData(node) == 1, f"Slicer reads {name}")
    return node


with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.argv[1], folder], check=True)
    messages = Messages()
    scene = slicer.vtkMRMLScene()
    volumes = {name: read(scene, name, f"{folder}/{name}.nii.gz", "vtkMRMLScalarVolumeNode",
                          "vtkMRMLVolumeArchetypeStorageNode") for name in ("scan", "image", "jacobian")}
    transform = read(scene, "field", f"{folder}/field.nii.gz", "vtkMRMLTransformNode", "vtkMRMLTransformStorageNode")
    # As the module CounterwarpSimulate hands it to Slicer.
    same = read(scene, "field of the module", f"{folder}/field.nrrd", "vtkMRMLTransformNode",
                "vtkMRMLTransformStorageNode")
    check(messages.text() == "", f"without a warning {messages.text()!r}")
    check(same.GetTransformFromParent().IsA("vtkOrientedGridTransform") == 1, "the NRRD file is a grid transform")
    centre = matrix(volumes["scan"]) @ (*(n / 2 for n in volumes["scan"].GetImageData().GetDimensions()), 1)
    there = [np.array(t.GetTransformFromParent().TransformPoint(centre[:3])) for t in (transform, same)]
    check(np.abs(there[0] - there[1]).max() < 1e-4 and np.abs(there[0] - centre[:3]).max() > 0.1,
          f"the NRRD and the NIfTI file are one transform ({there[0] - centre[:3]}, {there[1] - centre[:3]})")

    scan, image, jacobian = (samples(volumes[name]) for name in ("scan", "image", "jacobian"))
    for name in ("image", "jacobian"):
        check(np.abs(matrix(volumes[name]) - matrix(volumes["scan"])).max() < 1e-3, f"{name} lies on the scan's grid")

    from_parent = transform.GetTransformFromParent()
    check(from_parent.IsA("vtkOrientedGridTransform") == 1, f"the field is a {from_parent.GetClassName()}")

    # Hardening as Slicer does it: out(x) = in(FromParent(x)), linear, on the scan's own grid.
    to_ras = matrix(volumes["scan"])
    to_ijk = np.linalg.inv(to_ras)
    resampled = np.zeros_like(scan)
    inner = np.zeros_like(scan, bool)
    nz, ny, nx = scan.shape
    for k in range(4, nz - 4, 3):
        for j in range(4, ny - 4, 3):
            for i in range(4, nx - 4, 3):
                there = from_parent.TransformPoint((to_ras @ (i, j, k, 1))[:3])
                p = (to_ijk @ (*there, 1))[:3]
                if np.any(p < 0) or np.any(p > (nx - 1.001, ny - 1.001, nz - 1.001)):
                    continue
                a = np.floor(p).astype(int)
                w = p - a
                value = 0
                for corner in range(8):
                    c = np.array([corner & 1, corner >> 1 & 1, corner >> 2 & 1])
                    q = a + c
                    value += np.prod(np.where(c, w, 1 - w)) * scan[q[2], q[1], q[0]]
                resampled[k, j, i] = value
                inner[k, j, i] = True
    moved = np.abs(image - scan)[inner].max()
    difference = np.abs(resampled - image)[inner].max()
    check(moved > 3, f"the simulation changes the scan (by up to {moved:.2f})")
    check(difference < 0.02, f"the scan under the transform is the simulated image (differs by {difference:.4f})")

    # The whole of it by Slicer's own resampling: the volume under the transform, hardened.
    hardened = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hardened")
    hardened.Copy(volumes["scan"])
    hardened.SetAndObserveTransformNodeID(transform.GetID())
    check(bool(hardened.HardenTransform()), "Slicer hardens the scan")
    result = samples(hardened)
    if result.shape == image.shape:
        box = (slice(5, -5),) * 3
        difference = np.abs(result - image)[box]
        check(np.abs(matrix(hardened) - to_ras).max() < 1e-3, "the hardened scan keeps its grid")
        check(np.percentile(difference, 99) < 0.3, f"the hardened scan is the simulated image (99 % within "
                                                   f"{np.percentile(difference, 99):.3f})")
    else:
        check(False, f"the hardened scan has another size: {result.shape}, {image.shape}")

sys.exit(1 if failures else 0)
