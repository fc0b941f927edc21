/**
 * A PEFT adapter's own facts (adapter_config.json next to adapter_model.*): rank, α, dropout. Keys that make the same
 * tensors mean another model (DoRA, patterns of ranks, an altered base) are refused by name.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../../../errors.js';
import { JsonReader } from '../../../io/json/json-reader.js';
import { requireValue } from './llama.js';

export interface AdapterFacts {
  readonly r: number;
  /** α of α/r: with rsLoRA, whose factor is α/√r, α·√r. */
  readonly alpha: number;
  readonly dropout: number;
  /** The file, for errors. */
  readonly source: string;
  /** base_model_name_or_path, as far as it is said. */
  readonly base: string;
}

/** Keys that have to be off: null, false, empty. */
const REFUSED: Readonly<Record<string, string>> = {
  use_dora: 'DoRA scales the columns of the sum',
  use_qalora: 'QALoRA pools the inputs',
  use_bdlora: 'BD-LoRA is another product',
  fan_in_fan_out: 'its matrices lie the other way round',
  lora_bias: 'adapters with biases are not supported',
  alpha_pattern: 'one α for all adapters is supported',
  rank_pattern: 'one rank for all adapters is supported',
  layers_to_transform: 'adapters of all layers are supported',
  layer_replication: 'replicated layers are not supported',
  target_parameters: 'adapters of bare parameters are not supported',
  trainable_token_indices: 'single trained rows of the embedding are not supported',
  alora_invocation_tokens: 'activated LoRA is not supported',
  arrow_config: 'Arrow is not supported',
  monteclora_config: 'MonteCLoRA is not supported',
  kasa_config: 'KaSA is not supported',
  velora_config: 'VeLoRA is not supported',
};
/** Ways to begin that change the base's weights, so that the adapter belongs to weights that nobody has. */
const CHANGES_BASE = /^(?:pissa|olora|loftq|corda|lora_ga)/i;

/** Null where the weights are no PEFT adapter. @param path the weights' file. @throws UserError naming file and key */
export function readAdapter(path: string): AdapterFacts | null {
  if (!basename(path).startsWith('adapter_model.')) return null;
  const source = join(dirname(path), 'adapter_config.json');
  if (!existsSync(source)) return null;
  const root = JsonReader.open(source, "the adapter's rank and alpha");
  root.key('peft_type').oneOf(['LORA']);
  for (const [key, why] of Object.entries(REFUSED)) {
    const found = root.optional(key);
    const value = found?.value ?? false;
    const isOff = typeof value === 'object' ? Object.keys(value).length === 0 : value === false || value === '';
    if (!isOff) found?.fail(`null or false (${why})`);
  }
  const start = root.optional('init_lora_weights');
  if (typeof start?.value === 'string' && CHANGES_BASE.test(start.value)) {
    start.fail(
      'a beginning that leaves the base as it is; convert the adapter with peft first (path_initial_model_for_weight_conversion)',
    );
  }
  requireValue(root, 'bias', 'none', '"none" (trained biases are not supported)');
  const r = root.key('r').integer({ min: 1 });
  const alpha = root.key('lora_alpha').number({ min: 0 });
  const isRankStabilised = root.optional('use_rslora')?.boolean() ?? false;
  return {
    r,
    alpha: isRankStabilised ? alpha * Math.sqrt(r) : alpha,
    dropout: root.optional('lora_dropout')?.number({ min: 0, max: 1 }) ?? 0,
    source,
    base: root.optional('base_model_name_or_path')?.string() ?? '',
  };
}

/** An adapter of LLaVA that is not one of GSVA. @throws UserError */
export function refuseLlavaAdapter(path: string, names: Iterable<string>, adapter: AdapterFacts | null): void {
  const all = [...names];
  const isLora = all.some((name) => name.includes('.lora_A.'));
  if (!isLora || all.some((name) => name.startsWith('model.text_hidden_fcs.'))) return;
  const base = adapter === null || adapter.base === '' ? '' : ` (its base: ${adapter.base})`;
  throw new UserError(
    `${path} is a LoRA of LLaVA or LLaMA without its base${base}: GSVA's weights have text_hidden_fcs and a mask decoder too. ` +
      'Merge it into its base with peft (merge_and_unload) and name the result as --mllm.',
  );
}
