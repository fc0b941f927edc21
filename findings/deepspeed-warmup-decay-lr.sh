#!/bin/sh
# DeepSpeed's WarmupDecayLR does not begin with its warm-up.
#
# Versions: deepspeed 0.15.0 (which GSVA's published code pins) and 0.19.8, from PyPI.
# Behaviour: engine.step() steps the scheduler behind the optimizer, so that update k has the rate of the scheduler's
#   step k - 1, and update 0 has what the optimizer was made with. In 0.15.0 nothing sets that: the first update has the
#   FULL rate, the second has 0, all others are one update late. In 0.19.8 the constructor sets 0: updates 0 and 1 have 0.
# Output, warm-up 4 (linear), total 10, rate 1:
#   0.15.0: 1 0 0.25 0.5 0.75 1 0.8333 0.6667
#   0.19.8: 0 0 0.25 0.5 0.75 1 0.8333 0.6667
#
# Nothing of this project is run. The sdists are fetched by pip; of each, deepspeed/runtime/lr_schedules.py runs as it
# is. That file needs two things of its imports, which stand-ins give in place of 200 MB of torch: the class
# torch.optim.Optimizer (an object with param_groups) and torch.is_tensor (False: rates here are plain numbers).
# Needs python3 (3.8 or newer), pip, and PyPI. Exits 0 if it is as described, 1 if not, 2 if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
for version in 0.15.0 0.19.8; do
  pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: "deepspeed==$version" >pip.log 2>&1 ||
    { cat pip.log; echo "deepspeed $version cannot be fetched"; exit 2; }
  tar -xzf "deepspeed-$version.tar.gz" "deepspeed-$version/deepspeed/runtime/lr_schedules.py" || exit 2
done
cat >try.py <<'PYTHON'
import importlib.util, logging, sys, types

class Optimizer:
    def __init__(self, lr):
        self.param_groups = [{"lr": lr}]

torch, optim = types.ModuleType("torch"), types.ModuleType("torch.optim")
torch.optim, optim.Optimizer, torch.is_tensor = optim, Optimizer, lambda value: False
deepspeed, utils = types.ModuleType("deepspeed"), types.ModuleType("deepspeed.utils")
utils.logger = logging.getLogger("deepspeed")
sys.modules.update({"torch": torch, "torch.optim": optim, "deepspeed": deepspeed, "deepspeed.utils": utils})

SEEN = {
    "0.15.0": [1, 0, 0.25, 0.5, 0.75, 1, 0.8333, 0.6667],
    "0.19.8": [0, 0, 0.25, 0.5, 0.75, 1, 0.8333, 0.6667],
}
same = True
for version, seen in SEEN.items():
    spec = importlib.util.spec_from_file_location("lr", f"deepspeed-{version}/deepspeed/runtime/lr_schedules.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    optimizer = Optimizer(1.0)
    scheduler = module.WarmupDecayLR(optimizer, total_num_steps=10, warmup_min_lr=0, warmup_max_lr=1.0,
                                     warmup_num_steps=4, warmup_type="linear")
    rates = []
    for _ in seen:  # optimizer.step() with this rate, then the scheduler, as DeepSpeedEngine._take_model_step does
        rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step()
    print(f"deepspeed {version}:", *[f"{rate:.4g}" for rate in rates])
    same = same and all(abs(rate - was) < 1e-4 for rate, was in zip(rates, seen))
print("as described" if same else "NOT as described: the behaviour has changed")
sys.exit(0 if same else 1)
PYTHON
python3 try.py
