/** The one table of what trains. Names are those of the published checkpoint, without prefix. */
import * as tf from '../engine/tf.js';
import type { CompositeLayer } from '../nn/composite-layer.js';

export const TRAINABLE = {
  /** GSVA's recipe: LoRA, embedding and head, ψ, F_mask. */
  gsva: [
    /\.lora_[AB]\./,
    /^model\.embed_tokens\./,
    /^lm_head\./,
    /^model\.text_hidden_fcs\./,
    /^model\.visual_model\.mask_decoder\./,
  ],
  /** The base's F_V1, φ and the words that it is matched with. */
  'base-clip': [/^model\.vision_tower\./, /^model\.mm_projector\./, /^model\.embed_tokens\./],
  /** The base's φ and F_LLM on captions; F_V1 stays as it is, as where LLaVA begins. */
  'base-caption': [/^model\.mm_projector\./, /^model\.(embed_tokens|layers|norm)\b/, /^lm_head\./],
  /** The base's φ and F_LLM once more, on scene grounding in words. */
  'base-grounding': [/^model\.mm_projector\./, /^model\.(embed_tokens|layers|norm)\b/, /^lm_head\./],
  /** The base's SAM: F_V2, prompt encoder, F_mask. */
  'base-sam': [
    /^model\.visual_model\.(image_encoder|mask_decoder)\./,
    /^model\.visual_model\.prompt_encoder\.(point|no)/,
  ],
  /** Another F_V2 for the base. */
  'base-distill': [/^model\.visual_model\.image_encoder\./],
  /** The base as a whole: all but SAM's prompt encoder, whose points and boxes are not asked for. */
  'base-joint': [
    /^model\.(vision_tower|mm_projector|embed_tokens|layers|norm|text_hidden_fcs)\b/,
    /^lm_head\./,
    /^model\.visual_model\.(image_encoder|mask_decoder)\./,
  ],
} as const;

export type Stage = keyof typeof TRAINABLE;
export const STAGES = Object.keys(TRAINABLE) as readonly Stage[];

/** Whether the parameter of that name trains in a stage. */
export function isTrainable(name: string, stage: Stage): boolean {
  const patterns: readonly RegExp[] = TRAINABLE[stage];
  return patterns.some((pattern) => pattern.test(name));
}

/** The variables of a stage by name, in checkpoint order. */
export function trainableVariables(layer: CompositeLayer, stage: Stage): Map<string, tf.Variable> {
  return variablesOf(layer, (name) => isTrainable(name, stage));
}

/** The layer's variables by name, those that `select` takes. */
export function variablesOf(
  layer: CompositeLayer,
  select: (name: string) => boolean = () => true,
): Map<string, tf.Variable> {
  const out = new Map<string, tf.Variable>();
  for (const [name, { variable }] of layer.namedParameters()) {
    if (!select(name)) continue;
    const value = variable.read();
    if (!isVariable(value)) throw new Error(`variablesOf: "${name}" is not a variable`);
    out.set(name, value);
  }
  return out;
}

function isVariable(tensor: tf.Tensor): tensor is tf.Variable {
  return tensor instanceof tf.Variable;
}

/** The parts of the model by the names of their variables; the first that fits counts. */
const PARTS: readonly (readonly [RegExp, string])[] = [
  [/^.*\.(\w+)\.lora_[AB]\..*$/, 'lora_$1'],
  [/^model\.(embed_tokens|text_hidden_fcs|vision_tower|mm_projector)\..*$/, '$1'],
  [/^model\.visual_model\.(image_encoder|prompt_encoder|mask_decoder)\..*$/, '$1'],
  [/^lm_head\..*$/, 'lm_head'],
  [/^model\.(layers|norm)\..*$/, 'language_model'],
];

/**
 * The part that a variable counts to where a run is watched: `lora_q_proj`, `text_hidden_fcs` (ψ), `mask_decoder`
 * (F_mask), `embed_tokens`, `lm_head`, ...; a variable of no part of the model is one of its own.
 */
export function partOf(name: string): string {
  const [pattern, part] = PARTS.find(([each]) => each.test(name)) ?? [/^.*$/, name];
  return name.replace(pattern, part);
}
