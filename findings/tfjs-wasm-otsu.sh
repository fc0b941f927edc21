#!/bin/sh
# tf.image.threshold(picture, 'otsu') works on tfjs' cpu backend and fails for every picture on wasm.
#
# Versions: @tensorflow/tfjs-core, tfjs-backend-cpu, tfjs-backend-wasm 4.22.0, from npm (Node 18 or newer).
# Guess before the run: the same mask on both backends.
# Behaviour: threshold() gives the picture (height x width x 1) to tf.bincount. The cpu kernel counts all of its values
#   whatever the shape. The wasm kernel takes the FIRST axis for a batch and gives height x 256 counts, which threshold()
#   then cannot multiply. 'binary' works on both.
# Output, of an 8 x 8 x 1 picture:
#   cpu:  bincount of shape 256; otsu gives a mask
#   wasm: bincount of shape 8,256; Operands could not be broadcast together with shapes 1792 and 7,256.
#
# Nothing of this project is run. Exits 0 if it is as described, 1 if not, 2 if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts @tensorflow/tfjs-core@4.22.0 \
  @tensorflow/tfjs-backend-cpu@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 >npm.log 2>&1 ||
  { cat npm.log; echo "tfjs 4.22.0 cannot be installed"; exit 2; }
cat >try.js <<'JS'
const path = require('node:path');
const tf = require('@tensorflow/tfjs-core');
require('@tensorflow/tfjs-backend-cpu');
const wasm = require('@tensorflow/tfjs-backend-wasm');
wasm.setWasmPaths(path.join(__dirname, 'node_modules/@tensorflow/tfjs-backend-wasm/dist') + path.sep);
console.warn = () => {}; // tfjs' advice to install tfjs-node

const SEEN = {
  cpu: ['256', 'a mask'],
  wasm: ['8,256', 'Operands could not be broadcast together with shapes 1792 and 7,256.'],
};
(async () => {
  let same = true;
  for (const [backend, [shape, result]] of Object.entries(SEEN)) {
    await tf.setBackend(backend);
    const picture = tf.tensor3d(Array.from({ length: 64 }, (_, index) => (index * 37) % 256), [8, 8, 1], 'int32');
    const counted = tf.bincount(picture, tf.tensor1d([]), 256).shape.join();
    let otsu = 'a mask';
    try {
      const values = new Set(tf.image.threshold(picture, 'otsu').dataSync());
      if ([...values].sort().join() !== '0,255') otsu = 'no mask';
    } catch (error) {
      otsu = error.message;
    }
    const binary = new Set(tf.image.threshold(picture, 'binary').dataSync()).size;
    console.log(`${backend}: bincount of shape ${counted}; otsu: ${otsu}; binary has ${binary} values`);
    same = same && counted === shape && otsu === result && binary === 2;
  }
  console.log(same ? 'as described' : 'NOT as described: the behaviour has changed');
  process.exitCode = same ? 0 : 1;
})();
JS
node try.js
