"""What the loadable module relies on in 3D Slicer's own code (PyPI: slicer-core), called as its logic calls it.

Colours that are transparent in the middle leave the scan below as it is; a checkerboard is cut out by a threshold; a
scene that is written and read again keeps roles, references and settings; a node that is hidden before it comes is
hidden when the scene tells of it; observers hear of a node that goes before the node choosers' models do; a scan under a
linear transform that is put under the field becomes the simulated image.  Exit code 77 where slicer-core is not
installed.
"""
import sys

import numpy as np

from checks import check, failures, slicer_core

slicer, vtk = slicer_core()
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy  # noqa: E402 (it may not be there)


def image_of(samples):
    image = vtk.vtkImageData()
    image.SetDimensions(*samples.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(samples.astype(np.float32).ravel(), deep=True))
    return image


def shown(display, image):
    """Red, green, blue and opacity as a slice view gets them."""
    producer = vtk.vtkTrivialProducer()
    producer.SetOutput(image)
    display.SetInputImageDataConnection(producer.GetOutputPort())
    connection = display.GetOutputImageDataConnection()
    connection.GetProducer().Update()
    out = connection.GetProducer().GetOutputDataObject(connection.GetIndex())
    return vtk_to_numpy(out.GetPointData().GetScalars())


scene = slicer.vtkMRMLScene()

# vtkSlicerCounterwarpLogic::Colours and Colour
table = slicer.vtkMRMLColorTableNode()
table.SetSingletonTag("Counterwarp")
table = scene.AddNode(table)
table.SetType(table.User)
table.SetNumberOfColors(257)
for i in range(257):
    t = 2 * i / 256 - 1
    table.SetColor(i, str(i), float(t > 0), 0.0, float(t < 0), 0.0 if abs(t) < 0.1 else 1.0)
display = scene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
display.SetAutoWindowLevel(0)
display.SetWindowLevel(2 * 0.5, 0)
display.SetAndObserveColorNodeID(table.GetID())
rgba = shown(display, image_of(np.array([[[-2, -0.5, -0.2, -0.01, 0, 0.01, 0.2, 0.5, 2]]])))
check(rgba.shape[1] == 4 and list(rgba[:, 3] > 0) == [True] * 3 + [False] * 3 + [True] * 3,
      f"colours are transparent in the middle alone: {rgba[:, 3]}")
check((rgba[:3, 2] > 200).all() and (rgba[-3:, 0] > 200).all(), "blue below 0, red above")

# vtkSlicerCounterwarpLogic::ShowFrom
display = scene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
display.SetAutoWindowLevel(0)
display.SetWindowLevelMinMax(0.0, 100.0)
display.SetAutoThreshold(0)
display.SetThreshold(0.0, float(np.finfo(np.float32).max))
display.SetApplyThreshold(1)
grey = scene.AddNewNodeByClass("vtkMRMLColorTableNode")
grey.SetTypeToGrey()
display.SetAndObserveColorNodeID(grey.GetID())
rgba = shown(display, image_of(np.array([[[0.0, 50, 200, -101, -0.5]]])))
check(list(rgba[:, 3] > 0) == [True] * 3 + [False] * 2,
      f"what is left out of a checkerboard is transparent: {rgba[:, 3]}")

# vtkSlicerCounterwarpLogic::Output: what hears of a node when it comes, or goes
heard = []
scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent,
                  lambda caller, event: heard.append(("added", scene.GetNthNode(scene.GetNumberOfNodes() - 1)
                                                      .GetHideFromEditors())))
scan = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
passing = scene.CreateNodeByClass("vtkMRMLScalarVolumeNode")
passing.UnRegister(None)
passing.SetHideFromEditors(True)
passing.SetSaveWithScene(False)
scene.AddNode(passing)
check(heard == [("added", 0), ("added", 1)], f"a node that is hidden before it comes is hidden when it comes: {heard}")
heard.clear()
about = slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent
scene.AddObserver(about, lambda caller, event: heard.append("model"), -10.0)  # as qMRMLSceneModel observes
scene.AddObserver(about, lambda caller, event: heard.append("ours"))
scene.RemoveNode(passing)
check(heard == ["ours", "model"], f"the module hears of it before the choosers do: {heard}")

# Roles, references and settings, in a scene that is written and read again
output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan simulated")
output.SetAttribute("Counterwarp.Role", "Image")
output.SetAttribute("Counterwarp.Strength", "-0.7")
output.SetNodeReferenceID("CounterwarpScan", scan.GetID())
node = slicer.vtkMRMLScriptedModuleNode()
node.SetSingletonTag("Counterwarp")
node = scene.AddNode(node)
node.SetModuleName("Counterwarp")
node.SetNodeReferenceID("Scan", scan.GetID())
settings = '{"board":true,"model":"/a folder/\u00fc & <b>.onnx","strength":-0.7}'
node.SetParameter("Settings", settings)
scene.SetSaveToXMLString(1)
scene.Commit()
again = slicer.vtkMRMLScene()
other = again.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "another")  # its identifier is the same: references are mended
again.SetLoadFromXMLString(1)
again.SetSceneXMLString(scene.GetSceneXMLString())
again.Import()
found = again.GetSingletonNode("Counterwarp", "vtkMRMLScriptedModuleNode")
check(found is not None and found.GetParameter("Settings") == settings, "settings come back")
back = again.GetFirstNodeByName("scan simulated")
new = again.GetFirstNodeByName("scan")
check(back is not None and back.GetAttribute("Counterwarp.Role") == "Image"
      and back.GetAttribute("Counterwarp.Strength") == "-0.7", "roles and strengths come back")
check(new is not other and back.GetNodeReferenceID("CounterwarpScan") == new.GetID()
      and found.GetNodeReferenceID("Scan") == new.GetID(), "references are mended where scenes are merged")

# A scan under a linear transform P, and P under the field: world(x) is sampled at P^-1 (x + u(x)).
field = scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
grid = vtk.vtkImageData()
grid.SetDimensions(3, 3, 3)
grid.SetSpacing(10, 10, 10)
grid.SetOrigin(-10, -10, -10)
grid.GetPointData().SetScalars(numpy_to_vtk(np.tile(np.float32([2, -3, 5]), (27, 1)), deep=True))
transform = slicer.vtkOrientedGridTransform()
transform.SetDisplacementGridData(grid)
field.SetAndObserveTransformFromParent(transform)
parent = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
turn = vtk.vtkMatrix4x4()
for r, row in enumerate([[0, -1, 0, 4], [1, 0, 0, 5], [0, 0, 1, 6], [0, 0, 0, 1]]):
    for c, value in enumerate(row):
        turn.SetElement(r, c, value)
parent.SetMatrixTransformToParent(turn)
parent.SetAndObserveTransformNodeID(field.GetID())
scan.SetAndObserveTransformNodeID(parent.GetID())
whole = vtk.vtkGeneralTransform()
scan.GetParentTransformNode().GetTransformFromWorld(whole)
x = np.array([1.0, 2.0, 3.0])
there = np.array(whole.TransformPoint(*x))
moved = x + [2, -3, 5] - np.array([4, 5, 6])
wanted = np.array([moved[1], -moved[0], moved[2]])
check(np.abs(there - wanted).max() < 1e-3, f"a transform under the field is undone after it: {there}, {wanted}")

sys.exit(1 if failures else 0)
