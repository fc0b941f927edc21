/**
 * Names of weights in published files → names of ours (which are those of a GSVA checkpoint without peft's prefix). Pure
 * data and string rules; what GSVA does not use is listed with the reason. Names are freed of the prefixes that tools put
 * before them without changing the tensors (compilers, wrappers for several devices, trainers, peft), then translated from
 * those of transformers (its models/sam/convert_sam_to_hf.py and models/llava/convert_llava_weights_to_hf.py).
 */
/** The four files or folders that the published code is given. */
export type PublishedPart = 'mllm' | 'vision tower' | 'sam' | 'weights';

/** Tensors of one part, and their use. */
export interface PartReport {
  readonly part: PublishedPart;
  readonly files: readonly string[];
  /** The key of the file under which the tensors lie, and others next to it; null: they are at its top. */
  readonly within: string | null;
  readonly loaded: number;
  /** Names that another part gives as well, and which replaces this one. */
  readonly replaced: readonly string[];
  readonly unused: readonly { readonly name: string; readonly reason: string }[];
}

/** How published files were put together. */
export interface PublishedTensors {
  readonly parts: readonly PartReport[];
  /** Tables that were given rows for the added tokens. */
  readonly grown: readonly { readonly name: string; readonly from: number; readonly to: number }[];
  /** Tensors that no file has and that were drawn for training to start from; absent where none were. */
  readonly drawn?: readonly string[];
}

export type OwnName = { readonly name: string } | { readonly unused: string };

type Unused = readonly [pattern: RegExp, reason: string];
const FROZEN_COPY: Unused = [/\.original_module\./, "peft's frozen copy of a module that was trained"];

const UNUSED: Readonly<Record<PublishedPart, readonly Unused[]>> = {
  mllm: [
    [/rotary_emb\.inv_freq$/, 'a function of rope_theta'],
    [/^(?:model\.)?vision_tower\./, 'the vision tower comes from its own folder'],
    FROZEN_COPY,
  ],
  'vision tower': [
    [/^text_model\./, "CLIP's text encoder"],
    [/^(text|visual)_projection\.|^logit_scale$/, "CLIP's contrastive head"],
    [/embeddings\.position_ids$/, '0, 1, 2, …'],
    [
      /^(?:model\.)?(?:language_model|multi_modal_projector)\.|^lm_head\./,
      "LLaVA's, of which this is the vision tower",
    ],
  ],
  sam: [
    [/^pixel_(mean|std)$/, 'constants of the image transform'],
    [/^prompt_encoder\.shared_embedding\./, 'a copy of shared_image_embedding'],
  ],
  weights: [
    [/rotary_emb\.inv_freq$/, 'a function of rope_theta'],
    [/embeddings\.position_ids$/, '0, 1, 2, …'],
    FROZEN_COPY,
  ],
};

/** Our name of every published tensor, or why it has none. */
export function ownNames(part: PublishedPart, published: Iterable<string>): Map<string, OwnName> {
  const bare = unwrapped(part, published);
  const translated = ownNamesOf(part, new Set(bare.values()));
  return new Map([...bare].map(([name, inner]) => [name, ownName(part, inner, translated(inner))]));
}

function ownName(part: PublishedPart, bare: string, translated: string): OwnName {
  const rule = UNUSED[part].find(([pattern]) => pattern.test(bare));
  if (rule !== undefined) return { unused: rule[1] };
  // LISA's first models have these in files of their own.
  if (/^(?:visual_model|text_hidden_fcs)\./.test(translated)) return { name: `model.${translated}` };
  return { name: `${prefixOf(part, translated)}${withoutAdapterWrappers(translated)}` };
}

function prefixOf(part: PublishedPart, bare: string): string {
  if (part === 'sam') return 'model.visual_model.';
  // A CLIPVisionModel alone is saved without its "vision_model." in newer transformers.
  if (part === 'vision tower') {
    return `model.vision_tower.vision_tower.${bare.startsWith('vision_model.') ? '' : 'vision_model.'}`;
  }
  return '';
}

/**
 * peft: `q_proj.base_layer.weight` is the frozen weight; `lora_A.weight` (a saved adapter) is `lora_A.default.weight`, and so
 * is that of an adapter with a name; `lm_head.modules_to_save.default.weight` is what was trained of a whole module.
 */
function withoutAdapterWrappers(name: string): string {
  return name
    .replace(/\.base_layer\./, '.')
    .replace(/\.modules_to_save\.[^.]+\./, '.')
    .replace(/\.(lora_[AB])\.(?:[^.]+\.)?weight$/, '.$1.default.weight');
}

/** Anywhere in a name: torch.compile, FSDP, activation checkpointing. */
const INNER = /(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\./g;
/** In front: DataParallel's and DeepSpeed's, then peft's. */
const OUTER = /^(?:module\.)*(?:base_model\.model\.)?/;

/** Where the names of a part begin, whatever a program of its own puts before them ("model.", "net.sam."). */
const BEGINNINGS: Readonly<Record<PublishedPart, RegExp>> = {
  mllm: /^(.*?\.)??(?:model\.(?:layers|embed_tokens|norm|mm_projector|language_model|multi_modal_projector|vision_tower)\.|lm_head\.|multi_modal_projector\.|language_model\.)/,
  weights:
    /^(.*?\.)??(?:model\.(?:layers|embed_tokens|norm|mm_projector|visual_model|text_hidden_fcs|vision_tower)\.|lm_head\.)/,
  sam: /^(.*?\.)??(?:image_encoder|prompt_encoder|mask_decoder|vision_encoder|shared_image_embedding)\./,
  'vision tower':
    /^(.*?\.)??(?:vision_model|text_model|(?:embeddings\.(?:patch_embedding|class_embedding|position_embedding)|encoder\.layers\.\d+|pre_layrnorm|post_layernorm))\b/,
};

/** Every name without its wrappers, by the name in the file. */
function unwrapped(part: PublishedPart, names: Iterable<string>): Map<string, string> {
  const bare = new Map([...names].map((name) => [name, name.replace(INNER, '').replace(OUTER, '')]));
  const prefix = commonPrefix(part, bare.values());
  if (prefix === '') return bare;
  return new Map([...bare].map(([name, own]) => [name, own.startsWith(prefix) ? own.slice(prefix.length) : own]));
}

/** The prefix that most names share. Names without it are left as they are, and so are found to be left over. */
function commonPrefix(part: PublishedPart, names: Iterable<string>): string {
  const counts = new Map<string, number>();
  for (const name of names) {
    const found = BEGINNINGS[part].exec(name);
    if (found !== null) counts.set(found[1] ?? '', (counts.get(found[1] ?? '') ?? 0) + 1);
  }
  const [most] = [...counts].sort((a, b) => b[1] - a[1]);
  return most?.[0] ?? '';
}

type Rename = readonly [pattern: RegExp, replacement: string];

/** LLaVA, before and (`model.` in front) since transformers 4.52. */
const LLAVA: readonly Rename[] = [
  [/^language_model\.(model\.|lm_head\.)/, '$1'],
  [/^model\.language_model\.(?:model\.)?/, 'model.'],
  [/^(?:model\.)?multi_modal_projector\.linear_1\./, 'model.mm_projector.0.'],
  [/^(?:model\.)?multi_modal_projector\.linear_2\./, 'model.mm_projector.2.'],
];

const SAM: readonly Rename[] = [
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
function isTransformersLlava(names: Iterable<string>): boolean {
  return [...names].some((name) => /(?:^|\.)multi_modal_projector\./.test(name));
}

/** The published name of each of these; names that are published ones stay as they are. */
function ownNamesOf(part: PublishedPart, names: ReadonlySet<string>): (name: string) => string {
  if (part === 'mllm' && isTransformersLlava(names)) return (name) => replaced(name, LLAVA);
  if (part === 'sam' && [...names].some((name) => /^(?:vision_encoder|shared_image_embedding)\./.test(name))) {
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

function replaced(name: string, rules: readonly Rename[]): string {
  const rule = rules.find(([pattern]) => pattern.test(name));
  return rule === undefined ? name : name.replace(rule[0], rule[1]);
}
