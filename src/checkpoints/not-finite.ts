/**
 * Answers that are no numbers are errors that name the first part of the network that is not finite.
 *
 * The check is always on: it looks at what is read from the engine anyway. The search for the culprit begins only after
 * the check has fired: the computation is made again, layer by layer, and the weights of the first layer at fault are
 * read.
 */
import { UserError } from '../errors.js';
import { countsText, findNotFinite, firstNotFinite, type NotFinite, type NotFiniteTensor } from '../finite.js';
import { bfloat16ToFloat32, halfToFloat32 } from '../half-float.js';
import { notFiniteText } from '../io/tensor-statistics.js';
import type { CompositeLayer } from '../nn/composite-layer.js';
import { type FirstNotFinite, firstNotFiniteLayer } from '../nn/forward-trace.js';
import { inNetworkOrder, type Part, partTitle } from './parts.js';
import { toStored } from './weights.js';
import { gsvaCommand } from '../command-name.js';

/** A model, the table of its parts, and the file its weights were read from, where there is one. */
export type Network = CompositeLayer & { readonly weightsFile?: string | null; readonly parts?: readonly Part[] };

/**
 * @param what the numbers are, and where: 'Answering: the logits of the next token'
 * @param numbers as they were read from the engine
 * @param rerun makes the computation again that gave them, and leaves no tensor behind
 * @throws UserError that names the first part of the network that is not finite, where any of the numbers is not
 */
export async function requireFinite(
  network: Network,
  what: string,
  numbers: Float32Array,
  rerun: () => unknown,
): Promise<void> {
  if (firstNotFinite(numbers) < 0) return;
  const found = findNotFinite(numbers) as NotFinite;
  const counts = `${countsText(found)} of ${found.size} numbers`;
  throw new UserError(`${what} are not finite (${counts}). ${await culpritText(network, rerun)}`, 'not-finite');
}

/** Sentences that name the first part that is not finite, and what to do. */
export async function culpritText(network: Network, rerun: () => unknown): Promise<string> {
  const layer = await firstNotFiniteLayer(network, rerun);
  const isBelow = (name: string, path: string): boolean => path === '' || name.startsWith(`${path}.`);
  const own = layer === null ? [] : await badWeights(network, (name) => isBelow(name, layer.path));
  // Learned tables and tokens go into a layer that is not theirs.
  const weights = own.length > 0 ? own : layer?.side === 'output' ? [] : await badWeights(network, () => true);
  const [first] = weights;
  const { weightsFile, parts = [] } = network;
  const file = weightsFile ?? 'FILE';
  if (first !== undefined) {
    const others = weights.length === 1 ? '' : ` So do ${weights.length - 1} more of its weights.`;
    return (
      `The first part that is not finite is ${partTitle(parts, first.name)}: ${notFiniteText(first)}.${others} ` +
      `Look at it with: ${gsvaCommand(`inspect --stats ${file} --match ${first.name}`)}`
    );
  }
  const look = `Look at the weights with: ${gsvaCommand(`inspect --stats ${file}`)}`;
  if (layer === null) {
    return (
      'Made again, everything was finite, and so are all weights: this was not the model. Try another --engine, and ' +
      `look at the machine's memory. ${look}`
    );
  }
  return `${layerText(parts, layer)} ${look}`;
}

function layerText(parts: readonly Part[], { path, side, found, largestInput }: FirstNotFinite): string {
  const counts = `${countsText(found)} of ${found.size} numbers`;
  const title = partTitle(parts, path);
  const name = path === '' || title === path ? '' : ` (${path})`;
  if (side === 'input') {
    return (
      `The first that is not finite is what goes into ${title}${name}: ${counts}. It is the output of no layer, and all ` +
      'weights are finite: what is computed between layers grew too large for float32, or it came with the features ' +
      'of the image (where they are cached: delete the cache).'
    );
  }
  const largest = largestInput === null ? '' : `, at most ${largestInput.toPrecision(3)} in magnitude`;
  return (
    `The first part that is not finite is ${title}: the output of ${path === '' ? 'the model' : path} (${counts}). Its ` +
    `weights are finite, and so is what goes in${largest}: the numbers grow too large for float32.`
  );
}

/**
 * Weights that are not finite, in the order of the network.
 * @param select by name; those that are selected are read one after another
 */
async function badWeights(network: Network, select: (name: string) => boolean): Promise<NotFiniteTensor[]> {
  const [plain, packed] = [network.namedParameters(), network.packedParameters()];
  const bad: NotFiniteTensor[] = [];
  const names = [...plain.keys(), ...packed.keys()].filter(select);
  for (const name of inNetworkOrder(network.parts ?? [], names)) {
    const parameter = plain.get(name);
    const matrix = packed.get(name)?.matrix;
    if (parameter !== undefined) {
      const value = parameter.variable.read();
      if (firstNotFinite((await value.data()) as Float32Array) < 0) continue;
      const { shape, data } = await toStored(value, parameter.layout);
      bad.push({ name, shape, found: findNotFinite(data) as NotFinite });
    } else if (matrix !== undefined) {
      const widen = matrix.dtype === 'F16' ? halfToFloat32 : bfloat16ToFloat32;
      const found = findNotFinite(widen(matrix.bits()));
      if (found !== null) bad.push({ name, shape: [matrix.rows, matrix.columns], found });
    }
  }
  return bad;
}
