// Filters side by side in several threads.  Also built with the thread sanitizer (preset `threads`), alone.
#include <gtest/gtest.h>
#include <itkCommand.h>

#include <thread>

#include "filters_at_work.h"
#include "itkCounterwarpAlignToModelFilter.h"
#include "small_head.h"

namespace itk_test {
namespace {

// Filters of all kinds in several threads at once, one model among them: the bits of one after the other.
TEST(ItkNeighbours, DoNotDisturbEachOther) {
  const Models models;
  std::vector<std::vector<float>> expected;
  for (const char *name : names) {
    Work one = work(name, models);
    one.filter->Update();
    expected.push_back(one.result());
  }
  constexpr int threads = 4, rounds = 3;
  std::vector<std::string> failures[threads];
  std::vector<std::thread> team;
  for (int t = 0; t < threads; t++)
    team.emplace_back([&, t] {
      for (int i = 0; i < rounds * int(expected.size()); i++) {
        const size_t which = size_t(i + t) % expected.size();
        try {
          Work one = work(names[which], models);
          one.filter->SetNumberOfWorkUnits(unsigned(1 + (i + t) % 3));
          if (i % 5 == 4) {  // some are stopped on their way
            auto *filter = one.filter.GetPointer();
            const auto observer = filter->AddObserver(
                itk::ProgressEvent(), [filter](const itk::EventObject &) { filter->AbortGenerateDataOn(); });
            try {
              filter->Update();
            } catch (const itk::ProcessAborted &) {
            }
            filter->RemoveObserver(observer);
            filter->Modified();
          }
          one.filter->Update();
          if (!same(one.result(), expected[which]))
            failures[t].push_back(names[which]);
        } catch (const std::exception &e) {
          failures[t].push_back(e.what());
        }
      }
    });
  for (auto &one : team)
    one.join();
  for (const auto &list : failures)
    for (const auto &failure : list)
      ADD_FAILURE() << failure;
}

// The alignment has threads of its own.
TEST(ItkNeighbours, AlignSideBySide) {
  const auto model = small_head_model();
  constexpr int threads = 3;
  std::vector<double> found[threads];
  std::vector<std::thread> team;
  for (int t = 0; t < threads; t++)
    team.emplace_back([&, t] {
      auto align = itk::CounterwarpAlignToModelFilter<Scalar>::New();
      align->SetInput(small_head(Kind::Oblique, 4));
      align->SetModel(model);
      align->SetMaximumNumberOfIterations(5);
      align->SetNumberOfWorkUnits(unsigned(1 + t));
      align->Update();
      const auto parameters = align->GetTransform()->GetParameters();
      found[t].assign(parameters.begin(), parameters.end());
    });
  for (auto &one : team)
    one.join();
  for (const auto &one : found)
    EXPECT_EQ(one, found[0]);
}

// A model may be loaded anew while filters are at work with it.
TEST(ItkNeighbours, ReadWhileAtWork) {
  const Folder folder;
  write_model(fake(), folder.name("model.onnx"));
  Models models;
  models.simulator->ReadFile(folder.name("model.onnx"));
  Work reference = work("Classify", models);
  reference.filter->Update();
  const auto expected = reference.result();
  bool right = true;
  std::thread reader([&] {
    for (int i = 0; i < 20; i++)
      models.simulator->ReadFile(folder.name("model.onnx"));
  });
  for (int i = 0; i < 20; i++) {
    Work one = work("Classify", models);
    one.filter->Update();
    right = right && same(one.result(), expected);
  }
  reader.join();
  EXPECT_TRUE(right);
}

}  // namespace
}  // namespace itk_test
