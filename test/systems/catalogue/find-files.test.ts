/** Files of a published model: there, missing, broken; in a folder or in the Hugging Face cache. Tiny sizes, real files. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';

import { openCheckpoint } from '../../../src/io/checkpoint-files.js';
import type { Backbone, Piece, ReleasedModel } from '../../../src/systems/catalogue/entry.js';
import { findModel, findPiece, type FoundModel, usedNumbers } from '../../../src/systems/catalogue/find-files.js';
import { CLIP_L14, LLAMA_7B, LLAVA_7B_DELTA, SAM_VIT_H } from '../../../src/systems/catalogue/pieces.js';
import type { PublishedPart } from '../../../src/systems/shared/published/names.js';
import { fixture } from '../../helpers/fixtures.js';

const FILES = fixture('checkpoints-tiny');
const scratch = mkdtempSync(join(tmpdir(), 'gsva-find-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

function numbersOf(part: PublishedPart, name: string): number {
  return usedNumbers(part, openCheckpoint(join(FILES, name)).tensors);
}

/** The catalogue's piece with the tiny file's numbers. */
function tiny(piece: Piece, file: string): Piece {
  const count = numbersOf(piece.part, file);
  return { ...piece, numbers: { least: count, most: count }, needs: piece.needs === 'file' ? 'file' : ['config.json'] };
}

const llavaNumbers = numbersOf('mllm', 'llava');
const trained = numbersOf('weights', 'gsva-tiny-ft-gres.bin');
const BACKBONE: Backbone = {
  name: 'vicuna-7b',
  title: 'GSVA-tiny',
  conversation: 'llava_v1',
  loraRank: 4,
  hiddenSize: 48,
  layers: 3,
  numbers: { all: 2 * trained, trained },
  clip: tiny(CLIP_L14, 'clip'),
  sam: tiny(SAM_VIT_H, 'sam_vit_tiny.pth'),
  llava: {
    base: tiny(LLAMA_7B, 'llama-base'),
    delta: tiny(LLAVA_7B_DELTA, 'llava-delta'),
    place: 'LLaVA',
    numbers: { least: llavaNumbers, most: llavaNumbers },
  },
};
const MODEL: ReleasedModel = {
  name: 'gsva-tiny',
  title: 'tiny',
  backbone: BACKBONE,
  config: '',
  named: null,
  figures: [],
  logged: [],
};

const FROM: Readonly<Record<string, string>> = {
  'llama-7b': 'llama-base',
  'LLaVA-Lightning-7B-delta-v1-1': 'llava-delta',
  LLaVA: 'llava',
  'clip-vit-large-patch14': 'clip',
  'sam_vit_h_4b8939.pth': 'sam_vit_tiny.pth',
  'gsva-tiny.bin': 'gsva-tiny-ft-gres.bin',
};

function folder(...places: string[]): string {
  const dir = mkdtempSync(join(scratch, 'dir-'));
  for (const place of places) cpSync(join(FILES, FROM[place] ?? ''), join(dir, place), { recursive: true });
  return dir;
}

function find(dir: string, env: NodeJS.ProcessEnv = { HF_HUB_CACHE: join(scratch, 'none') }): FoundModel {
  return findModel(MODEL, { dir, env });
}

const ENCODERS = ['clip-vit-large-patch14', 'sam_vit_h_4b8939.pth'];
const DELTA = ['llama-7b', 'LLaVA-Lightning-7B-delta-v1-1'];

test.each([
  ['nothing', [], 'absent'],
  ['what other models need too', [...ENCODERS, 'LLaVA'], 'absent'],
  ['its own weights alone', ['gsva-tiny.bin'], 'partial'],
  ['all but LLaVA', [...ENCODERS, 'gsva-tiny.bin'], 'partial'],
  ['base and delta, not added yet', [...ENCODERS, ...DELTA, 'gsva-tiny.bin'], 'files'],
  ['all', [...ENCODERS, 'LLaVA', 'gsva-tiny.bin'], 'complete'],
])('%s', (_, places, state) => {
  expect(find(folder(...places)).state).toBe(state);
});

test('a converted model needs nothing else; one of other sizes is a problem', () => {
  const dir = folder();
  cpSync(fixture('gsva-tiny'), join(dir, 'gsva-tiny'), { recursive: true });
  writeFileSync(
    join(dir, 'gsva-tiny', 'meta.json'),
    JSON.stringify({ format: 1, conversation: 'llava_v1', stage: 'gsva', description: 'tiny' }),
  );
  expect(find(dir)).toMatchObject({ state: 'complete', converted: { state: 'there' } });
  const path = join(dir, 'gsva-tiny', 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as { lora: { r: number } };
  writeFileSync(path, JSON.stringify({ ...config, lora: { ...config.lora, r: 2 } }));
  const { state, converted } = find(dir);
  expect(state).toBe('broken');
  expect(converted.fault).toBe(
    'it has 3 layers of 48 and LoRA of rank 2; GSVA-tiny has 3 layers of 48 and LoRA of rank 4',
  );
});

test('a download that broke off, a missing config.json, another model, a folder for a file: said with the path', () => {
  const dir = folder(...ENCODERS, 'LLaVA', 'gsva-tiny.bin');
  truncateSync(join(dir, 'sam_vit_h_4b8939.pth'), 20_000);
  rmSync(join(dir, 'clip-vit-large-patch14', 'config.json'));
  cpSync(join(FILES, 'sam_vit_tiny.pth'), join(dir, 'gsva-tiny.bin'));
  rmSync(join(dir, 'LLaVA'), { recursive: true });
  writeFileSync(join(dir, 'LLaVA'), '');
  const { state, sam, clip, weights, llava } = find(dir);
  expect(state).toBe('broken');
  expect(sam).toMatchObject({ state: 'broken', path: join(dir, 'sam_vit_h_4b8939.pth') });
  expect(sam.fault).toMatch(/sam_vit_h_4b8939\.pth/);
  expect(clip.fault).toBe('config.json is missing');
  expect(weights.fault).toMatch(/numbers that are used; there should be|it has no LoRA/);
  expect(llava.fault).toBe('it is a file; it should be a folder');
});

test('LoRA of another rank is of another model', () => {
  const dir = folder(...ENCODERS, 'LLaVA', 'gsva-tiny.bin');
  const model = { ...MODEL, backbone: { ...BACKBONE, loraRank: 8 } };
  expect(findModel(model, { dir, env: {} }).weights.fault).toBe('its LoRA has rank 4; that of GSVA-tiny has 8');
});

test("pieces are found in the hub's cache; the folder comes first", () => {
  const cache = join(scratch, 'hub');
  const snapshot = join(cache, 'models--openai--clip-vit-large-patch14', 'snapshots', 'aaaaaaa');
  mkdirSync(join(snapshot, '..'), { recursive: true });
  cpSync(join(FILES, 'clip'), snapshot, { recursive: true });
  const env = { HF_HUB_CACHE: cache };
  const dir = folder();
  expect(findPiece(BACKBONE.clip, { dir, env })).toEqual({ state: 'there', path: snapshot, fault: null });
  expect(findPiece(BACKBONE.clip, { dir: folder('clip-vit-large-patch14'), env }).path).not.toBe(snapshot);
  // An index or file that never arrived.
  rmSync(join(snapshot, 'pytorch_model.bin'));
  expect(findPiece(BACKBONE.clip, { dir, env })).toMatchObject({ state: 'broken', path: snapshot });
});
