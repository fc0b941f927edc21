/** LoRA folded into the weights that it adapts, tensor by tensor: W' = W + (α/r)·B·A in PyTorch's layout. */
import type { LoraConfig } from '../config.js';
import { UserError } from '../errors.js';
import type { FileTensor, FileTensors } from '../io/file-tensor.js';
import { toFloat32 } from '../io/file-tensor.js';

type Rounding = 'once' | 'each step';

const ADAPTER = /^(.*)\.lora_A\.default\.weight$/;

/**
 * @param tensors by our names, without peft's prefix
 * @param rounding of B·A: 'once', or after every step as peft rounds it in float32
 * @returns the config with rank 0, the tensors, and the names of the weights that were changed
 * @throws UserError for a model without adapters
 */
export function mergeLora<C extends { readonly lora: LoraConfig }>(
  config: C,
  tensors: FileTensors,
  rounding: Rounding = 'once',
): { config: C; tensors: FileTensors; merged: readonly string[] } {
  const layers = [...tensors.keys()].flatMap((name) => ADAPTER.exec(name)?.[1] ?? []);
  if (layers.length === 0) throw new UserError('Merging LoRA: this model has no adapter; it is merged already.');
  const out = new Map([...tensors].filter(([name]) => !name.includes('.lora_')));
  const scale = config.lora.alpha / config.lora.r;
  for (const layer of layers) {
    const factors = ['weight', 'lora_A.default.weight', 'lora_B.default.weight'].map((part) => {
      const tensor = tensors.get(`${layer}.${part}`);
      if (tensor !== undefined) return tensor;
      throw new UserError(`Merging LoRA: the model lacks "${layer}.${part}".`);
    }) as Factors;
    out.set(`${layer}.weight`, folded(`${layer}.weight`, factors, scale, rounding));
  }
  return {
    config: { ...config, lora: { ...config.lora, r: 0 } },
    tensors: out,
    merged: layers.map((layer) => `${layer}.weight`),
  };
}

type Factors = [weight: FileTensor, a: FileTensor, b: FileTensor];

function folded(name: string, [weight, a, b]: Factors, scale: number, rounding: Rounding): FileTensor {
  const [outputs = 0, inputs = 0] = weight.shape;
  const [rank = 0] = a.shape;
  const fits = a.shape[1] === inputs && b.shape[0] === outputs && b.shape[1] === rank;
  if (!fits) {
    const shapes = [weight, a, b].map(({ shape }) => `[${shape.join(', ')}]`);
    throw new UserError(
      `Merging LoRA into "${name}" ${shapes[0] ?? ''}: A ${shapes[1] ?? ''} and B ${shapes[2] ?? ''} do not fit.`,
    );
  }
  const read = (): Float32Array => {
    const numbersOf = (tensor: FileTensor): Float32Array => toFloat32({ ...tensor, data: tensor.read() }, name);
    const sum = Float32Array.from(numbersOf(weight));
    const [down, up] = [numbersOf(a), numbersOf(b)];
    const row = rounding === 'once' ? new Float64Array(inputs) : new Float32Array(inputs);
    const early = rounding === 'once' ? scale : 1;
    const delta = (value: number): number => (rounding === 'once' ? value : Math.fround(scale * value));
    for (let o = 0; o < outputs; o++) {
      row.fill(0);
      for (let k = 0; k < rank; k++) {
        const factor = early * (up[o * rank + k] as number);
        const from = k * inputs;
        for (let i = 0; i < inputs; i++) row[i] = (row[i] as number) + factor * (down[from + i] as number);
      }
      const to = o * inputs;
      for (let i = 0; i < inputs; i++) sum[to + i] = (sum[to + i] as number) + delta(row[i] as number);
    }
    return sum;
  };
  return { dtype: 'F32', shape: weight.shape, read };
}
