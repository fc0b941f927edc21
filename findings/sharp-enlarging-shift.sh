#!/bin/sh
# sharp's enlarged pictures lie half an output pixel too far right and down; reduced ones lie where they should.
#
# Versions: sharp 0.35.5 (libvips of its npm binaries), from npm.
# Behaviour: resize() to a larger size moves the content by +0.5 output pixels along both axes, for every kernel that
#   interpolates (linear, cubic, mitchell, lanczos2, lanczos3) and every factor; a symmetric picture comes out
#   asymmetric. 'nearest' and all reductions keep the centre. A mask enlarged by another library, or drawn as SVG over the
#   result, is off by that much. Guess beforehand: centres are kept, as by Pillow, OpenCV and PyTorch.
# Output: centre of a dot in the middle of the picture, minus the middle (x, y), in output pixels:
#   enlarged x1.67, x2, x3, x4: nearest 0.00 (whole factors), the others 0.50; reduced to 1/3: 0.00
#
# Nothing of this project is run. Needs Node 20, npm and its registry.
# Exits 0 if it is as described, 1 if not, 2 if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
printf '{"private":true}' >package.json
npm install --silent --no-audit --no-fund sharp@0.35.5 >npm.log 2>&1 || { cat npm.log; echo 'sharp cannot be installed'; exit 2; }
cat >try.cjs <<'JS'
const sharp = require('sharp');

/** Distance of the bright content from the middle, along x and y, in pixels of the output. */
async function offset(side, factor, kernel, radius) {
  const data = Buffer.alloc(side * side, 40);
  const middle = (side - 1) / 2;
  for (let y = middle - radius; y <= middle + radius; y++) data.fill(200, y * side + middle - radius, y * side + middle + radius + 1);
  const to = Math.round(side * factor);
  const options = { width: to, height: to, fit: 'fill', kernel };
  const { data: out, info } = await sharp(data, { raw: { width: side, height: side, channels: 1 } })
    .resize(options).raw().toBuffer({ resolveWithObject: true });
  let [sum, sumX, sumY] = [0, 0, 0];
  for (let y = 0; y < to; y++) {
    for (let x = 0; x < to; x++) {
      const weight = out[(y * to + x) * info.channels] - 40;
      sum += weight;
      sumX += weight * (x + 0.5);
      sumY += weight * (y + 0.5);
    }
  }
  return [sumX / sum - to / 2, sumY / sum - to / 2];
}

(async () => {
  let same = true;
  for (const kernel of ['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3']) {
    for (const [side, factor] of [[45, 2], [45, 3], [45, 4], [45, 5 / 3], [45, 1 / 3]]) {
      const isShifted = factor > 1 && kernel !== 'nearest';
      if (kernel === 'nearest' && !Number.isInteger(factor)) continue;
      const found = await offset(side, factor, kernel, 7);
      console.log(kernel.padEnd(9), `x${factor.toFixed(2)}`, ...found.map((value) => value.toFixed(2)));
      same &&= found.every((value) => Math.abs(value - (isShifted ? 0.5 : 0)) < 0.1);
    }
  }
  console.log(same ? 'as described' : 'NOT as described: the behaviour has changed');
  process.exit(same ? 0 : 1);
})();
JS
node try.cjs
