#!/bin/sh
# A seeded dropout layer of tfjs drops the SAME units at every step of a training.
#
# Versions: @tensorflow/tfjs-core, tfjs-backend-cpu, tfjs-layers 4.22.0, from npm (Node 18 or newer).
# Guess before the run: the seed makes runs repeatable, as in Keras and PyTorch: step 1 and step 2 drop different units,
#   and a second run drops the same as the first.
# Behaviour: the seed starts a new generator at every call, so that the mask never changes: the dropped units are never
#   trained and the others never meet each other's absence. Seeded initializers do the same: two weights of one shape
#   made by one initializer object are equal. Without a seed the masks change.
# Output, dropout of rate 0.5 and seed 7 over twelve ones:
#   step 1: 0,0,0,2,0,0,0,0,2,0,2,2
#   step 2: 0,0,0,2,0,0,0,0,2,0,2,2
#   step 3: 0,0,0,2,0,0,0,0,2,0,2,2
#
# Nothing of this project is run. Exits 0 if it is as described, 1 if not, 2 if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts @tensorflow/tfjs-core@4.22.0 \
  @tensorflow/tfjs-backend-cpu@4.22.0 @tensorflow/tfjs-layers@4.22.0 >npm.log 2>&1 ||
  { cat npm.log; echo "tfjs 4.22.0 cannot be installed"; exit 2; }
cat >try.js <<'JS'
const tf = require('@tensorflow/tfjs-core');
require('@tensorflow/tfjs-backend-cpu');
const layers = require('@tensorflow/tfjs-layers');
console.warn = () => {}; // tfjs' advice to install tfjs-node

const steps = (config, size) => {
  const layer = layers.layers.dropout(config);
  return [1, 2, 3].map(() => layer.apply(tf.ones([1, size]), { training: true }).dataSync().join());
};
const seeded = steps({ rate: 0.5, seed: 7 }, 12);
seeded.forEach((mask, step) => console.log(`seed 7, step ${step + 1}: ${mask}`));
const free = new Set(steps({ rate: 0.5 }, 1000)).size;
console.log(`without a seed, three steps over 1000 units: ${free} different masks`);
const initializer = layers.initializers.randomNormal({ seed: 3 });
const [first, second] = [1, 2].map(() => initializer.apply([2, 2]).dataSync().join());
console.log(`two weights of one seeded initializer are equal: ${first === second}`);
const same = seeded.every((mask) => mask === '0,0,0,2,0,0,0,0,2,0,2,2') && free === 3 && first === second;
console.log(same ? 'as described' : 'NOT as described: the behaviour has changed');
process.exitCode = same ? 0 : 1;
JS
node try.js
