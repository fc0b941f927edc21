/**
 * The files that GSVA's models are put together from. Names of the hub: README of the published code (LLaVA) and its
 * default arguments (CLIP); sizes and digests: the hub's and SAM's files, as several public lists of checksums have them.
 */
import type { Piece } from './entry.js';

const LLAVA_ZOO = 'https://github.com/haotian-liu/LLaVA/blob/main/docs/MODEL_ZOO.md';
const LLAMA_FORM = 'https://huggingface.co/docs/transformers/main/model_doc/llama';
const LLAMA_LICENCE = "LLaMA's own: research, not commercial; Meta grants access";
const HALF_BYTES = 2;
/** Rows that LLaVA and GSVA may have added to the embedding and the head. */
export const ADDED_ROWS = 4;
/** LLaMA's layers, norm, and 32000 rows of embedding and head. */
const LLAMA_7B_NUMBERS = 6_738_415_616;
const LLAMA_13B_NUMBERS = 13_015_864_320;

/** With the linear projector, and rows of added tokens. */
function llavaNumbers(llama: number, hiddenSize: number): Piece['numbers'] {
  const clipSize = 1024;
  const least = llama + clipSize * hiddenSize + hiddenSize;
  return { least, most: least + 2 * ADDED_ROWS * hiddenSize };
}

function llama(size: '7b' | '13b', numbers: number): Piece {
  return {
    place: `llama-${size}`,
    title: `LLaMA-${size.toUpperCase()}, in the form of the hub`,
    part: 'mllm',
    needs: ['config.json', 'tokenizer.model'],
    // A conversion by others; Meta has the weights in a form of its own.
    hub: `huggyllama/llama-${size}`,
    // It has everything twice, as .bin as well.
    exclude: '*.bin',
    source: LLAMA_FORM,
    numbers: { least: numbers, most: numbers },
    bytes: HALF_BYTES * numbers,
    bytesAre: 'computed',
    licence: LLAMA_LICENCE,
  };
}

export const LLAMA_7B = llama('7b', LLAMA_7B_NUMBERS);
const LLAMA_13B = llama('13b', LLAMA_13B_NUMBERS);
const LLAVA_7B_NUMBERS = llavaNumbers(LLAMA_7B_NUMBERS, 4096);
const LLAVA_13B_NUMBERS = llavaNumbers(LLAMA_13B_NUMBERS, 5120);

function llava(place: string, title: string, numbers: Piece['numbers'], licence: string): Piece {
  return {
    place,
    title,
    part: 'mllm',
    needs: ['config.json', 'tokenizer.model'],
    hub: `liuhaotian/${place}`,
    source: LLAVA_ZOO,
    numbers,
    bytes: HALF_BYTES * numbers.least,
    bytesAre: 'computed',
    licence,
  };
}

export const LLAVA_7B_DELTA = llava(
  'LLaVA-Lightning-7B-delta-v1-1',
  'LLaVA-Vicuna-7B v1.1, a delta to LLaMA-7B',
  LLAVA_7B_NUMBERS,
  "not established for this repository; its use has to comply with LLaMA's (LLaVA's model zoo)",
);
const LLAVA_13B_DELTA = llava(
  'LLaVA-13b-delta-v1-1',
  'LLaVA-Vicuna-13B v1.1, a delta to LLaMA-13B',
  LLAVA_13B_NUMBERS,
  "Apache 2.0 (its card); its use has to comply with LLaMA's (LLaVA's model zoo)",
);

/** @param place below the folder of all pieces, where `gsva convert delta` is to leave the sum */
const sum = (base: Piece, delta: Piece, place: string) => ({ base, delta, place, numbers: delta.numbers });
export const LLAVA_7B = sum(LLAMA_7B, LLAVA_7B_DELTA, 'LLaVA-Lightning-7B-v1-1');
export const LLAVA_13B = sum(LLAMA_13B, LLAVA_13B_DELTA, 'LLaVA-13B-v1-1');
export const LLAVA_LLAMA_2_13B = llava(
  'llava-llama-2-13b-chat-lightning-preview',
  'LLaVA-Llama-2-13B',
  LLAVA_13B_NUMBERS,
  "the base's: Llama 2 Community Licence (LLaVA's model zoo)",
);

/** The whole CLIP is downloaded; its vision tower is used. */
export const CLIP_L14: Piece = {
  place: 'clip-vit-large-patch14',
  title: 'CLIP ViT-L/14',
  part: 'vision tower',
  needs: ['config.json'],
  hub: 'openai/clip-vit-large-patch14',
  // It has everything several times, for other frameworks.
  files: ['config.json', 'model.safetensors'],
  source: 'https://huggingface.co/openai/clip-vit-large-patch14',
  numbers: { least: 303_179_776, most: 303_179_776 },
  bytes: 1_710_540_580,
  bytesAre: 'listed',
  sha256: { file: 'model.safetensors', digest: 'a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb' },
  licence: 'MIT (github.com/openai/CLIP)',
};

export const SAM_VIT_H: Piece = {
  place: 'sam_vit_h_4b8939.pth',
  title: 'SAM ViT-H',
  part: 'sam',
  needs: 'file',
  hub: null,
  url: 'https://dl.fbaipublicfiles.com/segment_anything/sam_vit_h_4b8939.pth',
  source: 'https://github.com/facebookresearch/segment-anything#model-checkpoints',
  numbers: { least: 641_090_864, most: 641_090_864 },
  bytes: 2_564_550_879,
  bytesAre: 'listed',
  sha256: { file: 'sam_vit_h_4b8939.pth', digest: 'a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e' },
  licence: 'Apache 2.0 (github.com/facebookresearch/segment-anything)',
};
