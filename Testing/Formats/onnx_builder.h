// ONNX files from plain bytes: the wire format of protocol buffers, so that tests can write what no library would.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

namespace onnx_file {

class Message {
 public:
  Message &number(int field, int64_t value) {
    varint(static_cast<uint64_t>(field) << 3);
    varint(static_cast<uint64_t>(value));
    return *this;
  }
  Message &text(int field, const std::string &value) {
    varint(static_cast<uint64_t>(field) << 3 | 2);
    varint(value.size());
    bytes += value;
    return *this;
  }
  Message &part(int field, const Message &value) { return text(field, value.bytes); }
  std::string bytes;

 private:
  void varint(uint64_t value) {
    for (; value > 127; value >>= 7)
      bytes += static_cast<char>(value | 128);
    bytes += static_cast<char>(value);
  }
};

using Dims = std::vector<int64_t>;

template <class T>
std::string raw(std::initializer_list<T> values) {
  std::string bytes;
  for (const T value : values)
    bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
  return bytes;
}

inline Message tensor(const std::string &name, int type, const Dims &dims, const std::string &data) {
  Message m;
  for (int64_t d : dims)
    m.number(1, d);
  return m.number(2, type).text(8, name).text(9, data);
}

inline Message floats(const std::string &name, const Dims &dims, std::initializer_list<float> values) {
  return tensor(name, 1, dims, raw<float>(values));
}

inline Message integers(const std::string &name, std::initializer_list<int64_t> values) {
  return tensor(name, 7, {static_cast<int64_t>(values.size())}, raw<int64_t>(values));
}

inline Message external(const std::string &name, const Dims &dims,
                        const std::vector<std::pair<std::string, std::string>> &entries) {
  Message m;
  for (int64_t d : dims)
    m.number(1, d);
  m.number(2, 1).text(8, name);
  for (const auto &[key, value] : entries)
    m.part(13, Message().text(1, key).text(2, value));
  return m.number(14, 1);
}

inline Message attribute(const std::string &name, int64_t value) {
  return Message().text(1, name).number(3, value).number(20, 2);
}
inline Message attribute(const std::string &name, const Dims &values) {
  Message m;
  m.text(1, name);
  for (int64_t v : values)
    m.number(8, v);
  return m.number(20, 7);
}
inline Message attribute(const std::string &name, const std::string &value) {
  return Message().text(1, name).text(4, value).number(20, 3);
}

inline Message node(const std::string &op, const std::vector<std::string> &inputs, const std::string &output,
                    const std::vector<Message> &attributes = {}) {
  Message m;
  for (const std::string &input : inputs)
    m.text(1, input);
  m.text(2, output).text(3, output + " node").text(4, op);
  for (const Message &a : attributes)
    m.part(5, a);
  return m;
}

// dims: 0 is a symbol.
inline Message value(const std::string &name, const Dims &dims, int type = 1) {
  Message shape;
  for (int64_t d : dims)
    shape.part(1, d ? Message().number(1, d) : Message().text(2, "N"));
  return Message().text(1, name).part(2, Message().part(1, Message().number(1, type).part(2, shape)));
}

inline std::string model(const std::vector<Message> &nodes, const std::vector<Message> &tensors, const Message &input,
                         const Message &output, int opset = 17) {
  Message graph;
  for (const Message &n : nodes)
    graph.part(1, n);
  graph.text(2, "graph");
  for (const Message &t : tensors)
    graph.part(5, t);
  graph.part(11, input).part(12, output);
  return Message().number(1, 8).part(7, graph).part(8, Message().text(1, "").number(2, opset)).bytes;
}

}  // namespace onnx_file
