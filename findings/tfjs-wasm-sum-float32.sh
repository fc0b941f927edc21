#!/bin/sh
# tfjs' wasm backend adds floats one by one in 32 bits: means and losses over pictures are off by 1 to 50 per cent.
#
# Versions: @tensorflow/tfjs-core, tfjs-backend-cpu, tfjs-backend-wasm 4.22.0, from npm (Node 18 or newer).
# Guess before the run: cpu and wasm agree to 1e-5, as they do for small tensors.
# Behaviour: the cpu backend adds in 64 bits. The wasm backend has ONE 32-bit accumulator (no blocks, no Kahan): behind
#   2^24 = 16777216 a 1 that is added is lost. tf.mean casts int32 pixels to float first and inherits it: 32 white
#   pictures of 1024 x 1024 have the mean 128. Sums of int32 tensors are right.
# Output:                                                     cpu         wasm
#   sum of 32 masks of 1024 x 1024 ones (33554432)            33554432    16777216
#   mean of 32 pictures of 1024 x 1024 times 255 (int32)      255         128
#   mean of 4 masks of 1024 x 1024 times 0.1                  0.1         0.09602
#   meanSquaredError of 0 and 0.1 over 1024 x 1024 (0.01)     0.01        0.009861
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

const size = [1024, 1024];
const cases = [
  ['sum of 32 masks of ones', () => tf.sum(tf.ones([32, ...size])), 33554432, 16777216],
  ['mean of 32 int32 pictures of 255', () => tf.mean(tf.fill([32, ...size], 255, 'int32')), 255, 128],
  ['mean of 4 masks of 0.1', () => tf.mean(tf.fill([4, ...size], 0.1)), 0.1, 0.09602],
  ['meanSquaredError of 0 and 0.1', () => tf.losses.meanSquaredError(tf.zeros(size), tf.fill(size, 0.1)), 0.01, 0.009861],
];
(async () => {
  let same = true;
  for (const [name, run, cpu, wasmValue] of cases) {
    for (const [backend, seen] of [['cpu', cpu], ['wasm', wasmValue]]) {
      await tf.setBackend(backend);
      const value = tf.tidy(() => run().dataSync()[0]);
      console.log(`${name}, ${backend}: ${+value.toPrecision(8)}`);
      same = same && Math.abs(value - seen) <= 2e-4 * seen;
    }
  }
  console.log(same ? 'as described' : 'NOT as described: the behaviour has changed');
  process.exitCode = same ? 0 : 1;
})();
JS
node try.js
