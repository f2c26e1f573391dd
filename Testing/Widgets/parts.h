// Parts of a widget by the names that its .ui file gives them.
#pragma once

#include <QLabel>
#include <QWidget>

namespace widgets_test {

template <class T>
T *part_of(const QWidget *widget, const char *name) {
  T *found = widget->findChild<T *>(QLatin1String(name));
  if (!found)
    qFatal("no %s", name);
  return found;
}

// What the panel says; empty while it says nothing.
inline QString message_of(const QWidget *widget) {
  const QLabel *label = part_of<QLabel>(widget, "messageLabel");
  return label->isVisible() ? label->text() : QString();
}

}  // namespace widgets_test
