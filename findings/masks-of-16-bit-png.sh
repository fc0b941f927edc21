#!/bin/sh
# Instance numbers in a 16-bit PNG are changed by the ordinary call of four libraries, each in its own way.
#
# Versions: sharp 0.35.5 and pngjs 7.0.0 from npm (Node 20 or newer); Pillow 13.0.0, opencv-python-headless 5.0.0.93,
#   numpy 2.4.6 from PyPI (Python 3.11 or newer).
# Guess before the run: sharp clips to 255; Pillow, OpenCV and pngjs divide by 256. (Not written down before:
#   sharp's raw({ depth: 'ushort' }) keeps all 16 bits.)
# Behaviour: it is Pillow that clips (300 becomes 255, another object's number). sharp and OpenCV divide by 256 and cut
#   (objects below 256 are background), pngjs rounds, so that 255 becomes 1, the same as 300. raw({ depth: 'ushort' })
#   has 16 bits of the values that were DIVIDED before; only toColourspace('grey16') before it keeps them.
# Output, a PNG with the numbers 1, 300 and 255:
#   1 255 255  Pillow convert("L")                     0 1 0      sharp raw()
#   0 1 0      OpenCV imread(IMREAD_GRAYSCALE)         0 1 0      sharp raw({ depth: 'ushort' })
#   1 300 255  OpenCV imread(IMREAD_UNCHANGED)         1 300 255  sharp toColourspace('grey16').raw({ depth: 'ushort' })
#   0 1 1      pngjs PNG.sync.read
#
# Nothing of this project is run. Exits 0 if it is as described, 1 if not, 2 if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps \
  --target py numpy==2.4.6 pillow==13.0.0 opencv-python-headless==5.0.0.93 >pip.log 2>&1 ||
  { cat pip.log; echo "the Python packages cannot be installed"; exit 2; }
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts sharp@0.35.5 pngjs@7.0.0 >npm.log 2>&1 ||
  { cat npm.log; echo "the npm packages cannot be installed"; exit 2; }
cat >try.py <<'PYTHON'
import sys
import cv2
import numpy as np
from PIL import Image

ids = np.repeat(np.array([[1, 300, 255]], np.uint16), 8, 0)
Image.fromarray(ids).save("ids.png")
same = True
for name, array, seen in (
    ('Pillow convert("L")', np.array(Image.open("ids.png").convert("L")), [1, 255, 255]),
    ("OpenCV IMREAD_GRAYSCALE", cv2.imread("ids.png", cv2.IMREAD_GRAYSCALE), [0, 1, 0]),
    ("OpenCV IMREAD_UNCHANGED", cv2.imread("ids.png", cv2.IMREAD_UNCHANGED), [1, 300, 255]),
):
    found = array[0].tolist()
    print(name, *found)
    same = same and found == seen
sys.exit(0 if same else 1)
PYTHON
cat >try.js <<'JS'
const fs = require('node:fs');
const { PNG } = require('pngjs');
const sharp = require('sharp');

(async () => {
  const first = async (image, options) => {
    const { data, info } = await image.raw(options).toBuffer({ resolveWithObject: true });
    const wide = options ? new Uint16Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length)) : data;
    return [0, 1, 2].map((x) => wide[x * info.channels]).join(' ');
  };
  const deep = { depth: 'ushort' };
  const png = PNG.sync.read(fs.readFileSync('ids.png')).data;
  const cases = [
    ['sharp raw()', await first(sharp('ids.png')), '0 1 0'],
    ["sharp raw({ depth: 'ushort' })", await first(sharp('ids.png'), deep), '0 1 0'],
    ["sharp toColourspace('grey16') ...", await first(sharp('ids.png').toColourspace('grey16'), deep), '1 300 255'],
    ['pngjs', [0, 4, 8].map((at) => png[at]).join(' '), '0 1 1'],
  ];
  for (const [name, found] of cases) console.log(name, found);
  process.exitCode = cases.every(([, found, seen]) => found === seen) ? 0 : 1;
})();
JS
state=0
PYTHONPATH="$work/py" python3 try.py || state=1
node try.js || state=1
[ $state = 0 ] && echo "as described" || echo "NOT as described: the behaviour has changed"
exit $state
