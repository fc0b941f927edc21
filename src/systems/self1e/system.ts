/**
 * SELF1E as a system: everything that the rest of the project knows of it. One kind of [SEG], which is always answered;
 * an absent target has an empty mask.
 */
import type { EncoderInput } from '../../data/image/prepare-image.js';
import { IMAGE_CONTEXT_TOKEN, PICTURE_END_TOKEN, PICTURE_START_TOKEN } from '../../special-tokens.js';
import { TURN_END_TOKEN, TURN_START_TOKEN } from '../../special-tokens.js';
import { SEG_TOKEN } from '../shared/decision-tokens.js';
import type { System, Vocabulary } from '../system.js';
import { readSelf1eConfig, type Self1eConfig, self1eConfigToJson } from './config.js';
import { Self1eDialogue } from './dialogue.js';
import { Self1e } from './model.js';
import { SELF1E_PARTS } from './parts.js';
import { SELF1E_RECIPE } from './step.js';
import { SELF1E_TOKENS, UNUSED_TOKEN } from './tokens.js';

export const system: System<Self1eConfig> = {
  name: 'self1e',
  paper: {
    title: 'Rethinking MLLM Itself as a Segmenter with a Single Segmentation Token',
    url: 'https://arxiv.org/abs/2603.19026',
  },
  can: { rejects: false, boxes: false, regions: false },
  evaluation: { ignored: 'excluded', masks: 'one-pass' },
  config: { parse: (json, source) => readSelf1eConfig(json, source), toJson: self1eConfigToJson },
  startsTokens: 'given',
  parts: SELF1E_PARTS,
  recipe: SELF1E_RECIPE,
  vocabulary: self1eVocabulary,
  dialogue: (_, { explanationOnly, together }) => new Self1eDialogue({ explanationOnly, together }),
  pictures: self1ePictures,
  build: (config) => new Self1e(config),
};

/** Smaller masks say that the target is absent; for photographs of 640 × 480, as LISA has it. */
const ABSENT_BELOW = 50;

function self1eVocabulary({ tokens, llm }: Self1eConfig): Vocabulary {
  const { seg, segt, imageContext, imageStart, imageEnd, begin: turn, end } = tokens;
  return {
    ...SELF1E_TOKENS,
    found: [seg],
    absent: [],
    absentBelow: ABSENT_BELOW,
    size: llm.vocabSize,
    begin: null,
    end,
    pad: tokens.pad,
    ids: [
      { token: SEG_TOKEN, id: seg, key: 'tokens.seg' },
      ...(segt === undefined ? [] : [{ token: UNUSED_TOKEN, id: segt, key: 'tokens.segt' }]),
      { token: IMAGE_CONTEXT_TOKEN, id: imageContext, key: 'tokens.image_context' },
      { token: PICTURE_START_TOKEN, id: imageStart, key: 'tokens.image_start' },
      { token: PICTURE_END_TOKEN, id: imageEnd, key: 'tokens.image_end' },
      { token: TURN_START_TOKEN, id: turn, key: 'tokens.begin' },
      { token: TURN_END_TOKEN, id: end, key: 'tokens.end' },
    ],
  };
}

function self1ePictures({ vision, tiles }: Self1eConfig): Readonly<Record<'vit', EncoderInput>> {
  const dynamic = tiles.most > 1 ? { mostTiles: tiles.most, thumbnail: tiles.thumbnail } : {};
  return { vit: { transform: 'squash', side: vision.imageSize, neededFor: 'text', ...dynamic } };
}
