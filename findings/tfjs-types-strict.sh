#!/bin/sh
# The .d.ts files of tfjs-core and tfjs-layers fail in a strict TypeScript project that checks its libraries.
#
# Versions: @tensorflow/tfjs-core and tfjs-layers 4.22.0, typescript 5.9.3, @types/node 20.19.0, from npm (Node 18 or newer).
# Guess before the run: they pass, for Node with lib es2022; the package ships what its types need.
# Behaviour: tfjs-core names the type Long without importing it. It is a GLOBAL of @types/long, which npm installs with
#   it, but which a project that lists its own ("types": ["node"]) does not see; with "long" in the list it passes. It
#   needs lib dom as well (ImageData, Storage, ...), in Node too. tfjs-layers fails in every strict project: interfaces
#   that contradict themselves (TS2411, TS2420). What is left is skipLibCheck: true, which checks no library at all.
# Output, TypeScript's error codes:
#   tfjs-core, types node, lib es2022,dom: TS2304 (Long); types node,long: none, but without dom TS2304 (Storage, ...)
#   tfjs-layers, types node,long, lib es2022,dom: TS2411, TS2420; with skipLibCheck none
#
# Nothing of this project is run. Exits 0 if it is as described, 1 if not, 2 if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
echo '{"private":true,"type":"module"}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts @tensorflow/tfjs-core@4.22.0 \
  @tensorflow/tfjs-layers@4.22.0 typescript@5.9.3 @types/node@20.19.0 >npm.log 2>&1 ||
  { cat npm.log; echo "the packages cannot be installed"; exit 2; }
echo "import * as tf from '@tensorflow/tfjs-core'; export const one: tf.Tensor = tf.scalar(1);" >core.ts
echo "import * as layers from '@tensorflow/tfjs-layers'; export const model = layers.sequential();" >layers.ts
state=0
check() { # name, pattern of the output, file, types, options: the codes and the names that are not found
  name=$1; seen=$2; file=$3; types=$4; shift 4
  node node_modules/typescript/bin/tsc --noEmit --strict --module nodenext --target es2022 --types "$types" "$@" \
    "$file" >log
  found=$(grep -oE "TS[0-9]+: (Cannot find name '[A-Za-z]+')?" log | sed "s/: Cannot find name//; s/[:' ]*$//; s/ '/ /" |
    sort -u | tr '\n' ',')
  echo "$name: $(grep -c 'error TS' log) errors: $found"
  case $found in $seen) ;; *) state=1 ;; esac
}
check "tfjs-core, types node, dom" "TS2304 Long," core.ts node --lib es2022,dom
check "tfjs-core, types node,long, dom" "" core.ts node,long --lib es2022,dom
check "tfjs-core, types node,long, no dom" "*TS2304 ImageData,*TS2304 Storage,*" core.ts node,long --lib es2022
check "tfjs-layers, types node,long, dom" "TS2411,TS2420," layers.ts node,long --lib es2022,dom
check "tfjs-layers, skipLibCheck" "" layers.ts node --lib es2022 --skipLibCheck
[ $state = 0 ] && echo "as described" || echo "NOT as described: the behaviour has changed"
exit $state
