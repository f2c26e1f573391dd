#!/bin/sh
# The README's figures: trains two classifiers and a simulator on a cohort with a known effect, and prints the means over
# held-out scans.  Needs the built program; about ten minutes a cohort at 32^3 on two cores.
#   sh Testing/Benchmark/figures.sh spheres|brains [FOLDER]
set -eu
cd "$(dirname "$0")/../.."
kind=${1:?spheres or brains}
out=${2:-build/figures/$kind}
program=build/release/Module/CommandLine/counterwarp
templates=/usr/share/mricron/templates
table=$out/cohort/participants.tsv
mkdir -p "$out"

classifier_options="--flip true"
simulator_options="--flip true --steps 300"
if [ "$kind" = spheres ]; then
  classifier_options="--steps 400 --batch 32"
  simulator_options=""
fi

[ -f "$table" ] || $program cohort --kind "$kind" --out "$out/cohort"
for seed in 1 2; do
  model=$out/classifier-$seed.onnx
  [ -f "$model" ] || $program train-classifier --cohort "$table" --seed $seed --out "$model" --resume \
    $classifier_options
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
