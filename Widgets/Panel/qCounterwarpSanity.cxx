#include "qCounterwarpSanity.h"

#include <QCoreApplication>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

namespace {

struct Words {
  Q_DECLARE_TR_FUNCTIONS(qCounterwarpSanity)
};

qCounterwarpVerdict notChecked(const QString &reason) {
  qCounterwarpVerdict verdict;
  verdict.text =
      reason + QLatin1Char(' ') +
      Words::tr(
          "To check: counterwarp sanity --model CLASSIFIER.onnx --cohort participants.tsv --out sanity, then "
          "choose sanity/sanity.json here.");
  return verdict;
}

QString string(const QJsonObject &object, const char *key) {
  return object.value(QLatin1String(key)).toString();
}

qCounterwarpVerdict read(const QJsonObject &item) {
  const QString weights = string(item, "on_weights"), output = string(item, "on_output");
  qCounterwarpVerdict verdict;
  verdict.text = string(item, "text");
  if (item.value(QLatin1String("failed")).toBool()) {
    verdict.kind = qCounterwarpVerdict::Fails;
    verdict.text.prepend(Words::tr("Fails its sanity check: the map is not what this classifier sees.") +
                         QLatin1Char(' '));
  } else if (weights == QLatin1String("depends") && output == QLatin1String("depends")) {
    verdict.kind = qCounterwarpVerdict::Depends;
    verdict.text.prepend(Words::tr("Depends on this classifier.") + QLatin1Char(' '));
  } else {
    verdict.kind = qCounterwarpVerdict::Undecided;
    verdict.text.prepend(Words::tr("Undecided.") + QLatin1Char(' '));
  }
  return verdict;
}

}  // namespace

QString qCounterwarpSanity::find(const QString &model_file) {
  const QDir folder(QFileInfo(model_file).absolutePath());
  for (const char *place : {"sanity.json", "sanity/sanity.json"})
    if (QFileInfo::exists(folder.filePath(QLatin1String(place))))
      return folder.filePath(QLatin1String(place));
  return QString();
}

qCounterwarpVerdict qCounterwarpSanity::verdict(const QString &file, const QString &classifier, const QString &method) {
  if (file.isEmpty())
    return notChecked(Words::tr("Not checked for this classifier."));
  QFile text(file);
  const QString name = QFileInfo(file).fileName();
  if (!text.open(QIODevice::ReadOnly))
    return notChecked(Words::tr("Not checked for this classifier: %1 cannot be read.").arg(name));
  const QJsonObject json = QJsonDocument::fromJson(text.readAll()).object();
  const QJsonArray methods = json.value(QLatin1String("methods")).toArray();
  if (methods.isEmpty())
    return notChecked(Words::tr("Not checked for this classifier: %1 holds no sanity checks.").arg(name));
  const QString about = string(json, "classifier_fingerprint");
  if (about.isEmpty() || about != classifier)
    return notChecked(Words::tr("Not checked for this classifier: %1 is about another one.").arg(name));
  for (const QJsonValue &item : methods)
    if (string(item.toObject(), "method") == method)
      return read(item.toObject());
  return notChecked(Words::tr("This method was not among those checked for this classifier."));
}
