#!/bin/sh
# tfjs' wasm backend turns NaN into ordinary numbers in clipByValue, relu6, maximum and the cast to bool.
#
# Versions: @tensorflow/tfjs-core, tfjs-backend-cpu, tfjs-backend-wasm 4.22.0, from npm (Node 18 or newer).
# Guess before the run: NaN stays NaN on both backends, so that a broken model is seen in its output; and where the
#   backends differ, they differ by rounding.
# Behaviour: on cpu NaN goes through. On wasm, clipByValue gives the LOWER bound, relu6 gives 0, and maximum gives
#   NaN or the other number by the order of its arguments. The cast to bool truncates on wasm, so that 0.5 is false
#   there and true on cpu: probabilities as a mask are another mask. relu, exp and sigmoid keep NaN on both.
#   maxPool passes over NaN on BOTH backends, unlike tf.max.
# Output:                            cpu         wasm
#   clipByValue([NaN], -1, 1)        NaN         -1
#   relu6([NaN])                     NaN         0
#   maximum([NaN, 1], [1, NaN])      NaN,NaN     NaN,1
#   cast([0.5, 1.5], 'bool')         1,1         0,1
#   maxPool([1, NaN, 2, 3], 2 x 2)   3           3
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

const cases = [
  ['clipByValue([NaN], -1, 1)', () => tf.clipByValue([NaN], -1, 1), 'NaN', '-1'],
  ['relu6([NaN])', () => tf.relu6([NaN]), 'NaN', '0'],
  ['maximum([NaN, 1], [1, NaN])', () => tf.maximum([NaN, 1], [1, NaN]), 'NaN,NaN', 'NaN,1'],
  ["cast([0.5, 1.5], 'bool')", () => tf.cast([0.5, 1.5], 'bool'), '1,1', '0,1'],
  ['maxPool([1, NaN, 2, 3])', () => tf.maxPool(tf.tensor4d([1, NaN, 2, 3], [1, 2, 2, 1]), 2, 2, 'valid'), '3', '3'],
  ['max([1, NaN, 2, 3])', () => tf.max([1, NaN, 2, 3]), 'NaN', 'NaN'],
  ['relu([NaN])', () => tf.relu([NaN]), 'NaN', 'NaN'],
];
(async () => {
  let same = true;
  for (const [name, run, ...seen] of cases) {
    for (const [index, backend] of ['cpu', 'wasm'].entries()) {
      await tf.setBackend(backend);
      const value = tf.tidy(() => Array.from(run().dataSync()).join());
      console.log(`${name}, ${backend}: ${value}`);
      same = same && value === seen[index];
    }
  }
  console.log(same ? 'as described' : 'NOT as described: the behaviour has changed');
  process.exitCode = same ? 0 : 1;
})();
JS
node try.js
