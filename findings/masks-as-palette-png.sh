#!/bin/sh
# Black and white masks, saved with a palette, have WHITE as number 0: read as numbers, the mask is its opposite.
#
# Versions: sharp 0.35.5 from npm (Node 20 or newer); Pillow 13.0.0, numpy 2.4.6 from PyPI (Python 3.11 or newer).
# The guess one would make (a report contradicts it): number 0 is black, the background and the darker one.
# Behaviour: sharp's png({ palette: true }), Pillow's quantize(2), its convert("P", ADAPTIVE) and its GIF put white first.
#   A label-map reader (0 is background, other numbers are objects) then sees 3300 pixels for 900. Only Pillow's
#   quantize with FASTOCTREE puts black first. sharp's bitdepth: 1 is not heeded unless colours: 2 is said.
# Output, 70 x 60 pixels with a white square of 900; pixels whose number is not 0:
#   sharp palette 3300 (8 bits), palette and bitdepth 1 3300 (8 bits), palette and colours 2 (1 bit): white first
#   Pillow quantize(2) 3300, ADAPTIVE 3300, GIF 3300, FASTOCTREE 900
#
# Nothing of this project is run. Exits 0 if it is as described, 1 if not, 2 if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps \
  --target py numpy==2.4.6 pillow==13.0.0 >pip.log 2>&1 ||
  { cat pip.log; echo "the Python packages cannot be installed"; exit 2; }
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts sharp@0.35.5 >npm.log 2>&1 ||
  { cat npm.log; echo "sharp cannot be installed"; exit 2; }
cat >write.js <<'JS'
const sharp = require('sharp');
const pixels = Buffer.alloc(70 * 60 * 3);
for (let y = 10; y < 40; y++) pixels.fill(255, (y * 70 + 20) * 3, (y * 70 + 50) * 3);
const mask = () => sharp(pixels, { raw: { width: 70, height: 60, channels: 3 } });
(async () => {
  await mask().png().toFile('mask.png');
  await mask().png({ palette: true }).toFile('sharp-palette.png');
  await mask().png({ palette: true, bitdepth: 1 }).toFile('sharp-bitdepth.png');
  await mask().png({ palette: true, colours: 2 }).toFile('sharp-colours.png');
})();
JS
node write.js || exit 2
cat >try.py <<'PYTHON'
import sys
import numpy as np
from PIL import Image

mask = Image.open("mask.png").convert("RGB")
mask.save("mask.gif")
images = {name: Image.open(name) for name in ("sharp-palette.png", "sharp-bitdepth.png", "sharp-colours.png", "mask.gif")}
bits = [open(name, "rb").read(25)[24] for name in list(images)[:3]]  # the bit depth in IHDR
images["Pillow quantize(2)"] = mask.quantize(2)
images["Pillow ADAPTIVE"] = mask.convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
images["Pillow FASTOCTREE"] = mask.quantize(2, method=Image.Quantize.FASTOCTREE)
found = []
for name, image in images.items():
    first = image.getpalette()[:3]
    found.append(int(np.count_nonzero(np.array(image))))
    white = np.count_nonzero(image.convert("L"))
    print(f"{name}: number 0 is {first}, {found[-1]} pixels have another number, {white} are white")
print("bits in sharp's files:", *bits)
same = found == [3300] * 6 + [900] and bits == [8, 8, 1]
print("as described" if same else "NOT as described: the behaviour has changed")
sys.exit(0 if same else 1)
PYTHON
PYTHONPATH="$work/py" python3 try.py
