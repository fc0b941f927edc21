#!/usr/bin/env bash
# Trains with Slurm: sbatch --nodes=1 bin/train-slurm.sh CONFIG OUT [OPTIONS OF gsva train ...]
#
#   sbatch --nodes=1 bin/train-slurm.sh configs/paper/vicuna-7b-pretrain.json5 runs/vicuna-7b-pretrain
#
# Submit it from the project's folder, which all machines must see under the same path, as they must see OUT and the data.
# More machines: --nodes=8. Whatever their number, an update takes SAMPLES_PER_UPDATE samples (160, the paper's). Five
# minutes before its time is over the job saves, and Slurm queues it again; it goes on from there.
#SBATCH --job-name=gsva
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=12
#SBATCH --mem=0
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR2@300
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

if [ "$#" -lt 2 ] || [ -z "${SLURM_NTASKS:-}" ]; then
  sed -n '2,4p' "$0" >&2
  exit 2
fi
config="$1" out="$2"
shift 2

samples="${SAMPLES_PER_UPDATE:-160}"
batch="${BATCH_SIZE:-2}"
if [ $((samples % (batch * SLURM_NTASKS))) -ne 0 ]; then
  echo "train-slurm.sh: $samples samples an update are not a multiple of $SLURM_NTASKS processes × $batch samples" >&2
  exit 2
fi
options=(--resume auto --set "training.batchSize=$batch" "training.accumulation=$((samples / (batch * SLURM_NTASKS)))")

# Slurm runs a copy of this script, so `gsva` is looked for in the folder that it was submitted from.
gsva="${SLURM_SUBMIT_DIR:-$PWD}/bin/gsva.js"
srun --mpi="${SLURM_MPI:-pmix}" --kill-on-bad-exit=1 \
  node "$gsva" train --config "$config" --out "$out" "${options[@]}" "$@" &
job=$!

# The signal comes to this script alone. srun passes it on to all ranks, they save, and the job is queued again.
stopped=0
trap 'stopped=1; kill -USR2 "$job"' USR2
code=0
wait "$job" || code=$?
if [ "$stopped" -eq 1 ]; then
  code=0
  wait "$job" || code=$?
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
