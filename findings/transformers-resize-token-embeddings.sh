#!/bin/sh
# transformers: tokens added by resize_token_embeddings are all one vector, in bfloat16 nearly to the last bit.
#
# Versions: transformers 4.57.1 and 5.24.0, torch 2.9.1, from PyPI (Python 3.11).
# Guess before the run: three new tokens ([SEG], [BOX], [REJ]) get three rows drawn with the config's initializer_range
#   (0.02); or, as the method's text and its warning have it, "from a multivariate normal distribution that has old
#   embeddings' mean and covariance": as long as the old rows, and as different from each other.
# Behaviour: the covariance is multiplied by 1e-9 first, so that all new rows are the mean of the old ones, give or take
#   1/30000 of their spread; bfloat16 rounds most of that away. If the covariance is not positive definite (fewer tokens
#   than dimensions are enough) they are exactly the mean, in float32 as well. This holds for inputs and outputs: the
#   new tokens mean the same and have one logit until a training tells them apart. mean_resizing=False draws them.
# Output (both versions), old rows with spread 0.02 round a mean of that size: distance of two new rows over that of two
#   old ones; equal numbers of two new rows; difference of the new tokens' logits:
#   20000 tokens, 256 dimensions, float32:            3e-5     0 %   3e-5
#   the same in bfloat16:                             5e-4    94 %   1e-3
#   300 tokens, 512 dimensions, float32:                 0   100 %      0
#   20000 tokens, float32, mean_resizing=False:       0.95     0 %    1.2
#
# Nothing of this project is run; the models are small and drawn here. torch's wheel for Linux is that for CUDA: some
# 3 GB to fetch and 7 GB in the temporary folder, though all runs on the CPU. Exits 0 if it is as described, 1 if not, 2
# if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
get() { # packages: pinned wheels from PyPI, in the virtual environment or, behind --target, in a folder
  venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: "$@" >pip.log 2>&1 ||
    { cat pip.log; echo "$* cannot be installed"; exit 2; }
}
python3 -m venv venv || exit 2
get torch==2.9.1 numpy==2.4.6 transformers==5.24.0 tokenizers==0.23.3 huggingface_hub==2.4.0 safetensors==0.8.0 \
  requests regex
get --no-deps --target old transformers==4.57.1 tokenizers==0.22.2 huggingface_hub==0.36.2
cat >try.py <<'PYTHON'
import sys
import torch, transformers
from transformers import Qwen2Config, Qwen2ForCausalLM

torch.set_num_threads(1)
version = transformers.__version__

def added(tokens, dimensions, dtype, **options):
    """Relative distance of the new rows, share of their equal numbers, and the spread of their logits."""
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(
        vocab_size=tokens, hidden_size=dimensions, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=False)).eval()
    with torch.no_grad():
        for part in (model.get_input_embeddings(), model.get_output_embeddings()):
            part.weight.add_(0.02 * torch.randn(dimensions))
    model = model.to(dtype)
    model.resize_token_embeddings(tokens + 3, **options)
    distances, equals = [], []
    for part in (model.get_input_embeddings(), model.get_output_embeddings()):
        rows = part.weight.detach().float()
        old, new = rows[:tokens], rows[tokens:]
        distances.append(((new[0] - new[1]).norm() / (old[0] - old[1]).norm()).item())
        equals.append((new[0] == new[1]).float().mean().item())
    with torch.no_grad():
        logits = model(torch.arange(20)[None]).logits[0, :, tokens:].float()
    return max(distances), min(equals), (logits.max(-1).values - logits.min(-1).values).max().item()

CASES = [
    ("20000 x 256, float32", (20000, 256, torch.float32), {},
     lambda d, e, l: 1e-5 < d < 1e-4 and e < 0.01 and l < 1e-3),
    ("20000 x 256, bfloat16", (20000, 256, torch.bfloat16), {}, lambda d, e, l: d < 1e-2 and e > 0.9 and l < 1e-2),
    ("300 x 512, float32", (300, 512, torch.float32), {}, lambda d, e, l: d == 0 and e == 1 and l < 1e-6),
    ("20000 x 256, float32, mean_resizing=False", (20000, 256, torch.float32), {"mean_resizing": False},
     lambda d, e, l: 0.5 < d < 1.5 and e < 0.01 and l > 0.1),
]
same = True
for name, sizes, options, is_seen in CASES:
    found = added(*sizes, **options)
    print(f"transformers {version}, {name}: distance {found[0]:.2g}, equal {found[1]:.0%}, logits {found[2]:.2g}")
    same = same and is_seen(*found)
sys.exit(0 if same else 1)
PYTHON
export OMP_NUM_THREADS=1 TRANSFORMERS_VERBOSITY=error HF_HUB_OFFLINE=1 CUDA_VISIBLE_DEVICES=
state=0
PYTHONPATH=old venv/bin/python try.py 2>try.log || { tail -n 5 try.log; state=1; }
venv/bin/python try.py 2>try.log || { tail -n 5 try.log; state=1; }
[ $state = 0 ] && echo "as described" || echo "NOT as described: the behaviour has changed"
exit $state
