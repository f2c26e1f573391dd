// Volumes of a scene in, outputs out: repeated runs update, other scans get their own, saved scenes find them again.
#include <vtkAbstractTransform.h>
#include <vtkCallbackCommand.h>
#include <vtkGeneralTransform.h>
#include <vtkImageData.h>
#include <vtkLookupTable.h>
#include <vtkMatrix4x4.h>
#include <vtkMRMLColorTableNode.h>
#include <vtkMRMLGridTransformNode.h>
#include <vtkMRMLLabelMapVolumeNode.h>
#include <vtkMRMLLinearTransformNode.h>
#include <vtkMRMLScalarVolumeDisplayNode.h>
#include <vtkMRMLScalarVolumeNode.h>
#include <vtkMRMLScene.h>
#include <vtkMRMLScriptedModuleNode.h>
#include <vtkMRMLSubjectHierarchyNode.h>
#include <vtkMRMLTableNode.h>
#include <vtkMRMLVolumeArchetypeStorageNode.h>
#include <vtkNew.h>
#include <vtkOrientedGridTransform.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "vtkSlicerCounterwarpLogic.h"

namespace {

int failures = 0;

void expect(bool fine, const char *what, int line) {
  if (fine)
    return;
  std::cerr << "line " << line << ": " << what << std::endl;
  failures++;
}
#define EXPECT(condition) expect(condition, #condition, __LINE__)

// Samples i + 10 j + 100 k of shorts, oblique, 4 x 3 x 2.
vtkMRMLScalarVolumeNode *addScan(vtkMRMLScene *scene, const char *name) {
  vtkNew<vtkImageData> image;
  image->SetDimensions(4, 3, 2);
  image->AllocateScalars(VTK_SHORT, 1);
  for (int k = 0; k < 2; k++)
    for (int j = 0; j < 3; j++)
      for (int i = 0; i < 4; i++)
        image->SetScalarComponentFromDouble(i, j, k, 0, i + 10 * j + 100 * k);
  auto *node = vtkMRMLScalarVolumeNode::SafeDownCast(scene->AddNewNodeByClass("vtkMRMLScalarVolumeNode", name));
  vtkNew<vtkMatrix4x4> to_ras;
  const double c = std::cos(0.2), s = std::sin(0.2);
  const double rows[3][4] = {{-2 * c, 3 * s, 0, 10}, {-2 * s, -3 * c, 0, -20}, {0, 0, 4, 30}};
  for (int r = 0; r < 3; r++)
    for (int column = 0; column < 4; column++)
      to_ras->SetElement(r, column, rows[r][column]);
  node->SetIJKToRASMatrix(to_ras);
  node->SetAndObserveImageData(image);
  return node;
}

// A volume of the core's, freed with the context.
struct Held {
  Held() { cw_context_create(nullptr, &context); }
  ~Held() {
    cw_volume_free(context, &volume);
    cw_context_free(context);
  }
  cw_context *context = nullptr;
  cw_volume volume = cw_volume();
};

void reads(vtkSlicerCounterwarpLogic *logic, vtkMRMLScene *scene, vtkMRMLScalarVolumeNode *scan) {
  Held held;
  std::string problem;
  EXPECT(logic->ReadVolume(scan, held.context, &held.volume, &problem));
  EXPECT(held.volume.data && held.volume.data[1 + 4 * (2 + 3 * 1)] == 121);
  EXPECT(std::fabs(held.volume.grid.to_world.m[0][3] + 10) < 1e-9);  // RAS 10 is LPS -10
  EXPECT(std::fabs(held.volume.grid.to_world.m[2][2] - 4) < 1e-9);
  // Under a linear transform it lies where the world shows it.
  auto *parent = vtkMRMLLinearTransformNode::SafeDownCast(scene->AddNewNodeByClass("vtkMRMLLinearTransformNode"));
  vtkNew<vtkMatrix4x4> shift;
  shift->SetElement(0, 3, 5);
  parent->SetMatrixTransformToParent(shift);
  scan->SetAndObserveTransformNodeID(parent->GetID());
  Held moved;
  EXPECT(logic->ReadVolume(scan, moved.context, &moved.volume, &problem));
  EXPECT(std::fabs(moved.volume.grid.to_world.m[0][3] + 15) < 1e-9);
  // Its outputs are put under the same one.
  vtkNew<vtkImageData> image;
  image->SetDimensions(4, 3, 2);
  image->AllocateScalars(VTK_FLOAT, 1);
  vtkMRMLScalarVolumeNode *output = logic->PutImage(scan, image);
  EXPECT(output && output->GetParentTransformNode() == parent);
  // Under one that bends it is refused.
  auto *bent = vtkMRMLGridTransformNode::SafeDownCast(scene->AddNewNodeByClass("vtkMRMLGridTransformNode"));
  vtkNew<vtkOrientedGridTransform> bend;
  vtkNew<vtkImageData> grid;
  grid->SetDimensions(2, 2, 2);
  grid->AllocateScalars(VTK_FLOAT, 3);
  bend->SetDisplacementGridData(grid);
  bent->SetAndObserveTransformFromParent(bend);
  scan->SetAndObserveTransformNodeID(bent->GetID());
  Held refused;
  EXPECT(!logic->ReadVolume(scan, refused.context, &refused.volume, &problem));
  EXPECT(problem.find("scan is under a non-linear transform") == 0);
  scan->SetAndObserveTransformNodeID(nullptr);
  scene->RemoveNode(bent);
  scene->RemoveNode(output);
  // What cannot be read is explained.
  Held none;
  EXPECT(!logic->ReadVolume(nullptr, none.context, &none.volume, &problem));
  EXPECT(problem.find("no samples") != std::string::npos);
}

// What is only looked at: hidden already when the scene tells of it, and not saved.
void passing(vtkSlicerCounterwarpLogic *logic, vtkMRMLScene *scene, vtkMRMLScalarVolumeNode *scan,
             const cw_volume &volume) {
  bool shown = false;
  vtkNew<vtkCallbackCommand> listener;
  listener->SetClientData(&shown);
  listener->SetCallback([](vtkObject *, unsigned long, void *client, void *data) {
    auto *node = vtkMRMLScalarVolumeNode::SafeDownCast(static_cast<vtkObject *>(data));
    if (node && !node->GetHideFromEditors())
      *static_cast<bool *>(client) = true;
  });
  const unsigned long tag = scene->AddObserver(vtkMRMLScene::NodeAddedEvent, listener);
  const int before = scene->GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode");
  for (const auto what : {vtkSlicerCounterwarpLogic::Preview, vtkSlicerCounterwarpLogic::Reference}) {
    vtkMRMLScalarVolumeNode *node = logic->PutPassing(what, volume.grid, volume.data, scan);
    EXPECT(node && !node->GetSaveWithScene() && node->GetHideFromEditors());
    EXPECT(logic->PutPassing(what, volume.grid, volume.data, scan) == node);
    logic->ShowFrom(node, 10, 100);
    vtkMRMLScalarVolumeDisplayNode *display = node->GetScalarVolumeDisplayNode();
    EXPECT(display && display->GetApplyThreshold() && display->GetLowerThreshold() == 10);
    logic->RemovePassing(what);
  }
  EXPECT(!shown);
  EXPECT(scene->GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == before);
  scene->RemoveObserver(tag);
}

// A displacement of (2, 7, -3) mm LPS: for the scan under the field, and for a scan under a turn under the field.
void moves(vtkMRMLScene *scene, vtkMRMLScalarVolumeNode *scan, vtkMRMLGridTransformNode *field) {
  const double first[3] = {10, -20, 30};
  double to[3] = {0, 0, 0};
  field->GetTransformFromParent()->TransformPoint(first, to);
  EXPECT(std::fabs(to[0] - 8) < 1e-3);  // RAS: to the left is less
  EXPECT(std::fabs(to[1] + 27) < 1e-3);
  EXPECT(std::fabs(to[2] - 27) < 1e-3);
  auto *turn = vtkMRMLLinearTransformNode::SafeDownCast(scene->AddNewNodeByClass("vtkMRMLLinearTransformNode"));
  vtkNew<vtkMatrix4x4> matrix;  // a quarter about S, and a shift
  matrix->SetElement(0, 0, 0);
  matrix->SetElement(0, 1, -1);
  matrix->SetElement(1, 0, 1);
  matrix->SetElement(1, 1, 0);
  matrix->SetElement(2, 3, 6);
  turn->SetMatrixTransformToParent(matrix);
  turn->SetAndObserveTransformNodeID(field->GetID());
  scan->SetAndObserveTransformNodeID(turn->GetID());
  vtkNew<vtkGeneralTransform> whole;
  scan->GetParentTransformNode()->GetTransformFromWorld(whole);
  whole->TransformPoint(first, to);  // the field first, then out of the turn
  EXPECT(std::fabs(to[0] + 27) < 1e-3);
  EXPECT(std::fabs(to[1] + 8) < 1e-3);
  EXPECT(std::fabs(to[2] - 21) < 1e-3);
  scan->SetAndObserveTransformNodeID(nullptr);
  scene->RemoveNode(turn);
}

// The same colours, made once, transparent in the middle; filled again where a scene has lost them.
void colours(vtkSlicerCounterwarpLogic *logic, vtkMRMLScene *scene) {
  vtkMRMLColorTableNode *table = logic->Colours();
  const int tables = scene->GetNumberOfNodesByClass("vtkMRMLColorTableNode");
  EXPECT(table && logic->Colours() == table);
  EXPECT(scene->GetNumberOfNodesByClass("vtkMRMLColorTableNode") == tables);
  const auto fine = [table] {
    double low[4], middle[4], high[4];
    const int n = table->GetNumberOfColors();
    table->GetLookupTable()->GetTableValue(0, low);
    table->GetLookupTable()->GetTableValue(n / 2, middle);
    table->GetLookupTable()->GetTableValue(n - 1, high);
    return n % 2 && middle[3] == 0 && low[3] == 1 && high[3] == 1 && low[2] > low[0] && high[0] > high[2];
  };
  EXPECT(fine());
  table->SetNumberOfColors(3);
  table->SetColor(0, 0.0, 0.0, 0.0, 1.0);
  EXPECT(logic->Colours() == table && fine());
}

void writeFile(const std::string &file, const char *text) {
  std::ofstream(file) << text;
}

// Of the table beside the file, then of the colours once somebody names one.
void names(vtkSlicerCounterwarpLogic *logic) {
  const std::string file = "CounterwarpLogicTestAtlas.nrrd";
  writeFile(file,
            "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 2 1 1\n"
            "space directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\nencoding: ascii\n"
            "space origin: (0,0,0)\n\n1 2\n");
  writeFile(file + ".txt", "1 Hippocampus_L 4101\n2 Hippocampus_R 4102\n");
  vtkMRMLScalarVolumeNode *atlas = logic->LoadVolume(file, "atlas", true);
  EXPECT(atlas && atlas->IsA("vtkMRMLLabelMapVolumeNode"));
  EXPECT(logic->RegionName(atlas, 2) == "Hippocampus_R");
  EXPECT(logic->RegionName(atlas, 3).empty());
  EXPECT(logic->RegionName(nullptr, 1).empty());
  vtkNew<vtkMRMLColorTableNode> named;
  named->SetType(vtkMRMLColorTableNode::User);
  named->SetNumberOfColors(3);
  named->SetColor(1, "left", 1, 0, 0);
  named->SetColor(2, "2", 0, 1, 0);  // as Slicer's generic colours are called
  named->SetNamesInitialised(1);
  logic->GetMRMLScene()->AddNode(named);
  if (atlas && atlas->GetDisplayNode())
    atlas->GetDisplayNode()->SetAndObserveColorNodeID(named->GetID());
  EXPECT(logic->RegionName(atlas, 1) == "left");
  EXPECT(logic->RegionName(atlas, 2) == "Hippocampus_R");
  EXPECT(!logic->LoadVolume("absent.nrrd", "absent", false));
  std::remove(file.c_str());
  std::remove((file + ".txt").c_str());
}

// Beside their scan, in whatever folder that is.
void places(vtkSlicerCounterwarpLogic *logic, vtkMRMLScene *scene) {
  vtkMRMLSubjectHierarchyNode *tree = vtkMRMLSubjectHierarchyNode::GetSubjectHierarchyNode(scene);
  vtkNew<vtkCallbackCommand> listener;  // as the application's own logic takes each node in
  listener->SetClientData(tree);
  listener->SetCallback([](vtkObject *, unsigned long, void *client, void *data) {
    auto *into = static_cast<vtkMRMLSubjectHierarchyNode *>(client);
    auto *node = vtkMRMLScalarVolumeNode::SafeDownCast(static_cast<vtkObject *>(data));
    if (node && !into->GetItemByDataNode(node))
      into->CreateItem(into->GetSceneItemID(), node);
  });
  const unsigned long tag = scene->AddObserver(vtkMRMLScene::NodeAddedEvent, listener);
  vtkMRMLScalarVolumeNode *scan = addScan(scene, "of a patient");
  const vtkIdType folder = tree->CreateFolderItem(tree->GetSceneItemID(), "study");
  tree->SetItemParent(tree->GetItemByDataNode(scan), folder);
  vtkMRMLScalarVolumeNode *image = logic->PutImage(scan, scan->GetImageData());
  EXPECT(tree->GetItemParent(tree->GetItemByDataNode(image)) == folder);
  scene->RemoveObserver(tag);
}

// A scene that was written and read again: outputs are found, settings are there.
void readsAgain(vtkMRMLScene *scene, int volumes) {
  scene->SetSaveToXMLString(1);
  scene->Commit();
  vtkNew<vtkMRMLScene> other;
  other->SetLoadFromXMLString(1);
  other->SetSceneXMLString(scene->GetSceneXMLString());
  other->Import();
  vtkNew<vtkSlicerCounterwarpLogic> logic;
  logic->SetMRMLScene(other);
  EXPECT(other->GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == volumes);
  vtkMRMLScriptedModuleNode *settings = logic->GetParameterNode();
  EXPECT(settings && settings->GetParameter("Settings") == "{\"strength\":0.5}");
  auto *scan = vtkMRMLScalarVolumeNode::SafeDownCast(settings ? settings->GetNodeReference("Scan") : nullptr);
  EXPECT(scan && std::string(scan->GetName()) == "scan");
  vtkNew<vtkImageData> image;
  image->SetDimensions(4, 3, 2);
  image->AllocateScalars(VTK_FLOAT, 1);
  if (scan)
    EXPECT(std::string(logic->PutImage(scan, image)->GetName()) == "scan simulated");
  EXPECT(other->GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == volumes);
  other->Clear(0);
  logic->SetMRMLScene(nullptr);
}

void writes(vtkSlicerCounterwarpLogic *logic, vtkMRMLScene *scene, vtkMRMLScalarVolumeNode *scan,
            vtkMRMLScalarVolumeNode *other) {
  Held held;
  std::string problem;
  EXPECT(logic->ReadVolume(scan, held.context, &held.volume, &problem));
  cw_simulation simulation = cw_simulation();
  simulation.image = simulation.jacobian = simulation.log_jacobian = held.volume;
  EXPECT(cw_volume_create(held.context, &held.volume.grid, 3, &simulation.field) == CW_OK);
  const size_t n = cw_grid_samples(&held.volume.grid);
  const float displacement[3] = {2, 7, -3};  // LPS mm, everywhere
  for (int axis = 0; axis < 3; axis++)
    std::fill_n(simulation.field.data + axis * n, n, displacement[axis]);
  const vtkSlicerCounterwarpLogic::Images made = vtkSlicerCounterwarpLogic::MakeImages(simulation);
  const cw_grid grid = simulation.field.grid;
  cw_volume_free(held.context, &simulation.field);

  vtkMRMLScalarVolumeNode *image = logic->PutImage(scan, made.image);
  EXPECT(image && image->GetImageData()->GetScalarComponentAsDouble(1, 2, 1, 0) == 121);
  EXPECT(image->GetImageData() == made.image);         // no copy
  EXPECT(logic->PutImage(scan, made.image) == image);  // updated, not piled up
  vtkMRMLScalarVolumeNode *of_other = logic->PutImage(other, made.image);
  EXPECT(of_other && of_other != image);
  EXPECT(logic->PutImage(scan, made.image) == image);
  EXPECT(std::string(image->GetName()).find(scan->GetName()) == 0);

  vtkMRMLScalarVolumeNode *jacobian = logic->PutJacobian(scan, made.jacobian);
  EXPECT(jacobian && jacobian != image && !jacobian->GetScalarVolumeDisplayNode()->GetAutoWindowLevel());
  vtkMRMLScalarVolumeNode *overlay = logic->PutOverlay(scan, made.overlay, 0.5);
  EXPECT(overlay && overlay->GetImageData()->GetScalarComponentAsDouble(1, 0, 0, 0) == -1);
  vtkMRMLScalarVolumeNode *map = logic->PutSaliency(scan, held.volume, 1, "gradient", "Not checked.");
  EXPECT(map && map != overlay && std::string(map->GetAttribute("Counterwarp.Sanity")) == "Not checked.");

  passing(logic, scene, scan, held.volume);
  vtkMRMLGridTransformNode *field = logic->PutField(scan, made.field, grid);
  EXPECT(field && logic->PutField(scan, made.field, grid) == field);
  moves(scene, scan, field);
  logic->Record(image, {"model.onnx", "none", "-0.7"});
  EXPECT(std::string(image->GetAttribute("Counterwarp.Strength")) == "-0.7");
  EXPECT(std::string(image->GetAttribute("Counterwarp.Model")) == "model.onnx");
  logic->Record(image, {"model.onnx", "none", ""});
  EXPECT(!image->GetAttribute("Counterwarp.Strength"));
  logic->Record(nullptr, {});

  const std::vector<double> strengths = {-1, 0, 1}, logits = {-2, 0.5, 3};
  logic->PutCurve(scan, strengths, logits);
  logic->PutCurve(scan, strengths, logits);
  logic->PutRegions(scan, {{"Hippocampus_L", 37, -12.5, 900}});
  std::vector<vtkMRMLNode *> tables;
  scene->GetNodesByClass("vtkMRMLTableNode", tables);
  EXPECT(tables.size() == 2);
  logic->PutRegions(scan, {});   // another atlas was chosen
  logic->PutRegions(other, {});  // which has no table
  tables.clear();
  scene->GetNodesByClass("vtkMRMLTableNode", tables);
  EXPECT(tables.size() == 2);
  for (vtkMRMLNode *node : tables)
    if (std::string(node->GetAttribute("Counterwarp.Role")) == "RegionTable")
      EXPECT(vtkMRMLTableNode::SafeDownCast(node)->GetNumberOfRows() == 0);
}

}  // namespace

int vtkSlicerCounterwarpLogicTest(int, char *[]) {
  vtkNew<vtkMRMLScene> scene;
  vtkNew<vtkSlicerCounterwarpLogic> logic;
  logic->SetMRMLScene(scene);
  vtkMRMLScalarVolumeNode *scan = addScan(scene, "scan"), *other = addScan(scene, "other");
  reads(logic, scene, scan);
  writes(logic, scene, scan, other);
  colours(logic, scene);
  vtkMRMLScriptedModuleNode *settings = logic->GetParameterNode();
  EXPECT(settings && logic->GetParameterNode() == settings);
  settings->SetParameter("Settings", "{\"strength\":0.5}");
  settings->SetNodeReferenceID("Scan", scan->GetID());
  readsAgain(scene, scene->GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode"));
  names(logic);
  places(logic, scene);
  scene->Clear(0);
  logic->SetMRMLScene(nullptr);
  return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
