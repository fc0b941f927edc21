#!/bin/sh
# "Nearest" is two rules: OpenCV and tfjs take a mask's left and upper pixels, Pillow, sharp and scikit-image the middle.
#
# Versions: opencv-python-headless 5.0.0.93, Pillow 13.0.0, scikit-image 0.26.0, numpy 2.4.6 from PyPI (Python 3.11 or
#   newer); sharp 0.35.5, @tensorflow/tfjs-core and tfjs-backend-cpu 4.22.0 from npm (Node 20 or newer).
# Guess before the run: all take pixels 0 2 4 6 of eight when the size is halved.
# Behaviour: OpenCV's INTER_NEAREST and tfjs' resizeNearestNeighbor take floor(x * scale), the others
#   floor((x + 0.5) * scale): no pixel is the same when the size is halved. A mask made small by one and large by the
#   other is shifted. OpenCV's INTER_NEAREST_EXACT and tfjs' halfPixelCenters follow the second rule.
# Output, a row 0 1 2 3 4 5 6 7 made 4 and 3 wide:
#   OpenCV INTER_NEAREST, tfjs                             0 2 4 6    0 2 5
#   OpenCV INTER_NEAREST_EXACT, tfjs halfPixelCenters,
#   Pillow NEAREST, sharp kernel nearest, scikit-image     1 3 5 7    1 4 6
#
# Nothing of this project is run. Exits 0 if it is as described, 1 if not, 2 if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
python3 -m venv venv && venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: numpy==2.4.6 \
  pillow==13.0.0 opencv-python-headless==5.0.0.93 scikit-image==0.26.0 >pip.log 2>&1 ||
  { cat pip.log; echo "the Python packages cannot be installed"; exit 2; }
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts sharp@0.35.5 @tensorflow/tfjs-core@4.22.0 \
  @tensorflow/tfjs-backend-cpu@4.22.0 >npm.log 2>&1 || { cat npm.log; echo "the npm packages cannot be installed"; exit 2; }
cat >try.py <<'PYTHON'
import sys
import cv2
import numpy as np
from PIL import Image
from skimage.transform import resize

LEFT, MIDDLE = [[0, 2, 4, 6], [0, 2, 5]], [[1, 3, 5, 7], [1, 4, 6]]
row = np.repeat(np.arange(8, dtype=np.uint8)[None], 8, 0)
cases = {
    "OpenCV INTER_NEAREST": (lambda n: cv2.resize(row, (n, n), interpolation=cv2.INTER_NEAREST), LEFT),
    "OpenCV INTER_NEAREST_EXACT": (lambda n: cv2.resize(row, (n, n), interpolation=cv2.INTER_NEAREST_EXACT), MIDDLE),
    "Pillow": (lambda n: np.array(Image.fromarray(row).resize((n, n), Image.Resampling.NEAREST)), MIDDLE),
    "scikit-image": (lambda n: resize(row, (n, n), order=0, preserve_range=True, anti_aliasing=False), MIDDLE),
}
same = True
for name, (run, seen) in cases.items():
    found = [run(n)[0].astype(int).tolist() for n in (4, 3)]
    print(name, *found)
    same = same and found == seen
sys.exit(0 if same else 1)
PYTHON
cat >try.js <<'JS'
const tf = require('@tensorflow/tfjs-core');
require('@tensorflow/tfjs-backend-cpu');
const sharp = require('sharp');
console.warn = () => {}; // tfjs' advice to install tfjs-node

const [LEFT, MIDDLE] = ['0 2 4 6, 0 2 5', '1 3 5 7, 1 4 6'];
const row = Array.from({ length: 64 }, (_, at) => at % 8);
const tfjs = (n, half) => tf.image.resizeNearestNeighbor(tf.tensor4d(row, [1, 8, 8, 1]), [n, n], false, half).dataSync();
const sharpRow = async (n) => {
  const image = sharp(Buffer.from(row), { raw: { width: 8, height: 8, channels: 1 } });
  const resized = image.resize(n, n, { kernel: 'nearest', fit: 'fill' }).raw();
  const { data, info } = await resized.toBuffer({ resolveWithObject: true });
  return data.filter((_, at) => at % info.channels === 0);
};
(async () => {
  let same = true;
  for (const [name, run, seen] of [
    ['sharp', sharpRow, MIDDLE],
    ['tfjs', (n) => tfjs(n, false), LEFT],
    ['tfjs halfPixelCenters', (n) => tfjs(n, true), MIDDLE],
  ]) {
    const rows = [];
    for (const n of [4, 3]) rows.push(Array.from((await run(n)).slice(0, n)).join(' '));
    console.log(`${name} ${rows.join(', ')}`);
    same = same && rows.join(', ') === seen;
  }
  process.exitCode = same ? 0 : 1;
})();
JS
state=0
venv/bin/python try.py || state=1
node try.js || state=1
[ $state = 0 ] && echo "as described" || echo "NOT as described: the behaviour has changed"
exit $state
