/** Quantised weights in a published folder, refused by the method that its config.json or its tensors name. */
import { UserError } from '../../../errors.js';
import type { FileTensors } from '../../../io/file-tensor.js';
import type { JsonReader } from '../../../io/json/json-reader.js';

/** Names that a method gives to its scales, first match first. */
const SIGNS: readonly (readonly [pattern: RegExp, method: string])[] = [
  [/\.quant_state\.bitsandbytes__(\w+)$/, 'bitsandbytes'],
  [/\.SCB$|\.weight_format$/, 'bitsandbytes (8 bits)'],
  [/\.weight\.absmax$/, 'bitsandbytes (4 bits)'],
  [/\.g_idx$/, 'GPTQ'],
  [/\.qzeros$/, 'GPTQ or AWQ'],
  [/\.qweight$/, 'GPTQ, AWQ or another method of packed integers'],
  [/\.weight_packed$|\.weight_scale(?:_inv)?$/, 'compressed-tensors or FP8'],
  [/\.(?:codes|codebooks)$/, 'AQLM'],
  [/\.W_q$/, 'HQQ'],
];

const ADVICE =
  'Quantised weights are not read here: use the original folder (float16 or bfloat16), or load the model in Python, ' +
  'model.dequantize(), and save it again';

/** @throws UserError that names the method */
export function refuseQuantised(path: string, config: JsonReader | null, tensors: FileTensors): void {
  const nested = config?.optional('text_config') ?? null;
  const [said] = [config, nested].flatMap((root) => root?.optional('quantization_config') ?? []);
  if (said !== undefined) {
    const { method, details } = methodOf(said.object());
    throw new UserError(
      `${path}: its config.json says that the weights are quantised by ${method}${details}. ${ADVICE}.`,
    );
  }
  for (const name of tensors.keys()) {
    const sign = SIGNS.find(([pattern]) => pattern.test(name));
    if (sign === undefined) continue;
    throw new UserError(`${path} holds weights that are quantised by ${sign[1]} ("${name}"). ${ADVICE}.`);
  }
}

function methodOf(config: Readonly<Record<string, unknown>>): { method: string; details: string } {
  const said = config['quant_method'];
  const text = (key: string): string | null => (typeof config[key] === 'string' ? config[key] : null);
  const bits = config['load_in_4bit'] === true ? 4 : config['load_in_8bit'] === true ? 8 : config['bits'];
  const kind = bits === 4 ? text('bnb_4bit_quant_type') : text('format');
  const facts = [kind, typeof bits === 'number' ? `${bits} bits` : null].filter((fact) => fact !== null);
  const method =
    typeof said === 'string' ? said : bits === undefined ? 'a method that it does not name' : 'bitsandbytes';
  return { method, details: facts.length === 0 ? '' : ` (${facts.join(', ')})` };
}
