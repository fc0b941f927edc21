/** GSVA's weights taken apart again into the files that the published code loads: names, and LLaVA's and CLIP's configs. */
import type { ClipConfig } from '../../../config.js';
import { without } from '../../../schema.js';
import { type ModelConfig, sectionToJson } from '../model-config.js';
import { type TensorOutput, named } from '../../../io/tensor-output.js';
import type { FileTensors } from '../../../io/file-tensor.js';
import { partOf } from '../../../checkpoints/parts.js';
import { GROUNDING_TRAINS, LLAVA_SAM_PARTS } from '../llava-sam-parts.js';
import type { PublishedPart } from './names.js';
import { nameInModel, PUBLISHED_PREFIX } from '../../../networks/lora.js';

const TOWER = 'model.vision_tower.vision_tower.';
const SAM = 'model.visual_model.';
/** CLIP's normalisation, which is the same for all of its models. */
const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD = [0.26862954, 0.26130258, 0.27577711];
const BICUBIC = 3;

/** @param tensors of a whole model, by our names */
export function publishedTensors(part: PublishedPart, tensors: FileTensors): TensorOutput[] {
  return [...tensors].flatMap(([name, tensor]) => {
    const published = publishedName(part, nameInModel(name));
    return published === null ? [] : [named(published, tensor)];
  });
}

function publishedName(part: PublishedPart, name: string): string | null {
  switch (part) {
    case 'weights':
      // The tensors that GSVA trains: the reference saves these as gsva-*.bin.
      return GROUNDING_TRAINS.includes(partOf(LLAVA_SAM_PARTS, name)) ? PUBLISHED_PREFIX + name : null;
    case 'vision tower':
      return name.startsWith(TOWER) ? name.slice(TOWER.length) : null;
    case 'sam':
      return name.startsWith(SAM) ? name.slice(SAM.length) : null;
    case 'mllm': {
      const isOther = name.startsWith(TOWER) || name.startsWith(SAM) || name.startsWith('model.text_hidden_fcs.');
      return isOther || name.includes('.lora_') ? null : name;
    }
  }
}

/** LLaVA's config.json. Its vocabulary holds the added tokens already: adding them again changes nothing. */
export function llavaConfigJson({ llm, clip, tokens, projector }: ModelConfig): Record<string, unknown> {
  return {
    architectures: ['LlavaLlamaForCausalLM'],
    model_type: 'llava',
    torch_dtype: 'float32',
    hidden_act: 'silu',
    bos_token_id: tokens.bos,
    eos_token_id: tokens.eos,
    pad_token_id: tokens.pad,
    tie_word_embeddings: false,
    mm_vision_tower: 'clip',
    mm_vision_select_layer: clip.selectLayer,
    mm_hidden_size: clip.hiddenSize,
    mm_projector_type: projector,
    mm_use_im_start_end: true,
    use_mm_proj: true,
    ...sectionToJson('llm', llm),
  };
}

/** config.json of the vision tower alone. */
export function clipConfigJson(clip: ClipConfig): Record<string, unknown> {
  return {
    architectures: ['CLIPVisionModel'],
    model_type: 'clip_vision_model',
    ...without(sectionToJson('clip', clip), 'select_layer'),
  };
}

/** preprocessor_config.json, without which transformers does not load a vision tower. */
export function clipPreprocessorJson({ imageSize }: ClipConfig): Record<string, unknown> {
  return {
    feature_extractor_type: 'CLIPFeatureExtractor',
    image_processor_type: 'CLIPImageProcessor',
    size: imageSize,
    crop_size: imageSize,
    resample: BICUBIC,
    do_resize: true,
    do_center_crop: true,
    do_normalize: true,
    image_mean: CLIP_MEAN,
    image_std: CLIP_STD,
  };
}
