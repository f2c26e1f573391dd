// A harness without libFuzzer: replay COUNT SEED_FILE...  runs each seed as it is, then COUNT damaged copies.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "counterwarp/random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int main(int count, char **arguments) {
  if (count < 3)
    return 2;
  std::vector<std::string> seeds;
  for (int i = 2; i < count; i++) {
    std::ifstream file(arguments[i], std::ios::binary);
    seeds.emplace_back((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  }
  const auto run = [](const std::string &bytes) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
  };
  for (const std::string &seed : seeds)
    run(seed);
  cw_random random = cw_random_stream(1, 0);
  const auto below = [&](size_t bound) { return bound ? cw_random_below(&random, static_cast<uint32_t>(bound)) : 0; };
  const int trials = std::atoi(arguments[1]);
  for (int trial = 0; trial < trials; trial++) {
    std::string bytes = seeds[below(seeds.size())];
    const uint32_t kind = below(8);
    if (kind == 0)
      bytes.resize(below(bytes.size()));
    else if (kind == 1)
      bytes.erase(below(bytes.size()), 1 + below(64));
    else if (kind == 2)
      bytes.insert(below(bytes.size()), bytes.substr(below(bytes.size()), 1 + below(64)));
    // Graphs stand in front of the weights: damage goes there more often than its share.
    for (uint32_t i = 0; kind > 2 && i <= below(6) && !bytes.empty(); i++) {
      char &byte = bytes[below(below(2) ? bytes.size() : bytes.size() / 4 + 1) % bytes.size()];
      byte = static_cast<char>(below(3) ? byte ^ (1 << below(8)) : below(256));
    }
    run(bytes);
  }
  std::printf("%d damaged files\n", trials);
  return 0;
}
