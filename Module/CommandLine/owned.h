// Owners of the library's structures: freed with the context that they were made with.
#pragma once

#include <memory>

#include "counterwarp/cohort.h"
#include "counterwarp/model.h"
#include "counterwarp/results.h"

namespace program {

template <class T, void (*Free)(cw_context *, T *)>
class Owned {
 public:
  explicit Owned(cw_context *context) : context_(context) {}
  ~Owned() { Free(context_, &value_); }
  Owned(Owned &&other) noexcept : context_(other.context_), value_(other.value_) { other.value_ = T{}; }
  Owned &operator=(Owned &&other) noexcept {
    std::swap(context_, other.context_);
    std::swap(value_, other.value_);
    return *this;
  }
  Owned(const Owned &) = delete;
  Owned &operator=(const Owned &) = delete;

  T *get() { return &value_; }
  const T *get() const { return &value_; }
  T *operator->() { return &value_; }
  const T *operator->() const { return &value_; }
  T &operator*() { return value_; }
  const T &operator*() const { return value_; }

 private:
  cw_context *context_;
  T value_{};
};

using Volume = Owned<cw_volume, cw_volume_free>;
using Table = Owned<cw_table, cw_table_free>;
using Dataset = Owned<cw_dataset, cw_dataset_free>;
using Model = Owned<cw_model, cw_model_free>;
using Subject = Owned<cw_subject, cw_subject_free>;
using Simulation = Owned<cw_simulation, cw_simulation_free>;

// Owner of something behind a pointer (cw_graph, cw_cohort).
template <class T, void (*Free)(cw_context *, T *)>
class Handle {
 public:
  explicit Handle(cw_context *context) : context_(context) {}
  ~Handle() {
    if (pointer_)
      Free(context_, pointer_);
  }
  Handle(const Handle &) = delete;
  Handle &operator=(const Handle &) = delete;
  T **out() { return &pointer_; }
  T *get() const { return pointer_; }
  T *release() {
    T *p = pointer_;
    pointer_ = nullptr;
    return p;
  }

 private:
  cw_context *context_;
  T *pointer_ = nullptr;
};

using Graph = Handle<cw_graph, cw_graph_free>;
using Cohort = Handle<cw_cohort, cw_cohort_free>;

}  // namespace program
