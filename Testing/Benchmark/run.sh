#!/bin/sh
# Measures everything, and prints one TSV row a measurement: name, ours, unit, peer, the peer's figure, ratio (above 1:
# ours is better).  Figures are the best of several runs; peers do the same work on as many threads in the same run.
#   COUNTERWARP_BENCHMARK_PYTHON=FILE  a Python with PyTorch, and captum and grad-cam for saliency, MONAI, onnx and
#                                      onnxruntime for labs' classifiers (default: python3;
#                                      what it lacks leaves columns empty)
#   COUNTERWARP_BENCHMARK_QUICK=1      no sizes but 64, no torch.compile
# Programs beside bench_*.c print "name <tab> figure <tab> unit" rows, or with a leading "peer" column the peer's.
set -eu
cd "$(dirname "$0")/../.."

sh Resources/install.sh >&2
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
cmake --preset benchmark >&2
cmake --build build/benchmark --parallel "$jobs" >&2

programs=build/benchmark/Testing/Benchmark
rows=build/benchmark/rows.tsv
python=${COUNTERWARP_BENCHMARK_PYTHON:-python3}
peer=Testing/Benchmark/peer_pytorch.py
: >"$rows"

# Rows to the common file; what fails leaves its rows out and says so.
collect() {
  "$@" >>"$rows" || echo "run.sh: no figures of: $*" >&2
}

torch=1
"$python" -c "import torch, numpy" 2>/dev/null || torch=0
[ "$torch" = 1 ] || echo "run.sh: no PyTorch in $python: its columns stay empty" >&2

pytorch() {
  [ "$torch" = 0 ] || collect "$python" "$peer" "$@"
}
tuned() {
  [ "$torch" = 0 ] || collect env MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=8000000000 "$python" "$peer" "$@"
}

collect "$programs/bench_machine"
collect "$programs/bench_layers"
tuned layers
for work in "train 64 8" "train 64 1" "simulate 64 1" "classify 64 1" "classify 64 8"; do
  collect "$programs/bench_training" $work
  pytorch $work
  tuned $work
  [ -n "${COUNTERWARP_BENCHMARK_QUICK:-}" ] || tuned $work --compile
  # Ours and the peer once more, some minutes later: a busy spell of the machine must not decide.
  collect "$programs/bench_training" $work
  tuned $work
done
if [ -z "${COUNTERWARP_BENCHMARK_QUICK:-}" ]; then
  for size in 32 48 96 128; do
    for work in "train $size 1" "simulate $size 1"; do
      collect "$programs/bench_training" $work
      tuned $work
    done
  done
fi
captum=$torch
"$python" -c "import captum, pytorch_grad_cam" 2>/dev/null || captum=0
for method in gradient gradient-x-input guided-backprop gradcam gradcam-plusplus fullgrad rectgrad lrp-epsilon lrp-zplus \
  smoothgrad integrated-gradients occlusion; do
  collect "$programs/bench_saliency" 64 $method
  [ "$captum" = 0 ] ||
    collect env MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=8000000000 "$python" Testing/Benchmark/peer_captum.py 64 $method
done
# Labs' classifiers, where MONAI is there to make them.
"$python" -c "import torch, monai, onnx, onnxruntime" 2>/dev/null || torch=0
families=Testing/Benchmark/peer_families.py
tune="MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=8000000000"
for family in densenet121 resnet50b sfcn; do
  [ "$torch" = 1 ] || break
  file=build/benchmark/$family.onnx
  arguments=$("$python" "$families" export $family "$file" 2>/dev/null | tail -n 1)
  (
    IFS='	'
    # shellcheck disable=SC2086 # the name has spaces, the fields are apart by tabs
    collect "$programs/bench_import" $arguments
  )
  collect "$python" "$families" onnxruntime forward $family "$file"
  for work in forward gradient; do
    collect "$python" "$families" pytorch $work $family "$file"
    collect env $tune "$python" "$families" pytorch $work $family "$file"
  done
done
[ ! -x "$programs/warp_itk" ] || collect "$programs/warp_itk"

# Joins ours and the peers' rows by name and unit.  Rates are also set against the machine's own.
awk -F '\t' -v OFS='\t' '
  function ratio(ours, unit, figure) {
    return sprintf("%.2f", unit ~ /\/s$/ && unit != "s/sample" ? ours / figure : figure / ours)
  }
  function better(figure, than, unit) {
    return unit ~ /\/s$/ && unit != "s/sample" ? figure > than : figure < than
  }
  NF == 3 && !(($1, $3) in ours) { order[++count] = $1 SUBSEP $3; ours[$1, $3] = $2 }
  NF == 3 && better($2 + 0, ours[$1, $3] + 0, $3) { ours[$1, $3] = $2 }
  NF == 4 && !(($1, $2, $4) in theirs) { variants[$2, $4] = variants[$2, $4] $1 "\n"; theirs[$1, $2, $4] = $3 }
  NF == 4 && better($3 + 0, theirs[$1, $2, $4] + 0, $4) { theirs[$1, $2, $4] = $3 }
  END {
    for (row in variants) {
      split(row, key, SUBSEP)
      lines = split(variants[row], line, "\n")
      for (k = 1; k < lines; k++) peers[row] = peers[row] line[k] "\t" theirs[line[k], key[1], key[2]] "\n"
    }
    print "name", "ours", "unit", "peer", "peer_figure", "ratio"
    for (i = 1; i <= count; i++) {
      split(order[i], key, SUBSEP)
      list = peers[order[i]]
      if (key[2] == "GFLOP/s" && key[1] != "sgemm") list = list "sgemm here\t" ours["sgemm", "GFLOP/s"] "\n"
      if (key[2] == "GB/s" && key[1] !~ /^memory copy/)
        list = list "memory copy here\t" ours["memory copy, bytes read and written", "GB/s"] "\n"
      if (list == "") { print key[1], ours[order[i]], key[2], "", "", ""; continue }
      lines = split(list, line, "\n")
      for (k = 1; k < lines; k++) {
        split(line[k], field, "\t")
        print key[1], ours[order[i]], key[2], field[1], field[2], ratio(ours[order[i]], key[2], field[2])
      }
    }
  }' "$rows" | tee build/benchmark/benchmark.tsv
