#!/bin/sh
# safetensors 0.8.0 writes a transposed NumPy array with its numbers in the wrong places, and says nothing.
#
# Versions: safetensors 0.7.0 and 0.8.0 with numpy 2.4.6, from PyPI (Python 3.11 or newer).
# Guess (not written down before the run): kernel.T, as conversions of TensorFlow or JAX checkpoints have it, comes back
#   as kernel.T; or save() refuses it, for its docstring asks for contiguous tensors.
# Behaviour: 0.7.0 gives it back. 0.8.0 writes the bytes as they lie in memory under the shape of the view: nothing is
#   refused, shapes and dtypes are right, the numbers stand in other places. The docstring is the same in both.
#   An array in Fortran order is hit as well. np.ascontiguousarray(view) before save() is right in both.
# Output, of [[0, 1, 2], [3, 4, 5]].T:
#   0.7.0: [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
#   0.8.0: [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
#
# Nothing of this project is run. Exits 0 if it is as described, 1 if not, 2 if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
get() { # folder, packages: pinned wheels from PyPI
  folder=$1; shift
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps \
    --target "$folder" "$@" >pip.log 2>&1 || { cat pip.log; echo "$* cannot be installed"; exit 2; }
}
get numpy numpy==2.4.6
get 0.7.0 safetensors==0.7.0
get 0.8.0 safetensors==0.8.0
cat >try.py <<'PYTHON'
import sys
import numpy as np
import safetensors
from safetensors.numpy import load, save

SEEN = {
    "0.7.0": [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]],
    "0.8.0": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]],
}
kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
right = kernel.T.tolist()
transposed = load(save({"kernel": kernel.T}))["kernel"].tolist()
fortran = load(save({"kernel": np.asfortranarray(kernel)}))["kernel"].tolist()
copied = load(save({"kernel": np.ascontiguousarray(kernel.T)}))["kernel"].tolist()
version = safetensors.__version__
print(f"safetensors {version}: transposed {transposed}, right would be {right}")
print(f"safetensors {version}: Fortran order right: {fortran == kernel.tolist()}; copied before: {copied == right}")
same = transposed == SEEN[version] and copied == right and (fortran == kernel.tolist()) == (version == "0.7.0")
sys.exit(0 if same else 1)
PYTHON
state=0
for version in 0.7.0 0.8.0; do
  PYTHONPATH="$work/$version:$work/numpy" python3 try.py || state=1
done
[ $state = 0 ] && echo "as described" || echo "NOT as described: the behaviour has changed"
exit $state
