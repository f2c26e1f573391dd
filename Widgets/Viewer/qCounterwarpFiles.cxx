#include "qCounterwarpFiles.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QSaveFile>

#include "counterwarp/cohort.h"
#include "counterwarp/nifti.h"
#include "Pictures/pictures.h"
#include "qCounterwarpWords.h"

namespace {

// None where there is no table.
QMap<int, QString> readLabels(cw_context *context, const QString &file) {
  QMap<int, QString> labels;
  cw_label_names names = cw_label_names();
  if (cw_label_names_read(context, QFile::encodeName(file).constData(), &names) == CW_OK)
    for (int i = 0; i < names.count; i++)
      labels.insert(names.item[i].label, QString::fromUtf8(names.item[i].name));
  cw_label_names_free(context, &names);
  return labels;
}

// From a sample of the voxels, so that a large scan costs no more than a small one.
double whiteOf(const cw_volume &volume) {
  const size_t samples = cw_grid_samples(&volume.grid), step = samples / 500000 + 1;
  std::vector<float> some;
  for (size_t i = 0; i < samples; i += step)
    some.push_back(volume.data[i]);
  const double white = counterwarp::absolute_quantile(some, 0.998);
  return white > 0 ? white : 1;
}

bool writeTable(const QString &file, const QString &text, QString *problem) {
  QSaveFile out(file);
  if (out.open(QIODevice::WriteOnly) && out.write(text.toUtf8()) >= 0 && out.commit())
    return true;
  *problem = QFileInfo(file).fileName() + QStringLiteral(": ") + out.errorString();
  return false;
}

}  // namespace

bool qCounterwarpFiles::isScan(const QString &file) {
  return file.endsWith(QLatin1String(".nii"), Qt::CaseInsensitive) ||
         file.endsWith(QLatin1String(".nii.gz"), Qt::CaseInsensitive);
}

bool qCounterwarpFiles::isModel(const QString &file) {
  return file.endsWith(QLatin1String(".onnx"), Qt::CaseInsensitive);
}

QString qCounterwarpFiles::nameOf(const QString &file) {
  QString name = QFileInfo(file).fileName();
  for (const char *ending : {".gz", ".nii"})
    if (name.endsWith(QLatin1String(ending), Qt::CaseInsensitive))
      name.chop(static_cast<int>(qstrlen(ending)));
  return name;
}

qCounterwarpLoaded qCounterwarpFiles::load(const QString &file) {
  qCounterwarpLoaded loaded;
  loaded.file = file;
  loaded.name = nameOf(file);
  const std::shared_ptr<qCounterwarpVolume> volume = qCounterwarpVolume::empty();
  cw_context_options options = cw_context_options();
  options.warn = [](void *user, const char *sentence) {
    static_cast<qCounterwarpLoaded *>(user)->warnings << QString::fromUtf8(sentence);
  };
  options.user = &loaded;
  cw_context *listening = nullptr;  // hears the warnings; the volume's own context outlives this call
  if (!volume || cw_context_create(&options, &listening) != CW_OK) {
    loaded.problem = qCounterwarpWords::failure("");
    return loaded;
  }
  cw_volume read = cw_volume();
  if (cw_nifti_read(listening, QFile::encodeName(file).constData(), &read) != CW_OK) {
    loaded.problem = qCounterwarpWords::failure(cw_context_message(listening));
  } else if (cw_volume_copy(volume->context(), &read, &volume->volume) != CW_OK) {
    loaded.problem = qCounterwarpWords::failure("");
  } else {
    loaded.volume = volume;
    loaded.white = whiteOf(volume->volume);
    QString table = file;
    if (table.endsWith(QLatin1String(".gz"), Qt::CaseInsensitive))
      table.chop(3);
    loaded.labels = readLabels(listening, table + QStringLiteral(".txt"));
  }
  cw_volume_free(listening, &read);
  cw_context_free(listening);
  return loaded;
}

namespace {

// One folder's files, until the first that cannot be written.
class Writer {
 public:
  Writer(cw_context *context, const QString &folder, const QString &base, QString *problem)
      : context_(context), folder_(folder), base_(base), problem_(problem) {}

  // A field of three components, or an image.
  void put(const QString &ending, const cw_volume &volume) {
    if (!problem_->isEmpty())
      return;
    const QByteArray path = QFile::encodeName(folder_.filePath(base_ + ending));
    const cw_status status = volume.components == 3
                                 ? cw_nifti_write_field(context_, path.constData(), &volume, CW_FIELD_RAS)
                                 : cw_nifti_write(context_, path.constData(), &volume, CW_NIFTI_FLOAT32);
    if (status == CW_OK)
      written << base_ + ending;
    else
      *problem_ = qCounterwarpWords::failure(cw_context_message(context_));
  }
  void put(const QString &ending, const QString &text) {
    if (problem_->isEmpty() && writeTable(folder_.filePath(base_ + ending), text, problem_))
      written << base_ + ending;
  }

  QStringList written;

 private:
  cw_context *context_;
  QDir folder_;
  QString base_, *problem_;
};

QString curveTable(const qCounterwarpSaved &what) {
  QString text = QStringLiteral("strength\tlogit\n");
  for (int i = 0; i < what.strengths.size(); i++)
    text += QStringLiteral("%1\t%2\n").arg(what.strengths[i]).arg(what.logits[i], 0, 'g', 7);
  return text;
}

QString regionTable(const qCounterwarpSaved &what) {
  QString text = QStringLiteral("label\tregion\tvoxels\tchange_percent\n");
  for (int i = 0; i < what.regions.size(); i++)
    text += QStringLiteral("%1\t%2\t%3\t%4\n")
                .arg(what.regions[i].label)
                .arg(what.names[i])
                .arg(what.regions[i].voxels)
                .arg(100 * what.regions[i].change, 0, 'f', 2);
  return text;
}

// What the files were made from and with.
QString sideCar(const qCounterwarpSaved &what, const QStringList &files) {
  const cw_simulation &s = what.result->simulation;
  QJsonObject json;
  json[QStringLiteral("about")] =
      QStringLiteral("One position of the slider of counterwarp-viewer. For research use only.");
  json[QStringLiteral("source")] = what.scanFile;
  json[QStringLiteral("model")] = what.origin.model;
  json[QStringLiteral("strength")] = what.result->strength;
  json[QStringLiteral("strength_note")] = QStringLiteral("above 0 injected, below 0 removed");
  json[QStringLiteral("logit")] =
      QJsonObject{{QStringLiteral("before"), s.logit_before}, {QStringLiteral("after"), s.logit_after}};
  json[QStringLiteral("folded_voxels")] = static_cast<double>(s.folded);
  json[QStringLiteral("sign")] =
      QStringLiteral("The field is a pull-back, out(x) = in(x + u(x)), RAS mm: J above 1 where tissue shrank.");
  QJsonArray numbers;
  for (int i = 0; what.origin.alignment && i < 12; i++)
    numbers << what.origin.alignment->m[i / 4][i % 4];
  json[QStringLiteral("transform_lps")] = numbers.isEmpty() ? QJsonValue() : QJsonValue(numbers);
  if (what.saliency)
    json[QStringLiteral("saliency")] = QJsonObject{{QStringLiteral("method"), what.saliency->method},
                                                   {QStringLiteral("problem"), what.saliency->problem},
                                                   {QStringLiteral("sanity"), what.verdict.text}};
  json[QStringLiteral("files")] = QJsonArray::fromStringList(files);
  json[QStringLiteral("version")] = QString::fromLatin1(cw_version());
  return QString::fromUtf8(QJsonDocument(json).toJson());
}

}  // namespace

QStringList qCounterwarpFiles::save(const qCounterwarpSaved &what, const QString &folder, QString *problem) {
  const bool inject = what.result->strength >= 0;
  const QString base = what.scan + (inject ? QStringLiteral("_desc-inject") : QStringLiteral("_desc-remove"));
  const QString car = QStringLiteral("_viewer.json");
  const cw_simulation &s = what.result->simulation;
  cw_context *context = nullptr;
  if (cw_context_create(nullptr, &context) != CW_OK) {
    *problem = qCounterwarpWords::failure("");
    return QStringList();
  }
  QFile::remove(QDir(folder).filePath(base + car));  // it comes last: where it stands, the files are its own
  Writer writer(context, folder, base, problem);
  if (what.outputs.volume)
    writer.put(QStringLiteral("_image.nii.gz"), s.image);
  if (what.outputs.field)
    writer.put(QStringLiteral("_field.nii.gz"), s.field);
  if (what.outputs.jacobian) {
    writer.put(QStringLiteral("_jacobian.nii.gz"), s.jacobian);
    writer.put(QStringLiteral("_logjacobian.nii.gz"), s.log_jacobian);
  }
  if (what.saliency)
    writer.put(QStringLiteral("_%1_saliency.nii.gz").arg(QString(what.saliency->method).replace('.', '-')),
               what.saliency->map->volume);
  cw_context_free(context);
  if (!what.strengths.isEmpty())
    writer.put(QStringLiteral("_curve.tsv"), curveTable(what));
  if (!what.regions.isEmpty())
    writer.put(QStringLiteral("_regions.tsv"), regionTable(what));
  writer.put(car, sideCar(what, writer.written));
  return writer.written;
}
