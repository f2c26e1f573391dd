// Volumes of a scene in, outputs out: repeated runs update, other scans get their own, saved scenes find them again.
#include <vtkAbstractTransform.h>
#include <vtkImageData.h>
#include <vtkMatrix4x4.h>
#include <vtkMRMLGridTransformNode.h>
#include <vtkMRMLLinearTransformNode.h>
#include <vtkMRMLScalarVolumeDisplayNode.h>
#include <vtkMRMLScalarVolumeNode.h>
#include <vtkMRMLScene.h>
#include <vtkMRMLTableNode.h>
#include <vtkNew.h>

#include <cmath>
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
  scan->SetAndObserveTransformNodeID(nullptr);
  // What cannot be read is explained.
  Held none;
  EXPECT(!logic->ReadVolume(nullptr, none.context, &none.volume, &problem));
  EXPECT(problem.find("no samples") != std::string::npos);
}

void writes(vtkSlicerCounterwarpLogic *logic, vtkMRMLScene *scene, vtkMRMLScalarVolumeNode *scan,
            vtkMRMLScalarVolumeNode *other) {
  Held held;
  std::string problem;
  EXPECT(logic->ReadVolume(scan, held.context, &held.volume, &problem));
  cw_simulation simulation = cw_simulation();
  simulation.image = simulation.jacobian = simulation.log_jacobian = held.volume;
  EXPECT(cw_volume_create(held.context, &held.volume.grid, 3, &simulation.field) == CW_OK);
  simulation.field.data[0] = 2;  // 2 mm to the left at the first voxel
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

  vtkMRMLScalarVolumeNode *preview =
      logic->PutPassing(vtkSlicerCounterwarpLogic::Preview, held.volume.grid, held.volume.data, scan);
  EXPECT(preview && !preview->GetSaveWithScene());
  logic->RemovePassing(vtkSlicerCounterwarpLogic::Preview);
  EXPECT(!scene->GetFirstNodeByName((std::string(scan->GetName()) + " preview").c_str()));

  logic->PutField(scan, made.field, grid);
  auto *transform = vtkMRMLGridTransformNode::SafeDownCast(scene->GetFirstNodeByClass("vtkMRMLGridTransformNode"));
  EXPECT(transform != nullptr);
  const double first[3] = {10, -20, 30};
  double to[3] = {0, 0, 0};
  if (transform && transform->GetTransformFromParent())
    transform->GetTransformFromParent()->TransformPoint(first, to);
  EXPECT(std::fabs(to[0] - 8) < 1e-3);  // RAS: to the left is less

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
  // A scene that was written and read again finds its outputs.
  const int before = scene->GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode");
  scene->SetSaveToXMLString(1);
  scene->Commit();
  const std::string text = scene->GetSceneXMLString();
  EXPECT(text.find("Counterwarp.Role") != std::string::npos);
  EXPECT(text.find("CounterwarpScan") != std::string::npos);
  logic->PutImage(other, other->GetImageData());
  EXPECT(scene->GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == before);
  scene->Clear(0);
  logic->SetMRMLScene(nullptr);
  return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
