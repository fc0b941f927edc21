/**
 * A model from other files against the recorded one: its sizes, and every weight. What has been stored in 16 bits on the
 * way must be the recorded number rounded, bit for bit; it is then replaced by that number, so that everything after is
 * held to the usual tolerances.
 */
import type { LoraConfig } from '../config.js';
import { type ModelConfig, modelConfigToJson } from '../systems/shared/model-config.js';
import type { FileTensor, FileTensors } from '../io/file-tensor.js';
import { bfloat16ToFloat32, float32ToBfloat16, float32ToHalf, halfToFloat32 } from '../half-float.js';
import { toFloat32 } from '../io/file-tensor.js';
import { mergeLora } from '../checkpoints/merge-lora.js';
import { nameInModel } from '../checkpoints/weights.js';
import { largestDifference, Mismatches, toleranceItem, type VerifyItem } from './verify-item.js';

/** Model to be verified instead of the recording's own weights. */
export interface ModelSubject<C = ModelConfig> {
  readonly config: C;
  readonly tensors: FileTensors;
  /** Where the weights are, for errors. */
  readonly weightsPath?: string;
}

/** Absolute tolerance of float32 weights: adding a delta, or folding LoRA in, rounds. */
const WEIGHT_TOLERANCE = 1e-6;
type Rounding = (values: Float32Array) => Float32Array;
const toF16: Rounding = (values) => halfToFloat32(float32ToHalf(values));
const toBf16: Rounding = (values) => bfloat16ToFloat32(float32ToBfloat16(values));
/** Rounding of a number that went through several files: once, or twice. */
const ROUNDINGS: readonly Rounding[] = [
  toF16,
  toBf16,
  (values) => toBf16(toF16(values)),
  (values) => toF16(toBf16(values)),
];

/** @param recorded the recording's own model; its LoRA is folded in where the subject has none */
export function checkSubject(recorded: ModelSubject, subject: ModelSubject) {
  return checkFiles(recorded, subject, modelConfigToJson, ['lora.dropout']);
}

/**
 * As `checkSubject`, of any system.
 * @param toJson sizes as config.json has them @param unsaid keys ("lora.dropout") that no file of weights says
 */
export function checkFiles<C extends { readonly lora: LoraConfig }>(
  recorded: ModelSubject<C>,
  subject: ModelSubject<C>,
  toJson: (config: C) => Record<string, unknown>,
  unsaid: readonly string[],
) {
  const isMerged = subject.config.lora.r === 0 && recorded.config.lora.r > 0;
  const bare = { config: recorded.config, tensors: byBareName(recorded.tensors) };
  const expected = isMerged ? mergeLora(bare.config, bare.tensors) : bare;
  const found = byBareName(subject.tensors);
  const names = new Mismatches('weights: names');
  for (const name of new Set([...expected.tensors.keys(), ...found.keys()])) {
    names.compare(name, presence(found.has(name)), presence(expected.tensors.has(name)));
  }
  const tensors = new Map<string, FileTensor>();
  const rounded: string[] = [];
  let largest = 0;
  let worst = '';
  for (const [name, tensor] of found) {
    const reference = expected.tensors.get(name);
    if (reference === undefined) continue;
    const [is, shouldBe] = [numbersOf(tensor, name), numbersOf(reference, name)];
    const difference = largestDifference(is, shouldBe);
    const isRounded = difference > 0 && ROUNDINGS.some((round) => isRoundingOf(is, shouldBe, round, isMerged));
    tensors.set(name, isRounded ? reference : tensor);
    if (isRounded) rounded.push(name);
    else if (difference > largest) [largest, worst] = [difference, name];
  }
  const others = rounded.length === 0 ? '' : `, ${rounded.length} are exactly the recorded ones in 16 bits`;
  const detail = `${worst === '' ? 'equal' : `worst: ${worst}`}${others}`;
  return {
    ...subject,
    config: { ...subject.config, lora: { ...subject.config.lora, dropout: expected.config.lora.dropout } },
    tensors,
    items: [
      sizesItem(toJson(expected.config), toJson(subject.config), unsaid),
      names.item(),
      toleranceItem('weights', largest, WEIGHT_TOLERANCE, detail),
    ],
  };
}

/**
 * Whether numbers are others in 16 bits, bit for bit.
 * @param isMerged the others are sums, computed in another order: next to a tie they may go to the other side
 */
function isRoundingOf(found: Float32Array, of: Float32Array, round: Rounding, isMerged: boolean): boolean {
  const shifts = isMerged ? [0, WEIGHT_TOLERANCE, -WEIGHT_TOLERANCE] : [0];
  const rounded = shifts.map((shift) => round(shift === 0 ? of : of.map((value) => value + shift)));
  return found.length === of.length && found.every((value, i) => rounded.some((each) => each[i] === value));
}

/** @param unsaid keys that are not compared */
function sizesItem(
  expected: Record<string, unknown>,
  found: Record<string, unknown>,
  unsaid: readonly string[],
): VerifyItem {
  const sizes = new Mismatches('sizes');
  const [a, b] = [expected, found] as Record<string, Record<string, unknown>>[];
  for (const [section, values] of Object.entries(a ?? {})) {
    for (const [key, value] of Object.entries(typeof values === 'object' ? values : { [section]: values })) {
      if (unsaid.includes(`${section}.${key}`)) continue;
      const other = typeof values === 'object' ? b?.[section]?.[key] : b?.[section];
      sizes.compare(`${section}.${key}`, JSON.stringify(other ?? null), JSON.stringify(value));
    }
  }
  return sizes.item();
}

function presence(isThere: boolean): string {
  return isThere ? 'there' : 'missing';
}

function byBareName(tensors: FileTensors): FileTensors {
  return new Map([...tensors].map(([name, tensor]) => [nameInModel(name), tensor]));
}

function numbersOf(tensor: FileTensor, name: string): Float32Array {
  return toFloat32({ ...tensor, data: tensor.read() }, name);
}
