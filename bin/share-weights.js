/**
 * Stores the tensors that two model folders have in common once: those of FOLDER that are equal, bit for bit, in OTHER, the
 * folder next to it, are taken out of FOLDER's model.safetensors and named in its shared.json.
 *
 *     node bin/share-weights.js checkpoints/tiny-base checkpoints/tiny
 */
import { basename, dirname, join, resolve } from 'node:path';
import { writeJson } from '../dist/io/json/json-file.js';
import { openCheckpoint } from '../dist/io/checkpoint-files.js';
import { writeSafetensors } from '../dist/io/safetensors/safetensors-writer.js';
import { digestOf, SHARED_FILE, WEIGHTS_FILE } from '../dist/io/shared-tensors.js';
import { named } from '../dist/io/tensor-output.js';

const [folder, other] = process.argv.slice(2).map((path) => resolve(path));
if (other === undefined || folder === other || dirname(folder) !== dirname(other)) {
  process.stderr.write('usage: node bin/share-weights.js FOLDER OTHER (two folders next to each other)\n');
  process.exit(2);
}
const own = openCheckpoint(folder).tensors;
const others = openCheckpoint(other).tensors;
const shared = {};
const kept = [];
for (const [name, tensor] of own) {
  const twin = others.get(name);
  const isSame = twin !== undefined && twin.dtype === tensor.dtype && `${twin.shape}` === `${tensor.shape}`;
  if (isSame && digestOf(tensor) === digestOf(twin)) shared[name] = digestOf(tensor);
  else {
    // The file is replaced while it is read.
    const data = tensor.read();
    kept.push(named(name, { ...tensor, read: () => data }));
  }
}
writeSafetensors(join(folder, WEIGHTS_FILE), kept, { format: 'pt' });
writeJson(join(folder, SHARED_FILE), { folder: `../${basename(other)}`, tensors: shared });
process.stdout.write(`${kept.length} tensors kept, ${Object.keys(shared).length} shared with ${other}\n`);
