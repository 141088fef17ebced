#!/bin/bash
#SBATCH --job-name="My_Run"
#SBATCH --partition="gpu,spare"
#SBATCH --account="lab"
#SBATCH --qos="high"
#SBATCH --nodes="2"
#SBATCH --ntasks-per-node="1"
#SBATCH --gpus-per-node="8"
#SBATCH --time="1440"
#SBATCH --signal="B:USR1@300"
#SBATCH --exclude="node[3-5],node9"
#SBATCH --output="/runs of the lab/My_Run/0123abcd/logs/slurm-%j.out"
#SBATCH --open-mode="append"
#SBATCH --exclusive
#SBATCH --requeue

run='/runs of the lab/My_Run/0123abcd'
request=stop-request
reason='Slurm announced the end of its job'
command=(
  python3
  -m
  sixnd.cli
  run
  '/runs of the lab/My_Run/0123abcd/submitted/plan.yaml'
  '--runs-dir=/runs of the lab'
  --base-dir=/data
)
judge=(
  srun
  --nodes=1
  --ntasks=1
  '--container-image=registry.example#team/sixnd:1'
  '--container-mounts=/runs of the lab:/runs of the lab,/data:/data'
  --container-env=HF_TOKEN
  python3
  -m
  sixnd.runner.launchers.again
  '/runs of the lab/My_Run/0123abcd'
)
endpoint="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1):29400"
# What announces the end of the job comes to this script alone, which asks the run by a file in its folder: a signal
# that `srun` passed on would reach the training processes' starter too, and end it.
set -u
began=$EPOCHSECONDS
asked=''
ended=''
# shellcheck disable=SC2329  # the trap calls it
ask() {
  asked=yes
  printf '%s' "$reason" > "$run/.$request.$SLURM_JOB_ID" && mv "$run/.$request.$SLURM_JOB_ID" "$run/$request"
}
trap ask USR1
trap 'ended=yes' TERM
# shellcheck disable=SC2016  # the shell of each machine expands it
srun --kill-on-bad-exit=1 "--cpus-per-task=$SLURM_CPUS_ON_NODE" '--container-image=registry.example#team/sixnd:1' '--container-mounts=/runs of the lab:/runs of the lab,/data:/data' --container-env=HF_TOKEN sh -c 'exec "$@" "--node-rank=$SLURM_NODEID"' sixnd "${command[@]}" "--endpoint=$endpoint" &
step=$!
while true; do
  wait "$step"
  code=$?
  # A signal ends `wait` early.
  kill -0 "$step" 2> /dev/null || break
done
"${judge[@]}" "--since=$began" ${asked:+--asked} && again=yes || again=''
# Cancelled, or preempted without an announcement: Slurm has decided what follows, and ends this script, too.
while [ -n "$ended" ]; do
  sleep 1
done
if [ -n "$again" ]; then
  exec scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
