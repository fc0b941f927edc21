/** Published form of GSVA and LISA: LLaVA's and CLIP's folders, SAM's checkpoint, and what was trained; or LISA's folder. */
import { resolveHubName } from '../../../io/cache/hub-cache.js';
import { UserError } from '../../../errors.js';
import { PUBLISHED_PREFIX } from '../../../networks/lora.js';
import { type ExportedPiece, type ExportRequest, type PublishedForm, systemOfSource } from '../../published-files.js';
import type { PublishedModel, PublishedSource, WholeModel } from '../../published-files.js';
import { modelCard } from '../model-card.js';
import { type ModelConfig, modelConfigToJson, type TokenIds } from '../model-config.js';
import { PROMPT } from './config.js';
import * as files from './files.js';
import { lisaJsonFiles, lisaTensors } from './lisa-files.js';
import { openPublishedModel } from './model.js';
import { publishedWords, specialTokens } from './tokens.js';

export const LLAVA_SAM_FORM: PublishedForm = {
  // Our files have peft's prefix, as the published ones.
  prefix: PUBLISHED_PREFIX,
  open,
  card: (config, meta, tensors) => modelCard(config as ModelConfig, meta, tensors),
  pieces: (model, request) => {
    const config = model.config as ModelConfig;
    return config.system === 'lisa' ? lisaPieces(config, model, request) : gsvaPieces(config, model, request);
  },
};

function open(source: PublishedSource): PublishedModel {
  const { overrides = [], mllm, visionTower, sam, weights } = source;
  if (visionTower === null) {
    throw new UserError(`Reading ${mllm}: the folder of CLIP is not named. Name it as --vision-tower (visionTower).`);
  }
  const system = systemOfSource(source);
  const words = publishedWords(system === 'lisa' ? 'lisa' : 'gsva', resolveHubName(mllm, 'the multimodal LLM'));
  const tokensOf = (dir: string): TokenIds => specialTokens(dir, words.tokens);
  const { config, ...published } = openPublishedModel({ mllm, visionTower, sam, weights }, tokensOf, overrides);
  const details = { mllm, visionTower, sam, weights };
  const stage = weights !== null || published.tensors.has(PROMPT) ? 'published' : 'base';
  const description = weights ?? (sam === null ? mllm : `${mllm} and ${sam}`);
  const meta = { conversation: source.conversation ?? words.conversation, stage, description, details };
  return { ...published, json: { ...modelConfigToJson(config), system }, meta, source: weights ?? mllm };
}

function refuseFormat(source: string, system: string, format: string): never {
  throw new UserError(
    `Exporting ${source}: it is a model of ${system}, which the format ${format} cannot hold. Leave out --format.`,
  );
}

function clipPiece({ clip }: ModelConfig, { tensors }: WholeModel, as: ExportedPiece['as']): ExportedPiece {
  const json = {
    'config.json': files.clipConfigJson(clip),
    'preprocessor_config.json': files.clipPreprocessorJson(clip),
  };
  return { name: 'clip', json, tokenizer: null, tensors: files.publishedTensors('vision tower', tensors), as };
}

/** In the types of the published ones unless another is asked for. */
function lisaPieces(config: ModelConfig, model: WholeModel, { format = 'lisa' }: ExportRequest) {
  const { tensors, tokenizerDir, source } = model;
  if (format !== 'lisa') refuseFormat(source, config.system, format);
  const json = lisaJsonFiles(config, tokenizerDir);
  const whole = { name: 'lisa', json, tokenizer: tokenizerDir, tensors: lisaTensors(config, tensors) };
  return { format, pieces: [{ ...whole, as: 'pytorch' } as const, clipPiece(config, model, 'pytorch')] };
}

function gsvaPieces(config: ModelConfig, model: WholeModel, { format = 'pytorch', parts }: ExportRequest) {
  const { tensors, tokenizerDir, source } = model;
  if (format === 'lisa') refuseFormat(source, config.system, format);
  const as = format === 'hf' ? 'safetensors' : 'pytorch';
  const pieces = parts.map((part): ExportedPiece => {
    const own = files.publishedTensors(part === 'vision-tower' ? 'vision tower' : part, tensors);
    if (own.length === 0) throw new UserError(`Exporting ${part}: the model has nothing of it.`);
    const plain = { tensors: own, json: {}, tokenizer: null };
    if (part === 'sam') return { ...plain, name: 'sam.pth', as: 'file' };
    if (part === 'weights') return { ...plain, name: 'gsva.bin', as: 'file' };
    if (part === 'vision-tower') return clipPiece(config, model, as);
    return {
      ...plain,
      name: 'llava',
      json: { 'config.json': files.llavaConfigJson(config) },
      tokenizer: tokenizerDir,
      as,
    };
  });
  return { format, pieces };
}
