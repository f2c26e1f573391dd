// NIfTI-1 files written byte by byte, in either byte order, apart from any library; and a folder for them.
#ifndef COUNTERWARP_TESTING_NIFTI_FILE_H
#define COUNTERWARP_TESTING_NIFTI_FILE_H

#include <zlib.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using Bytes = std::vector<unsigned char>;

class NiftiFile {
 public:
  explicit NiftiFile(bool big_endian = false) : big_(big_endian), bytes(352, 0) {
    put<int32_t>(0, 348);
    put<float>(76, 1);     // pixdim[0]
    put<float>(108, 352);  // vox_offset
    bytes[123] = 2;        // mm
    std::memcpy(&bytes[344], "n+1", 4);
  }
  template <typename T>
  void put(size_t at, T value) {
    unsigned char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    for (size_t i = 0; i < sizeof(T); i++)
      bytes[at + i] = raw[big_ ? sizeof(T) - 1 - i : i];  // the tests run on little-endian machines
  }
  template <typename T>
  void append(T value) {
    bytes.resize(bytes.size() + sizeof(T));
    put(bytes.size() - sizeof(T), value);
  }
  NiftiFile &dimensions(std::vector<int> size) {
    put<int16_t>(40, int16_t(size.size()));
    for (size_t axis = 0; axis < 7; axis++) {
      put<int16_t>(42 + 2 * axis, axis < size.size() ? int16_t(size[axis]) : int16_t(1));
      put<float>(80 + 4 * axis, 1);
    }
    return *this;
  }
  NiftiFile &type(int datatype, int bits) {
    put<int16_t>(70, int16_t(datatype));
    put<int16_t>(72, int16_t(bits));
    return *this;
  }
  NiftiFile &scale(float slope, float intercept) {
    put<float>(112, slope);
    put<float>(116, intercept);
    return *this;
  }
  NiftiFile &sform(const double ras[3][4], int code = 1) {
    put<int16_t>(254, int16_t(code));
    for (size_t r = 0; r < 3; r++)
      for (size_t c = 0; c < 4; c++)
        put<float>(280 + 16 * r + 4 * c, float(ras[r][c]));
    return *this;
  }
  NiftiFile &qform(float b, float c, float d, const float offset[3], const float spacing[3], float handed) {
    put<int16_t>(252, 1);
    put<float>(256, b), put<float>(260, c), put<float>(264, d);
    for (size_t axis = 0; axis < 3; axis++)
      put<float>(268 + 4 * axis, offset[axis]), put<float>(80 + 4 * axis, spacing[axis]);
    put<float>(76, handed);
    return *this;
  }

 private:
  bool big_;

 public:
  Bytes bytes;
};

inline Bytes compress(const Bytes &plain) {
  z_stream stream = {};
  if (deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    std::abort();
  Bytes packed(deflateBound(&stream, uLong(plain.size())));
  stream.next_in = const_cast<Bytef *>(plain.data()), stream.avail_in = uInt(plain.size());
  stream.next_out = packed.data(), stream.avail_out = uInt(packed.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
    std::abort();
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// A folder of its own for one test, removed with all that is in it.
class Folder {
 public:
  Folder() {
    // In memory where that is possible: the tests write thousands of small files.
    std::error_code error;
    const std::filesystem::path memory = "/dev/shm";
    std::string name = (memory / "counterwarp-XXXXXX").string();
    if (!std::filesystem::is_directory(memory, error) || !mkdtemp(&name[0])) {
      name = (std::filesystem::temp_directory_path() / "counterwarp-XXXXXX").string();
      if (!mkdtemp(&name[0]))
        std::abort();
    }
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder &) = delete;
  std::string operator/(const std::string &name) const { return (path_ / name).string(); }
  std::string put(const std::string &name, const Bytes &bytes) const {
    std::ofstream(path_ / name, std::ios::binary)
        .write(reinterpret_cast<const char *>(bytes.data()), std::streamsize(bytes.size()));
    return *this / name;
  }
  Bytes get(const std::string &name) const {
    std::ifstream file(path_ / name, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(file), {});
  }
  std::vector<std::string> list() const {
    std::vector<std::string> names;
    for (const auto &entry : std::filesystem::directory_iterator(path_))
      names.push_back(entry.path().filename().string());
    return names;
  }

 private:
  std::filesystem::path path_;
};

#endif
