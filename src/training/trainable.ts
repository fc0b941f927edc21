/** The parts that train in each stage. */
import type * as tf from '../engine/tf.js';
import { type Part, type PartedLayer, partOf, variablesOf } from '../checkpoints/parts.js';
import { GROUNDING_TRAINS } from '../systems/shared/llava-sam-parts.js';

const LANGUAGE_MODEL = ['embed_tokens', 'lora', 'language_model', 'lm_head'] as const;

export const TRAINABLE = {
  /** The paper's recipe. */
  gsva: GROUNDING_TRAINS,
  /** The base's F_V1, φ and the words that it is matched with. */
  'base-clip': ['vision_tower', 'projector', 'embed_tokens'],
  /** The base's φ and F_LLM on captions; F_V1 stays as it is, as where LLaVA begins. */
  'base-caption': ['projector', ...LANGUAGE_MODEL],
  /** The base's φ and F_LLM once more, on scene grounding in words. */
  'base-grounding': ['projector', ...LANGUAGE_MODEL],
  /** The base's SAM: F_V2, prompt encoder, F_mask. */
  'base-sam': ['image_encoder', 'prompt_encoder', 'mask_decoder'],
  /** Another F_V2 for the base. */
  'base-distill': ['image_encoder'],
  /** The base as a whole: all but SAM's prompt encoder, whose points and boxes are not asked for. */
  'base-joint': ['vision_tower', 'projector', ...LANGUAGE_MODEL, 'psi', 'image_encoder', 'mask_decoder'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Stage = keyof typeof TRAINABLE;
export const STAGES = Object.keys(TRAINABLE) as readonly Stage[];

/** Whether the parameter of that name trains in a stage. */
export function isTrainable(parts: readonly Part[], name: string, stage: Stage): boolean {
  const trained: readonly string[] = TRAINABLE[stage];
  return trained.includes(partOf(parts, name));
}

/** The variables of a stage by name, in checkpoint order. */
export function trainableVariables(layer: PartedLayer, stage: Stage): Map<string, tf.Variable> {
  return variablesOf(layer, TRAINABLE[stage]);
}
