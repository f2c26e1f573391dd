#include "vtkSlicerCounterwarpLogic.h"

#include <vtkDoubleArray.h>
#include <vtkImageData.h>
#include <vtkIntArray.h>
#include <vtkLookupTable.h>
#include <vtkMatrix4x4.h>
#include <vtkMRMLApplicationLogic.h>
#include <vtkMRMLColorTableNode.h>
#include <vtkMRMLGridTransformNode.h>
#include <vtkMRMLPlotChartNode.h>
#include <vtkMRMLPlotSeriesNode.h>
#include <vtkMRMLScalarVolumeDisplayNode.h>
#include <vtkMRMLScalarVolumeNode.h>
#include <vtkMRMLScene.h>
#include <vtkMRMLScriptedModuleNode.h>
#include <vtkMRMLSelectionNode.h>
#include <vtkMRMLSliceCompositeNode.h>
#include <vtkMRMLSubjectHierarchyNode.h>
#include <vtkMRMLTableNode.h>
#include <vtkMRMLVolumeArchetypeStorageNode.h>
#include <vtkNew.h>
#include <vtkObjectFactory.h>
#include <vtkOrientedGridTransform.h>
#include <vtkPointData.h>
#include <vtkStringArray.h>
#include <vtkTable.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "counterwarp/cohort.h"
#include "Pictures/pictures.h"

#ifndef QT_TRANSLATE_NOOP  // marks a text for lupdate
#define QT_TRANSLATE_NOOP(context, text) text
#endif

vtkStandardNewMacro(vtkSlicerCounterwarpLogic);

namespace {

const char *const kModule = "Counterwarp";
const char *const kRole = "Counterwarp.Role", *const kScan = "CounterwarpScan";
const char *const kPassing[] = {"Preview", "Reference"};
const char *const kPassingNames[] = {QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "preview"),
                                     QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "model's mean training scan")};
const int kColours = 257;   // so that one of them is the middle
const double kFaint = 0.2;  // opacity in the viewer under which nothing is shown

// RAS and LPS differ in the sign of the first two rows.
double sign(int row) {
  return row < 2 ? -1.0 : 1.0;
}

cw_grid gridOf(vtkImageData *image, vtkMatrix4x4 *to_ras) {
  cw_grid grid = cw_grid();
  image->GetDimensions(grid.size);
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 4; c++)
      grid.to_world.m[r][c] = sign(r) * to_ras->GetElement(r, c);
  return grid;
}

void matrixOf(const cw_grid &grid, vtkMatrix4x4 *to_ras) {
  to_ras->Identity();
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 4; c++)
      to_ras->SetElement(r, c, sign(r) * grid.to_world.m[r][c]);
}

// A float image of a volume's samples, times a factor.
vtkSmartPointer<vtkImageData> imageOf(const int size[3], const float *samples, float factor) {
  vtkSmartPointer<vtkImageData> image = vtkSmartPointer<vtkImageData>::New();
  image->SetDimensions(size[0], size[1], size[2]);
  image->AllocateScalars(VTK_FLOAT, 1);
  const size_t count = static_cast<size_t>(image->GetNumberOfPoints());
  float *to = static_cast<float *>(image->GetScalarPointer());
  if (factor == 1)
    std::copy(samples, samples + count, to);
  else
    std::transform(samples, samples + count, to, [factor](float value) { return factor * value; });
  return image;
}

// A field in mm LPS as a grid of displacements in RAS, which vtkOrientedGridTransform asks for.
vtkSmartPointer<vtkImageData> gridImageOf(const cw_volume &field) {
  const int *size = field.grid.size;
  const size_t count = cw_grid_samples(&field.grid);
  vtkSmartPointer<vtkImageData> image = vtkSmartPointer<vtkImageData>::New();
  image->SetDimensions(size[0], size[1], size[2]);
  image->AllocateScalars(VTK_FLOAT, 3);
  float *to = static_cast<float *>(image->GetScalarPointer());
  const float *from = field.data;
  for (size_t i = 0; i < count; i++, to += 3) {
    to[0] = -from[i];
    to[1] = -from[count + i];
    to[2] = from[2 * count + i];
  }
  double spacing[3];
  cw_grid_spacing(&field.grid, spacing);
  image->SetSpacing(spacing);
  const double(*m)[4] = field.grid.to_world.m;
  image->SetOrigin(sign(0) * m[0][3], sign(1) * m[1][3], sign(2) * m[2][3]);
  return image;
}

template <class T>
void copySamples(const T *from, size_t count, float *to) {
  for (size_t i = 0; i < count; i++)
    to[i] = static_cast<float>(from[i]);
}

}  // namespace

vtkSlicerCounterwarpLogic::vtkSlicerCounterwarpLogic() = default;
vtkSlicerCounterwarpLogic::~vtkSlicerCounterwarpLogic() = default;

void vtkSlicerCounterwarpLogic::PrintSelf(ostream &os, vtkIndent indent) {
  this->Superclass::PrintSelf(os, indent);
}

// A text in the user's language, with %1 replaced by a name.
std::string vtkSlicerCounterwarpLogic::Words(const char *text, const std::string &name) const {
  std::string words = this->Translate ? this->Translate(text) : text;
  const size_t at = words.find("%1");
  return at == std::string::npos ? words : words.replace(at, 2, name);
}

vtkMRMLScriptedModuleNode *vtkSlicerCounterwarpLogic::GetParameterNode() {
  vtkMRMLScene *scene = this->GetMRMLScene();
  if (!scene)
    return nullptr;
  auto *node = vtkMRMLScriptedModuleNode::SafeDownCast(scene->GetSingletonNode(kModule, "vtkMRMLScriptedModuleNode"));
  if (!node) {
    vtkNew<vtkMRMLScriptedModuleNode> made;
    made->SetSingletonTag(kModule);
    node = vtkMRMLScriptedModuleNode::SafeDownCast(scene->AddNode(made));
  }
  node->SetName(kModule);  // closing a scene takes the names away
  node->SetModuleName(kModule);
  return node;
}

// ---- in ----

bool vtkSlicerCounterwarpLogic::ReadVolume(vtkMRMLScalarVolumeNode *node, cw_context *context, cw_volume *volume,
                                           std::string *problem) {
  vtkImageData *image = node ? node->GetImageData() : nullptr;
  vtkDataArray *scalars = image ? image->GetPointData()->GetScalars() : nullptr;
  const std::string name =
      node && node->GetName() ? node->GetName() : Words(QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "The volume"));
  if (!scalars || scalars->GetNumberOfTuples() != image->GetNumberOfPoints()) {
    *problem = Words(QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "%1 has no samples."), name);
    return false;
  }
  if (scalars->GetNumberOfComponents() != 1) {
    *problem = Words(
        QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "%1 has several values a voxel; a scalar volume is needed."),
        name);
    return false;
  }
  vtkNew<vtkMatrix4x4> to_ras;
  node->GetIJKToRASMatrix(to_ras);
  if (vtkMRMLTransformNode *parent = node->GetParentTransformNode()) {
    if (!parent->IsTransformToWorldLinear()) {
      *problem = Words(QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic",
                                         "%1 is under a non-linear transform: harden it first (Transforms module)."),
                       name);
      return false;
    }
    vtkNew<vtkMatrix4x4> to_world;
    parent->GetMatrixTransformToWorld(to_world);
    vtkMatrix4x4::Multiply4x4(to_world, to_ras, to_ras);
  }
  const cw_grid grid = gridOf(image, to_ras);
  if (cw_volume_create(context, &grid, 1, volume) != CW_OK) {
    *problem = name + ": " + cw_context_message(context) + ".";
    return false;
  }
  const size_t count = cw_grid_samples(&grid);
  switch (scalars->GetDataType()) {
    vtkTemplateMacro(copySamples(static_cast<const VTK_TT *>(scalars->GetVoidPointer(0)), count, volume->data));
    default:
      *problem = Words(QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "%1 has samples of an unknown type."), name);
      cw_volume_free(context, volume);
      return false;
  }
  return true;
}

vtkMRMLScalarVolumeNode *vtkSlicerCounterwarpLogic::LoadVolume(const std::string &file, const std::string &name,
                                                               bool labels) {
  vtkMRMLScene *scene = this->GetMRMLScene();
  if (!scene)
    return nullptr;
  vtkMRMLScalarVolumeNode *node = vtkMRMLScalarVolumeNode::SafeDownCast(
      scene->AddNewNodeByClass(labels ? "vtkMRMLLabelMapVolumeNode" : "vtkMRMLScalarVolumeNode", name));
  auto *storage =
      vtkMRMLVolumeArchetypeStorageNode::SafeDownCast(scene->AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode"));
  if (node && storage) {
    storage->SetFileName(file.c_str());
    node->SetAndObserveStorageNodeID(storage->GetID());
    if (storage->ReadData(node)) {
      node->CreateDefaultDisplayNodes();
      return node;
    }
  }
  if (storage)
    scene->RemoveNode(storage);
  if (node)
    scene->RemoveNode(node);
  return nullptr;
}

std::string vtkSlicerCounterwarpLogic::RegionName(vtkMRMLScalarVolumeNode *atlas, int label) {
  vtkMRMLDisplayNode *display = atlas ? atlas->GetDisplayNode() : nullptr;
  vtkMRMLColorNode *colors = display ? display->GetColorNode() : nullptr;
  const std::string number = std::to_string(label);
  if (colors && label >= 0 && label < colors->GetNumberOfColors()) {
    const char *of = colors->GetColorName(label);
    const std::string name = of ? of : "";
    const char *none = colors->GetNoName();
    // Colours that no file named are called by their numbers.
    if (!name.empty() && name != number && name != "invalid" && name != (none ? none : ""))
      return name;
  }
  vtkMRMLStorageNode *storage = atlas ? atlas->GetStorageNode() : nullptr;
  std::string file = storage && storage->GetFileName() ? storage->GetFullNameFromFileName() : "";
  if (file.size() > 3 && file.compare(file.size() - 3, 3, ".gz") == 0)
    file.resize(file.size() - 3);
  cw_context *context = nullptr;
  if (file.empty() || cw_context_create(nullptr, &context) != CW_OK)
    return std::string();
  std::string name;
  cw_label_names names = cw_label_names();
  if (cw_label_names_read(context, (file + ".txt").c_str(), &names) == CW_OK)
    if (const char *found = cw_label_names_find(&names, label))
      name = found;
  cw_label_names_free(context, &names);
  cw_context_free(context);
  return name;
}

// ---- out ----

vtkSlicerCounterwarpLogic::Images vtkSlicerCounterwarpLogic::MakeImages(const cw_simulation &simulation) {
  const auto scalars = [](const cw_volume &volume, float factor) {
    return imageOf(volume.grid.size, volume.data, factor);
  };
  Images made;
  made.image = scalars(simulation.image, 1);
  made.jacobian = scalars(simulation.jacobian, 1);
  made.overlay = scalars(simulation.log_jacobian, -1);
  made.field = gridImageOf(simulation.field);
  return made;
}

std::vector<vtkMRMLNode *> vtkSlicerCounterwarpLogic::Outputs(const char *role, const char *node_class,
                                                              vtkMRMLNode *scan) {
  std::vector<vtkMRMLNode *> all, found;
  if (this->GetMRMLScene())
    this->GetMRMLScene()->GetNodesByClass(node_class, all);
  for (vtkMRMLNode *node : all) {
    const char *of = node->GetAttribute(kRole);
    const char *id = node->GetNodeReferenceID(kScan);
    if (of && std::strcmp(of, role) == 0 && (!scan || (id && scan->GetID() && std::strcmp(id, scan->GetID()) == 0)))
      found.push_back(node);
  }
  return found;
}

vtkMRMLNode *vtkSlicerCounterwarpLogic::Output(const char *role, const char *node_class, vtkMRMLNode *scan,
                                               const char *ending) {
  vtkMRMLScene *scene = this->GetMRMLScene();
  if (!scene || !scan)
    return nullptr;
  const std::vector<vtkMRMLNode *> found = this->Outputs(role, node_class, scan);
  if (!found.empty())
    return found.front();
  const auto made = vtkSmartPointer<vtkMRMLNode>::Take(scene->CreateNodeByClass(node_class));
  if (!made)
    return nullptr;
  // The subject hierarchy asks once, when a node comes, whether it is hidden.
  const bool passing = std::any_of(kPassing, kPassing + 2, [&](const char *p) { return std::strcmp(p, role) == 0; });
  made->SetName((std::string(scan->GetName() ? scan->GetName() : kModule) + " " + Words(ending)).c_str());
  made->SetAttribute(kRole, role);
  made->SetHideFromEditors(passing);
  made->SetSaveWithScene(!passing);
  made->SetUndoEnabled(scan->GetUndoEnabled());  // nodes that refer to each other must agree
  vtkMRMLNode *node = scene->AddNode(made);
  if (!node)
    return nullptr;
  node->SetNodeReferenceID(kScan, scan->GetID());
  this->Beside(scan, node);
  return node;
}

void vtkSlicerCounterwarpLogic::Beside(vtkMRMLNode *scan, vtkMRMLNode *output) {
  vtkMRMLSubjectHierarchyNode *tree = vtkMRMLSubjectHierarchyNode::GetSubjectHierarchyNode(this->GetMRMLScene());
  if (!tree || !scan || !output)
    return;
  const vtkIdType item = tree->GetItemByDataNode(output), beside = tree->GetItemByDataNode(scan);
  if (item && beside)
    tree->SetItemParent(item, tree->GetItemParent(beside));
}

vtkMRMLScalarVolumeNode *vtkSlicerCounterwarpLogic::PutVolume(const char *role, const char *ending,
                                                              vtkMRMLScalarVolumeNode *scan, vtkImageData *image) {
  vtkMRMLScalarVolumeNode *node = vtkMRMLScalarVolumeNode::SafeDownCast(
      scan ? this->Output(role, "vtkMRMLScalarVolumeNode", scan, ending) : nullptr);
  if (!node)
    return nullptr;
  const int was = node->StartModify();
  node->CopyOrientation(scan);
  node->SetAndObserveTransformNodeID(scan->GetTransformNodeID());
  if (!node->GetDisplayNode()) {
    // Levels that Slicer finds for itself cost a histogram of all voxels at each change; these suit a Jacobian.
    node->CreateDefaultDisplayNodes();
    if (vtkMRMLScalarVolumeDisplayNode *display = node->GetScalarVolumeDisplayNode()) {
      display->SetAutoWindowLevel(0);
      display->SetWindowLevelMinMax(0.5, 1.5);
    }
  }
  node->SetAndObserveImageData(image);
  node->EndModify(was);
  return node;
}

vtkMRMLScalarVolumeNode *vtkSlicerCounterwarpLogic::PutImage(vtkMRMLScalarVolumeNode *scan, vtkImageData *image) {
  vtkMRMLScalarVolumeNode *node =
      this->PutVolume("Image", QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "simulated"), scan, image);
  vtkMRMLScalarVolumeDisplayNode *like = scan ? scan->GetScalarVolumeDisplayNode() : nullptr;
  if (node && like && node->GetScalarVolumeDisplayNode())
    node->GetScalarVolumeDisplayNode()->SetWindowLevel(like->GetWindow(), like->GetLevel());
  return node;
}

vtkMRMLScalarVolumeNode *vtkSlicerCounterwarpLogic::PutJacobian(vtkMRMLScalarVolumeNode *scan, vtkImageData *jacobian) {
  return this->PutVolume("Jacobian", QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "Jacobian"), scan, jacobian);
}

vtkMRMLScalarVolumeNode *vtkSlicerCounterwarpLogic::PutOverlay(vtkMRMLScalarVolumeNode *scan, vtkImageData *overlay,
                                                               double scale) {
  vtkMRMLScalarVolumeNode *node = this->PutVolume(
      "Overlay", QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "volume change (-log J)"), scan, overlay);
  this->Colour(node, scale);
  return node;
}

vtkMRMLScalarVolumeNode *vtkSlicerCounterwarpLogic::PutSaliency(vtkMRMLScalarVolumeNode *scan, const cw_volume &map,
                                                                double scale, const std::string &method,
                                                                const std::string &verdict) {
  vtkMRMLScalarVolumeNode *node =
      this->PutVolume(("Saliency." + method).c_str(),
                      (Words(QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "saliency %1"), method)).c_str(), scan,
                      imageOf(map.grid.size, map.data, 1));
  this->Colour(node, scale);
  if (node) {
    node->SetAttribute("Counterwarp.Method", method.c_str());
    node->SetAttribute("Counterwarp.Sanity", verdict.c_str());
    node->SetDescription(verdict.c_str());
  }
  return node;
}

void vtkSlicerCounterwarpLogic::Colour(vtkMRMLScalarVolumeNode *node, double scale) {
  vtkMRMLScalarVolumeDisplayNode *display = node ? node->GetScalarVolumeDisplayNode() : nullptr;
  if (!display)
    return;
  if (vtkMRMLColorTableNode *colours = this->Colours())
    display->SetAndObserveColorNodeID(colours->GetID());
  display->SetWindowLevel(2 * scale, 0);
}

vtkMRMLColorTableNode *vtkSlicerCounterwarpLogic::Colours() {
  vtkMRMLScene *scene = this->GetMRMLScene();
  if (!scene)
    return nullptr;
  auto *node = vtkMRMLColorTableNode::SafeDownCast(scene->GetSingletonNode(kModule, "vtkMRMLColorTableNode"));
  if (!node) {
    vtkNew<vtkMRMLColorTableNode> made;
    made->SetSingletonTag(kModule);
    made->SetName("CounterwarpChange");
    made->SetAttribute("Category", "Counterwarp");
    node = vtkMRMLColorTableNode::SafeDownCast(scene->AddNode(made));
  }
  // A scene that was saved without the table's own file has an empty one.
  const auto colour = [](int i) { return counterwarp::overlay_colour(2.0 * i / (kColours - 1) - 1); };
  const auto first = colour(0);
  double there[4] = {0, 0, 0, 0};
  if (node->GetLookupTable() && node->GetNumberOfColors() == kColours)
    node->GetLookupTable()->GetTableValue(0, there);
  if (std::fabs(there[2] - first[2]) < 0.01 && there[3] > 0)
    return node;
  const int was = node->StartModify();
  node->SetType(vtkMRMLColorTableNode::User);
  node->SetNumberOfColors(kColours);
  for (int i = 0; i < kColours; i++) {
    const auto c = colour(i);
    node->SetColor(i, std::to_string(i).c_str(), c[0], c[1], c[2], c[3] < kFaint ? 0 : 1);
  }
  node->SetNamesInitialised(1);
  node->EndModify(was);
  return node;
}

void vtkSlicerCounterwarpLogic::Record(vtkMRMLNode *output, const Origin &origin) {
  const auto put = [output](const char *name, const std::string &value) {
    output->SetAttribute(name, value.empty() ? nullptr : value.c_str());
  };
  if (!output)
    return;
  put("Counterwarp.Model", origin.model);
  put("Counterwarp.Alignment", origin.alignment);
  put("Counterwarp.Strength", origin.strength);
}

vtkMRMLGridTransformNode *vtkSlicerCounterwarpLogic::PutField(vtkMRMLScalarVolumeNode *scan, vtkImageData *field,
                                                              const cw_grid &grid) {
  vtkMRMLGridTransformNode *node = vtkMRMLGridTransformNode::SafeDownCast(this->Output(
      "Field", "vtkMRMLGridTransformNode", scan, QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "displacement")));
  if (!node)
    return nullptr;
  vtkNew<vtkMatrix4x4> to_ras, directions;
  matrixOf(grid, to_ras);
  double spacing[3];
  cw_grid_spacing(&grid, spacing);
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++)
      directions->SetElement(r, c, to_ras->GetElement(r, c) / spacing[c]);
  vtkNew<vtkOrientedGridTransform> transform;
  transform->SetGridDirectionMatrix(directions);
  transform->SetDisplacementGridData(field);
  node->SetAndObserveTransformFromParent(transform);
  return node;
}

vtkMRMLScalarVolumeNode *vtkSlicerCounterwarpLogic::PutPassing(Passing what, const cw_grid &grid, const float *image,
                                                               vtkMRMLScalarVolumeNode *scan) {
  vtkMRMLScalarVolumeNode *node = vtkMRMLScalarVolumeNode::SafeDownCast(
      this->Output(kPassing[what], "vtkMRMLScalarVolumeNode", scan, kPassingNames[what]));
  if (!node)
    return nullptr;
  vtkNew<vtkMatrix4x4> to_ras;
  matrixOf(grid, to_ras);
  const int was = node->StartModify();
  node->SetIJKToRASMatrix(to_ras);
  node->SetAndObserveImageData(imageOf(grid.size, image, 1));
  if (!node->GetDisplayNode()) {
    node->CreateDefaultDisplayNodes();
    vtkMRMLScalarVolumeDisplayNode *display = node->GetScalarVolumeDisplayNode();
    vtkMRMLScalarVolumeDisplayNode *like = scan->GetScalarVolumeDisplayNode();
    if (display)
      display->SetSaveWithScene(false);
    if (display && like && what == Preview) {
      display->SetAutoWindowLevel(0);
      display->SetWindowLevel(like->GetWindow(), like->GetLevel());
    }
  }
  node->EndModify(was);
  return node;
}

void vtkSlicerCounterwarpLogic::ShowFrom(vtkMRMLScalarVolumeNode *passing, double least, double white) {
  vtkMRMLScalarVolumeDisplayNode *display = passing ? passing->GetScalarVolumeDisplayNode() : nullptr;
  if (!display)
    return;
  display->SetAutoWindowLevel(0);
  display->SetWindowLevelMinMax(least, white);
  display->SetAutoThreshold(0);
  display->SetThreshold(least, std::numeric_limits<float>::max());
  display->SetApplyThreshold(1);
}

void vtkSlicerCounterwarpLogic::RemovePassing(Passing what) {
  vtkMRMLScene *scene = this->GetMRMLScene();
  if (!scene || scene->IsClosing())
    return;
  for (vtkMRMLNode *node : this->Outputs(kPassing[what], "vtkMRMLScalarVolumeNode", nullptr))
    scene->RemoveNode(node);
}

vtkMRMLTableNode *vtkSlicerCounterwarpLogic::PutCurve(vtkMRMLScalarVolumeNode *scan,
                                                      const std::vector<double> &strengths,
                                                      const std::vector<double> &logits) {
  vtkMRMLTableNode *table = vtkMRMLTableNode::SafeDownCast(
      this->Output("CurveTable", "vtkMRMLTableNode", scan, QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "logits")));
  vtkMRMLPlotSeriesNode *series = vtkMRMLPlotSeriesNode::SafeDownCast(this->Output(
      "CurveSeries", "vtkMRMLPlotSeriesNode", scan, QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "logit")));
  vtkMRMLPlotChartNode *chart = vtkMRMLPlotChartNode::SafeDownCast(
      this->Output("CurveChart", "vtkMRMLPlotChartNode", scan,
                   QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "logit against strength")));
  if (!table || !series || !chart)
    return nullptr;
  vtkNew<vtkDoubleArray> x, y;
  x->SetName("Strength");
  y->SetName("Logit");
  for (size_t i = 0; i < strengths.size(); i++) {
    x->InsertNextValue(strengths[i]);
    y->InsertNextValue(logits[i]);
  }
  vtkNew<vtkTable> columns;
  columns->AddColumn(x);
  columns->AddColumn(y);
  table->SetAndObserveTable(columns);
  series->SetAndObserveTableNodeID(table->GetID());
  series->SetXColumnName("Strength");
  series->SetYColumnName("Logit");
  series->SetPlotType(vtkMRMLPlotSeriesNode::PlotTypeScatter);
  if (!chart->HasPlotSeriesNodeID(series->GetID()))
    chart->AddAndObservePlotSeriesNodeID(series->GetID());
  chart->SetTitle(
      Words(QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "Logit of the classifier: above 0 patient, below 0 control"))
          .c_str());
  chart->SetXAxisTitle(
      Words(QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "Strength: below 0 removed, above 0 injected")).c_str());
  chart->SetYAxisTitle(Words(QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "Logit")).c_str());
  return table;
}

vtkMRMLTableNode *vtkSlicerCounterwarpLogic::PutRegions(vtkMRMLScalarVolumeNode *scan,
                                                        const std::vector<Region> &regions) {
  if (regions.empty() && this->Outputs("RegionTable", "vtkMRMLTableNode", scan).empty())
    return nullptr;
  vtkMRMLTableNode *table = vtkMRMLTableNode::SafeDownCast(
      this->Output("RegionTable", "vtkMRMLTableNode", scan, QT_TRANSLATE_NOOP("vtkSlicerCounterwarpLogic", "regions")));
  if (!table)
    return nullptr;
  vtkNew<vtkStringArray> names;
  vtkNew<vtkIntArray> labels;
  vtkNew<vtkDoubleArray> changes, voxels;
  names->SetName("Region");
  labels->SetName("Label");
  changes->SetName("Change of volume, %");
  voxels->SetName("Voxels");
  for (const Region &region : regions) {
    names->InsertNextValue(region.name);
    labels->InsertNextValue(region.label);
    changes->InsertNextValue(region.percent);
    voxels->InsertNextValue(region.voxels);
  }
  vtkNew<vtkTable> columns;
  columns->AddColumn(names);
  columns->AddColumn(labels);
  columns->AddColumn(changes);
  columns->AddColumn(voxels);
  table->SetAndObserveTable(columns);
  return table;
}

void vtkSlicerCounterwarpLogic::Show(vtkMRMLScalarVolumeNode *background, vtkMRMLScalarVolumeNode *foreground,
                                     double opacity) {
  vtkMRMLApplicationLogic *application = this->GetMRMLApplicationLogic();
  vtkMRMLSelectionNode *selection = application ? application->GetSelectionNode() : nullptr;
  if (!selection)
    return;
  if (background)
    selection->SetActiveVolumeID(background->GetID());
  selection->SetSecondaryVolumeID(foreground ? foreground->GetID() : nullptr);
  application->PropagateVolumeSelection(0);
  std::vector<vtkMRMLNode *> composites;
  this->GetMRMLScene()->GetNodesByClass("vtkMRMLSliceCompositeNode", composites);
  for (vtkMRMLNode *node : composites)
    vtkMRMLSliceCompositeNode::SafeDownCast(node)->SetForegroundOpacity(opacity);
}
