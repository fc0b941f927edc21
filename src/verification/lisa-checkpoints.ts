/**
 * Verifies a model of LISA in its published form (checkpoints-tiny-lisa: `lisa/`, `clip/`): every tensor of its shards,
 * what the chat program makes of pictures and questions, and masks of given answers where the recording of the whole
 * model, whose inputs they have, lies next to it.
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { withWeights } from '../checkpoints/checkpoint-directory.js';
import { CLIP_STD, clipTransform, resizeForSam, SAM_MEAN, SAM_STD } from '../data/image/image-transforms.js';
import { decodeMask, rleFromString } from '../data/masks/coco-mask.js';
import { tokenizeConversation } from '../data/text/conversation.js';
import { type EncodedImage, encodeImages } from '../features/image-features.js';
import { type OpenedModel, openModel } from '../inference/open-model.js';
import { openCheckpoint } from '../io/checkpoint-files.js';
import { readImage } from '../io/image/image-file.js';
import { readJson } from '../io/json/json-file.js';
import { JsonReader } from '../io/json/json-reader.js';
import { toFloat32 } from '../io/file-tensor.js';
import { printedAnswer, savedFiles } from '../systems/lisa/dialogue.js';
import { chatTurn } from '../systems/shared/lisa-prompts.js';
import { LlavaSam } from '../systems/shared/llava-sam.js';
import type { ModelConfig } from '../systems/shared/model-config.js';
import type { PreparedImage } from '../types.js';
import { logitsItem, masksOfTokens, write } from './lisa-answers.js';
import { LisaCase } from './lisa-case.js';
import { pair, Recording } from './model-case.js';
import { itemsOf, largestDifference, Mismatches, relativeError, toleranceItem, Worst } from './verify-item.js';
import type { VerifyItem } from './verify-item.js';

/** Tolerance of sums in double precision. */
const SUM_TOLERANCE = 1e-9;
const DTYPES: Readonly<Record<string, string>> = { bfloat16: 'BF16', float16: 'F16', float32: 'F32' };
/** Heads of SAM's mask decoder, which no published file says: 8 in the published models. */
const DECODER_HEADS = [8, 4, 2, 1];
/** Grey levels that decoders of JPEG differ by. */
const JPEG_LEVELS = 3;
/** A grey level in CLIP's normalised values, at most. */
const CLIP_LEVEL = 1 / 255 / Math.min(...CLIP_STD);

/** @throws UserError where a file or a part of it is missing or malformed */
export async function verifyLisaCheckpoints(dir: string): Promise<VerifyItem[]> {
  const path = join(dir, 'expected.json');
  const root = JsonReader.of(readJson(path, 'the recorded model as it is published'), path);
  const whole = modelBeside(dir);
  const items = verifyTensors(join(dir, 'lisa'), root.key('tensors'));
  const attempts: VerifyItem[][] = [];
  for (const heads of whole === null ? DECODER_HEADS : [whole.config.sam.decoderHeads]) {
    const found = await verifyNetwork(dir, root, whole, heads);
    if (found === null) continue;
    if (found.every(({ pass }) => pass)) return [...items, ...found];
    attempts.push(found);
  }
  const failures = (some: readonly VerifyItem[]): number => some.filter(({ pass }) => !pass).length;
  const [best = []] = attempts.sort((a, b) => failures(a) - failures(b));
  return [...items, ...best];
}

/** The recording of the whole model with these sizes, in a folder next to it. */
function modelBeside(dir: string): LisaCase | null {
  const folder = dirname(resolve(dir));
  const { tensors } = openCheckpoint(join(dir, 'lisa'));
  const masks = new Recording(join(dir, 'expected.safetensors'));
  for (const name of readdirSync(folder).sort()) {
    const other = join(folder, name);
    const files = ['config.json', 'case.json', 'case.safetensors', 'model.safetensors'];
    if (!files.every((file) => existsSync(join(other, file)))) continue;
    const root = JsonReader.of(readJson(join(other, 'case.json'), 'a recording'), other);
    if (root.optional('batch_a') === null) continue;
    const whole = new LisaCase(other);
    const fits = [...whole.model().tensors].every(([key, { shape }]) => {
      const published = tensors.get(key.replace('base_model.model.', ''));
      return published === undefined || published.shape.join() === shape.join();
    });
    const picture = whole.sizes[0]?.original.join();
    if (fits && masks.get('val.0.masks').shape.slice(1).join() === picture) return whole;
  }
  return null;
}

function verifyTensors(folder: string, expected: JsonReader): VerifyItem[] {
  const index = JsonReader.of(readJson(join(folder, 'pytorch_model.bin.index.json'), 'the index'), folder);
  const files = index.key('weight_map');
  const { tensors } = openCheckpoint(folder);
  const which = new Mismatches('published tensors: names, files, types, shapes');
  const sums = new Worst('published tensors: sums', SUM_TOLERANCE, 'relative to the sum of magnitudes');
  const entries = expected.entries();
  which.compare('number', tensors.size, entries.length);
  for (const [name, place] of entries) {
    const tensor = tensors.get(name);
    which.compare(name, tensor?.shape.join() ?? 'none', place.key('shape').numbers().join());
    if (tensor === undefined) continue;
    const dtype = place.key('dtype').string();
    which.compare(`type of ${name}`, tensor.dtype, DTYPES[dtype] ?? dtype);
    which.compare(`file of ${name}`, files.key(name).string(), place.key('file').string());
    const values = toFloat32({ ...tensor, data: tensor.read() }, name);
    const magnitude = values.reduce((sum, value) => sum + Math.abs(value), 0);
    sums.add(`sum of magnitudes of ${name}`, relativeError(magnitude, place.key('abs').number()));
    const sum = values.reduce((total, value) => total + value, 0);
    sums.add(`sum of ${name}`, Math.abs(sum - place.key('sum').number()) / Math.max(magnitude, Number.MIN_VALUE));
  }
  return itemsOf(which, sums);
}

/** @returns null where the decoder cannot have that number of heads */
async function verifyNetwork(dir: string, root: JsonReader, whole: LisaCase | null, heads: number) {
  const source = { mllm: join(dir, 'lisa'), visionTower: join(dir, 'clip'), sam: null, weights: null };
  let opened: OpenedModel<ModelConfig>;
  try {
    opened = await openModel<ModelConfig>({ ...source, overrides: [['sam.decoder_heads', heads]] });
  } catch (error) {
    if (whole !== null) throw error;
    return null;
  }
  const network = withWeights(new LlavaSam(opened.config), opened.tensors, opened.weightsPath);
  try {
    const items = await verifyChat(dir, root.key('chat'), opened, network);
    return whole === null ? items : [...items, ...(await verifyMasks(dir, opened, network, whole))];
  } finally {
    network.dispose();
  }
}

async function verifyChat(
  dir: string,
  chats: JsonReader,
  { system, config, meta, tokenizer }: OpenedModel<ModelConfig>,
  network: LlavaSam,
): Promise<VerifyItem[]> {
  const tensors = new Recording(join(dir, 'expected.safetensors'));
  const vocabulary = system.vocabulary(config, {});
  const [texts, ids] = [new Mismatches('chat: what is printed and saved'), new Mismatches('chat: ids')];
  const items: VerifyItem[] = [];
  const levels = new Worst('chat: pictures', JPEG_LEVELS, 'grey levels');
  for (const [k, place] of chats.array().entries()) {
    const name = `chat.${k}`;
    const turn = chatTurn(place.key('question').string(), true);
    const prompt = tokenizeConversation(tokenizer, meta.conversation, [turn]).inputIds;
    ids.compare(`prompt of ${name}`, prompt, tensors.get(`${name}.input_ids`).data);
    const picture = place.key('picture').string();
    const prepared = recordedImage(tensors, name, place, config.sam.imageSize);
    await comparePicture(join(dir, '..', 'datasets', 'data', picture), name, prepared, tensors, levels);
    const [image] = await encodeImages(network, [prepared]);
    const written = await write(network, vocabulary, image as EncodedImage, prompt, place);
    ids.compare(name, written.ids, tensors.get(`${name}.output_ids`).data);
    // Behind the label "text_output: ", with the space that `print` puts between its arguments.
    texts.compare(name, ` ${printedAnswer(tokenizer, written.ids)}`, place.key('printed').string());
    const saved = place.key('files_saved').array();
    const names = savedFiles(basename(picture), written.masks.length);
    texts.compare(`files of ${name}`, names.join(), saved.map((file) => file.string()).join());
    items.push(compareMasks(name, written.masks, place));
  }
  return [...itemsOf(ids, texts, ...(levels.count === 0 ? [] : [levels])), ...items];
}

/** Inputs of the encoders from the recorded ones: RGB before SAM's normalisation, CLIP's behind its own. */
function recordedImage(tensors: Recording, name: string, place: JsonReader, side: number): PreparedImage {
  const { shape, data } = tensors.get(`${name}.image_uint8`);
  const [height = 0, width = 0] = shape;
  const sam = new Float32Array(side * side * 3);
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < width * 3; i++) {
      const [mean, deviation] = [SAM_MEAN[i % 3] as number, SAM_STD[i % 3] as number];
      sam[y * side * 3 + i] = ((data[y * width * 3 + i] as number) - mean) / deviation;
    }
  }
  const clip = tensors.get(`${name}.image_clip`);
  const [channels = 0, , cropped = 0] = clip.shape;
  const pixels = cropped * cropped;
  const crop = Float32Array.from({ length: channels * pixels }, (_, i) => {
    return clip.data[(i % channels) * pixels + Math.floor(i / channels)] as number;
  });
  return { inputs: { clip: crop, sam }, resized: pair(place.key('resized')), original: pair(place.key('size')) };
}

/** Our decoding and resizing of the picture, where the datasets are at hand. */
async function comparePicture(
  path: string,
  name: string,
  { inputs }: PreparedImage,
  tensors: Recording,
  levels: Worst,
): Promise<void> {
  if (!existsSync(path)) return;
  const image = await readImage(path);
  const recorded = tensors.get(`${name}.image_uint8`);
  levels.add(name, largestDifference(resizeForSam(image, Math.max(...recorded.shape.slice(0, 2))).data, recorded.data));
  const side = tensors.get(`${name}.image_clip`).shape[1] ?? 0;
  const own = clipTransform(image, side).data;
  levels.add(`${name}, CLIP`, largestDifference(own, inputs['clip'] as Float32Array) / CLIP_LEVEL);
}

function compareMasks(name: string, masks: readonly Float32Array[], place: JsonReader): VerifyItem {
  const recorded = place.key('masks').array();
  let differing = masks.length === recorded.length ? 0 : Infinity;
  for (const [i, rle] of recorded.entries()) {
    const [height, width] = pair(rle.key('size'));
    const expected = decodeMask(rleFromString(rle.key('counts').string(), height, width)).data;
    const found = Uint8Array.from(masks[i] ?? [], (logit) => Number(logit > 0));
    const inside = expected.reduce((sum, value, at) => sum + Number(value !== found[at]), 0);
    differing += found.length === expected.length ? inside : Infinity;
  }
  const loose = place.key('pixels_within_1e4_of_zero').integer();
  return toleranceItem(`${name}: pixels inside`, differing, loose, `${recorded.length} masks`);
}

async function verifyMasks(
  dir: string,
  { system, config }: OpenedModel<ModelConfig>,
  network: LlavaSam,
  whole: LisaCase,
) {
  const tensors = new Recording(join(dir, 'expected.safetensors'));
  const images = await encodeImages(network, await whole.preparedImages());
  const places = whole.json.key('val').array();
  const names = tensors.names.flatMap((name) => /^val\.(\d+)\.masks$/.exec(name)?.[1] ?? []);
  const items: VerifyItem[] = [];
  for (const number of names.map(Number)) {
    const expected = tensors.get(`val.${number}.masks`);
    const image = images[places[number]?.key('image').integer() ?? -1] as EncodedImage;
    const tokens = whole.tokenBatch(`val.${number}.`, false);
    const batch = expected.shape[0] ?? 0;
    const rows = { ...tokens, batch, lengths: tokens.lengths.slice(0, batch) };
    const masks = await masksOfTokens(network, system.vocabulary(config, {}), image, rows);
    items.push(logitsItem(`val.${number}`, masks, expected.data));
  }
  return items;
}
