// What `counterwarp sanity` found for a classifier: whether the maps of a saliency method depend on it.
#pragma once

#include <QString>

struct qCounterwarpVerdict {
  enum Kind { NotChecked, Depends, Undecided, Fails };
  Kind kind = NotChecked;
  QString text;  // one or two sentences for the user
};

namespace qCounterwarpSanity {

// sanity.json beside a model's file or in the folder "sanity" there; "" where there is none.
QString find(const QString &model_file);
// The verdict on one method for the classifier of that fingerprint (cw_graph_fingerprint).  Without a file, or with one
// that is about another classifier or cannot be read: NotChecked, and how to check.
qCounterwarpVerdict verdict(const QString &file, const QString &classifier, const QString &method);

}  // namespace qCounterwarpSanity
