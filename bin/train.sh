#!/usr/bin/env bash
# Trains on one machine: bin/train.sh CONFIG OUT GPUS [OPTIONS OF gsva train ...]
#
#   bin/train.sh configs/paper/vicuna-7b-pretrain.json5 runs/vicuna-7b-pretrain 8
#   bin/train.sh configs/paper/vicuna-7b-pretrain.json5 runs/vicuna-7b-pretrain 1 --data /data/gsva
#   SAMPLES_PER_UPDATE=16 bin/train.sh configs/tiny.json5 runs/tiny 2 --engine openblas
#
# GPUS is the number of processes, each on its own GPU, or its share of the processors where there is none. Whatever their
# number, an update takes SAMPLES_PER_UPDATE samples (160, the paper's: 2 × 8 GPUs × 10): the micro-batches of each process
# follow from it. The same command goes on where a run was stopped. docs/training.md has all commands.
set -euo pipefail

usage() {
  sed -n '2,6p' "$0" >&2
  exit 2
}

[ "$#" -ge 3 ] || usage
config="$1" out="$2" gpus="$3"
shift 3
[[ "$gpus" =~ ^[1-9][0-9]*$ ]] || usage

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
gsva=(node "$here/gsva.js" train --config "$config" --out "$out")
samples="${SAMPLES_PER_UPDATE:-160}"
batch="${BATCH_SIZE:-2}"
if [ $((samples % (batch * gpus))) -ne 0 ]; then
  echo "train.sh: $samples samples an update are not a multiple of $gpus processes × $batch samples" >&2
  exit 2
fi
options=(--resume auto --set "training.batchSize=$batch" "training.accumulation=$((samples / (batch * gpus)))")

if [ "$gpus" -eq 1 ]; then
  exec "${gsva[@]}" "${options[@]}" "$@"
fi
mpi=(mpirun -np "$gpus" --bind-to none)
# What Open MPI asks for in containers, and on machines with fewer processors than processes.
if [ "$(id -u)" -eq 0 ]; then
  mpi+=(--allow-run-as-root)
fi
if [ "$gpus" -gt "$(nproc)" ]; then
  mpi+=(--oversubscribe)
fi
exec "${mpi[@]}" "${gsva[@]}" "${options[@]}" "$@"
