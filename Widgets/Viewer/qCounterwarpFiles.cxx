#include "qCounterwarpFiles.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QSaveFile>
#include <QTextStream>

#include "counterwarp/nifti.h"
#include "Pictures/pictures.h"
#include "qCounterwarpWords.h"

namespace {

// Lines that start with a label and its name, as in AAL's "1 Precentral_L 2001".
QMap<int, QString> readLabels(const QString &file) {
  QMap<int, QString> labels;
  QFile table(file);
  if (!table.open(QIODevice::ReadOnly | QIODevice::Text))
    return labels;
  while (!table.atEnd() && labels.size() < 100000) {
    const QStringList words = QString::fromUtf8(table.readLine(4096)).simplified().split(QLatin1Char(' '));
    bool number = false;
    const int label = words.value(0).toInt(&number);
    if (number && words.size() > 1)
      labels.insert(label, words[1]);
  }
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
    loaded.labels = readLabels(table + QStringLiteral(".txt"));
  }
  cw_volume_free(listening, &read);
  cw_context_free(listening);
  return loaded;
}

QStringList qCounterwarpFiles::save(const qCounterwarpSaved &what, const QString &folder, QString *problem) {
  const bool inject = what.result->strength >= 0;
  const QString base = what.scan + (inject ? QStringLiteral("_desc-inject") : QStringLiteral("_desc-remove"));
  const cw_simulation &s = what.result->simulation;
  QStringList written;
  cw_context *context = nullptr;
  if (cw_context_create(nullptr, &context) != CW_OK) {
    *problem = qCounterwarpWords::failure("");
    return written;
  }
  const auto put = [&](const QString &ending, bool wanted, const cw_volume &volume, bool field) {
    if (!wanted || !problem->isEmpty())
      return;
    const QString name = base + ending;
    const QByteArray path = QFile::encodeName(QDir(folder).filePath(name));
    const cw_status status = field ? cw_nifti_write_field(context, path.constData(), &volume, CW_FIELD_RAS)
                                   : cw_nifti_write(context, path.constData(), &volume, CW_NIFTI_FLOAT32);
    if (status == CW_OK)
      written << name;
    else
      *problem = qCounterwarpWords::failure(cw_context_message(context));
  };
  put(QStringLiteral("_image.nii.gz"), what.outputs.volume, s.image, false);
  put(QStringLiteral("_field.nii.gz"), what.outputs.field, s.field, true);
  put(QStringLiteral("_jacobian.nii.gz"), what.outputs.jacobian, s.jacobian, false);
  put(QStringLiteral("_logjacobian.nii.gz"), what.outputs.jacobian, s.log_jacobian, false);
  cw_context_free(context);

  QString text = QStringLiteral("strength\tlogit\n");
  for (int i = 0; i < what.strengths.size(); i++)
    text += QStringLiteral("%1\t%2\n").arg(what.strengths[i]).arg(what.logits[i], 0, 'g', 7);
  if (problem->isEmpty() && !what.strengths.isEmpty() &&
      writeTable(QDir(folder).filePath(base + QStringLiteral("_curve.tsv")), text, problem))
    written << base + QStringLiteral("_curve.tsv");
  text = QStringLiteral("label\tregion\tvoxels\tchange_percent\n");
  for (int i = 0; i < what.regions.size(); i++)
    text += QStringLiteral("%1\t%2\t%3\t%4\n")
                .arg(what.regions[i].label)
                .arg(what.names[i])
                .arg(what.regions[i].voxels)
                .arg(100 * what.regions[i].change, 0, 'f', 2);
  if (problem->isEmpty() && !what.regions.isEmpty() &&
      writeTable(QDir(folder).filePath(base + QStringLiteral("_regions.tsv")), text, problem))
    written << base + QStringLiteral("_regions.tsv");
  return written;
}
