#ifndef itkCounterwarpExecution_h
#define itkCounterwarpExecution_h

#include <algorithm>
#include <exception>
#include <sstream>

#include "counterwarp/context.h"
#include "itkMacro.h"
#include "itkMultiThreaderBase.h"
#include "itkProcessObject.h"

namespace itk {
/** \class CounterwarpExecution
 * \brief One run of the core on behalf of a filter.
 *
 * Owns a context of the core with the filter's number of work units (at most its threader's number of threads).
 * Progress of the core becomes the filter's ProgressEvents, AbortGenerateData stops the core, its warnings go where
 * ITK's go, and Check() turns its failures into exceptions that carry its sentence.  Nothing is shared between runs, so
 * that filters may run side by side.
 *
 * \ingroup ITKCounterwarp
 */
class CounterwarpExecution {
 public:
  ITK_DISALLOW_COPY_AND_MOVE(CounterwarpExecution);

  explicit CounterwarpExecution(ProcessObject *filter) : m_Filter(filter) {
    cw_context_options options{};
    options.progress = OnProgress;
    options.warn = OnWarning;
    options.user = this;
    options.threads = static_cast<int>(std::max<ThreadIdType>(
        1, std::min(filter->GetNumberOfWorkUnits(), filter->GetMultiThreader()->GetMaximumNumberOfThreads())));
    // As ITK's own: the first event comes before the work.
    filter->UpdateProgress(filter->GetProgress());
    if (filter->GetAbortGenerateData()) {
      this->ThrowAborted();
    }
    if (cw_context_create(&options, &m_Context) != CW_OK) {
      throw MemoryAllocationError(__FILE__, __LINE__, "out of memory", filter->GetNameOfClass());
    }
  }

  ~CounterwarpExecution() { cw_context_free(m_Context); }

  operator cw_context *() const { return m_Context; }

  /** What follows counts as [from, to] of the filter's progress. */
  void SetPart(float from, float to) {
    m_From = from;
    m_To = to;
  }

  /** Throws unless status is CW_OK: what an observer of the filter threw, ProcessAborted, or the core's sentence. */
  void Check(cw_status status) {
    if (m_Thrown) {
      std::rethrow_exception(std::exchange(m_Thrown, nullptr));
    }
    if (status == CW_OK) {
      return;
    }
    if (status == CW_ERROR_CANCELLED) {
      this->ThrowAborted();
    }
    throw ExceptionObject(__FILE__, __LINE__, this->Describe(cw_context_message(m_Context)),
                          m_Filter->GetNameOfClass());
  }

 private:
  std::string Describe(const char *sentence) const {
    std::ostringstream description;
    description << m_Filter->GetNameOfClass() << " (" << m_Filter << "): " << sentence;
    return description.str();
  }

  [[noreturn]] void ThrowAborted() const {
    ProcessAborted aborted(__FILE__, __LINE__);
    aborted.SetDescription(this->Describe("AbortGenerateData was set"));
    throw aborted;
  }

  static bool OnProgress(void *user, const char *, double fraction) noexcept {
    auto *self = static_cast<CounterwarpExecution *>(user);
    // Nothing may be thrown through the core.
    try {
      const float progress = self->m_From + static_cast<float>(fraction) * (self->m_To - self->m_From);
      if (progress > self->m_Filter->GetProgress()) {
        self->m_Filter->UpdateProgress(progress);
      }
    } catch (...) {
      self->m_Thrown = std::current_exception();
      return false;
    }
    return !self->m_Filter->GetAbortGenerateData();
  }

  static void OnWarning(void *user, const char *sentence) noexcept {
    auto *self = static_cast<CounterwarpExecution *>(user);
    if (!Object::GetGlobalWarningDisplay()) {
      return;
    }
    try {
      OutputWindowDisplayWarningText(("WARNING: " + self->Describe(sentence) + "\n\n").c_str());
    } catch (...) {
      self->m_Thrown = std::current_exception();
    }
  }

  ProcessObject *m_Filter;
  cw_context *m_Context{};
  std::exception_ptr m_Thrown;
  float m_From{0.0F};
  float m_To{1.0F};
};
}  // end namespace itk

#endif
