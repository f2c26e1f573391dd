#!/bin/sh
# The README's figures: trains two classifiers and a simulator on a cohort with a known effect, and prints the means over
# held-out scans.  Needs the built program.  On two cores about ten minutes for spheres and brains (32^3), half an hour
# more for whole (heads at 64^3, whose classifiers go on from those of brains: from nothing 800 scans were not enough).
#   sh Testing/Benchmark/figures.sh spheres|brains|whole [FOLDER [FOLDER OF brains]]
set -eu
cd "$(dirname "$0")/../.."
kind=${1:?spheres, brains or whole}
out=${2:-build/figures/$kind}
program=build/release/Module/CommandLine/counterwarp
templates=/usr/share/mricron/templates
table=$out/cohort/participants.tsv
mkdir -p "$out"

cohort_options="--kind brains"
classifier_options="--flip true --erase 0.5"
simulator_options="--steps 300"
start=""
case $kind in
  spheres)
    cohort_options="--kind spheres"
    classifier_options="--steps 400 --batch 32"
    simulator_options=""
    ;;
  whole)
    cohort_options="--kind brains --size 64 --seed 2"
    classifier_options="--flip true --steps 400"
    simulator_options="--steps 625"
    start=${3:-build/figures/brains}/classifier
    ;;
esac

[ -f "$table" ] || $program cohort $cohort_options --out "$out/cohort"
for seed in 1 2; do
  model=$out/classifier-$seed.onnx
  [ -f "$model" ] || $program train-classifier --cohort "$table" --seed $seed --out "$model" --resume \
    $classifier_options ${start:+--start "$start-$seed.onnx"}
done
[ -f "$out/simulator.onnx" ] || $program train-simulator --cohort "$table" --classifier "$out/classifier-1.onnx" \
  --out "$out/simulator.onnx" --resume $simulator_options
for direction in inject remove; do
  $program simulate --model "$out/simulator.onnx" --direction $direction --cohort "$table" --held-out-only --resume \
    --group "$([ $direction = inject ] && echo control || echo patient)" --out "$out/simulations"
done
atlas=""
[ "$kind" = spheres ] || atlas="--atlas $templates/aal.nii.gz --labels $templates/aal.nii.txt"
$program group --simulations "$out/simulations" --cohort "$table" --second "$out/classifier-2.onnx" $atlas \
  --out "$out/group"
$program report --simulations "$out/simulations" --cohort "$table" --group "$out/group" \
  --classifier "$out/classifier-1.onnx" --simulator "$out/simulator.onnx" --out "$out/report.html"

# Means over scans, by direction; true counts as 1.
for file in scores scans transfer; do
  awk -F '\t' -v file=$file '
    NR == 1 { for (i = 1; i <= NF; i++) name[i] = $i; next }
    { n[$2]++; for (i = 3; i <= NF; i++) sum[$2, i] += $i == "true" ? 1 : $i }
    END { for (d in n) for (i = 3; i in name; i++)
            if (name[i] != "group") printf "%s\t%s\t%s\t%.4g\n", file, d, name[i], sum[d, i] / n[d] }' \
    "$out/group/$file.tsv"
done
[ -z "$atlas" ] || head -n 4 "$out/group/regions.tsv"
