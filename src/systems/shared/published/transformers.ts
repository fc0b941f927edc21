/**
 * The names that transformers gives the weights of SAM and LLaVA, and those of the published code that they stand for.
 * Sources: transformers, models/sam/convert_sam_to_hf.py and models/llava/convert_llava_weights_to_hf.py.
 */
import type { PublishedPart } from './part.js';

type Rule = readonly [pattern: RegExp, replacement: string];

/** LLaVA, before and (`model.` in front) since transformers 4.52. */
const LLAVA: readonly Rule[] = [
  [/^language_model\.(model\.|lm_head\.)/, '$1'],
  [/^model\.language_model\.(?:model\.)?/, 'model.'],
  [/^(?:model\.)?multi_modal_projector\.linear_1\./, 'model.mm_projector.0.'],
  [/^(?:model\.)?multi_modal_projector\.linear_2\./, 'model.mm_projector.2.'],
];

const SAM: readonly Rule[] = [
  [/^shared_image_embedding\.positional_embedding$/, 'prompt_encoder.pe_layer.positional_encoding_gaussian_matrix'],
  [/^vision_encoder\.patch_embed\.projection\./, 'image_encoder.patch_embed.proj.'],
  [/^vision_encoder\.layers\.(\d+)\.layer_norm(\d)\./, 'image_encoder.blocks.$1.norm$2.'],
  [/^vision_encoder\.layers\./, 'image_encoder.blocks.'],
  [/^vision_encoder\.neck\.conv1\./, 'image_encoder.neck.0.'],
  [/^vision_encoder\.neck\.layer_norm1\./, 'image_encoder.neck.1.'],
  [/^vision_encoder\.neck\.conv2\./, 'image_encoder.neck.2.'],
  [/^vision_encoder\.neck\.layer_norm2\./, 'image_encoder.neck.3.'],
  [/^vision_encoder\./, 'image_encoder.'],
  [/^prompt_encoder\.mask_embed\.conv1\./, 'prompt_encoder.mask_downscaling.0.'],
  [/^prompt_encoder\.mask_embed\.layer_norm1\./, 'prompt_encoder.mask_downscaling.1.'],
  [/^prompt_encoder\.mask_embed\.conv2\./, 'prompt_encoder.mask_downscaling.3.'],
  [/^prompt_encoder\.mask_embed\.layer_norm2\./, 'prompt_encoder.mask_downscaling.4.'],
  [/^prompt_encoder\.mask_embed\.conv3\./, 'prompt_encoder.mask_downscaling.6.'],
  [/^prompt_encoder\.point_embed\./, 'prompt_encoder.point_embeddings.'],
  [/^mask_decoder\.upscale_conv1\./, 'mask_decoder.output_upscaling.0.'],
  [/^mask_decoder\.upscale_layer_norm\./, 'mask_decoder.output_upscaling.1.'],
  [/^mask_decoder\.upscale_conv2\./, 'mask_decoder.output_upscaling.3.'],
  [/^mask_decoder\.transformer\.layers\.(\d+)\.layer_norm(\d)\./, 'mask_decoder.transformer.layers.$1.norm$2.'],
  [/^mask_decoder\.transformer\.layer_norm_final_attn\./, 'mask_decoder.transformer.norm_final_attn.'],
];
/** An MLP: proj_in, layers.0, layers.1, …, proj_out there; layers.0 to layers.N in the published code. */
const MLP =
  /^(mask_decoder\.(?:iou_prediction_head|output_hypernetworks_mlps\.\d+)\.)(?:proj_(in|out)|layers\.(\d+))\./;

/** Whether names are those of transformers' LlavaForConditionalGeneration. */
export function isTransformersLlava(names: Iterable<string>): boolean {
  return [...names].some((name) => /(?:^|\.)multi_modal_projector\./.test(name));
}

/** Whether names are those of transformers' SamModel. */
export function isTransformersSam(names: Iterable<string>): boolean {
  return [...names].some((name) => name.startsWith('vision_encoder.') || name.startsWith('shared_image_embedding.'));
}

/** The published name of each of these; names that are published ones stay as they are. */
export function ownNamesOf(part: PublishedPart, names: ReadonlySet<string>): (name: string) => string {
  if (part === 'mllm' && isTransformersLlava(names)) return (name) => replaced(name, LLAVA);
  if (part === 'sam' && isTransformersSam(names)) {
    const hidden = hiddenLayers(names);
    return (name) => {
      const mlp = MLP.exec(name);
      const [start = '', of = '', end, place] = mlp ?? [];
      // Files that were translated by halves number their layers as the published code does.
      if (!names.has(`${of}proj_in.weight`)) return replaced(name, SAM);
      const layer = end === 'in' ? 0 : 1 + (end === 'out' ? (hidden.get(of) ?? 0) : Number(place));
      return `${of}layers.${layer}.${name.slice(start.length)}`;
    };
  }
  return (name) => name;
}

/** The first tensor that a LLaVA of transformers needs and a file lacks; null where it has all. */
export function lackOfLlava(names: readonly string[]): string | null {
  const part = 'multi_modal_projector.linear_2.weight';
  return !isTransformersLlava(names) || names.some((name) => name.endsWith(part)) ? null : part;
}

/** Layers between the first and the last, per MLP. */
function hiddenLayers(names: ReadonlySet<string>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) {
    const [, of = '', , place] = MLP.exec(name) ?? [];
    if (place !== undefined) counts.set(of, Math.max(counts.get(of) ?? 0, 1 + Number(place)));
  }
  return counts;
}

function replaced(name: string, rules: readonly Rule[]): string {
  const rule = rules.find(([pattern]) => pattern.test(name));
  return rule === undefined ? name : name.replace(rule[0], rule[1]);
}
