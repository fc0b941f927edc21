/** The model's answers against the recording: teacher-forced evaluation and greedy decoding. */
import { generate } from '../inference/generate.js';
import { type ForcedItem, teacherForce } from '../inference/teacher-forcing.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { EncodedImage } from '../features/image-features.js';
import { IMAGE_TOKEN_ID } from '../special-tokens.js';
import { largestDifference, Mismatches, toleranceItem, type VerifyItem } from './verify-item.js';
import type { Comparison, ModelCase } from './model-case.js';

/** Absolute tolerance of mask logits at the image's size. */
const MASK_TOLERANCE = 1e-3;

type Answers = Comparison<ModelCase, readonly EncodedImage[]>;

export const verifyAnswers: Answers = async (gsva, recorded, images) => {
  const items = images.map((image, row) => ({ image, conversation: recorded.conversation(row) }));
  return [
    ...(await verifyForcedAnswers(gsva, recorded, items, 'given', 'plain')),
    ...(await verifyForcedAnswers(gsva, recorded, items, 'every', 'reeval')),
    ...(await verifyGreedy(gsva, recorded, images)),
  ];
};

/** @param pass 'plain': masks of the given [SEG]s; 'reeval': of every place, each [REJ] read as [SEG] */
async function verifyForcedAnswers(
  gsva: LlavaSam,
  recorded: ModelCase,
  items: readonly ForcedItem[],
  masks: 'given' | 'every',
  pass: 'plain' | 'reeval',
): Promise<VerifyItem[]> {
  const ids = new Mismatches(`eval.*.${pass}.output_ids`);
  const answers = await teacherForce(gsva, recorded.vocabulary, items, masks);
  const maskItems = answers.map((answer, row) => {
    // In the recording every image position is a 0.
    const zeros = Array.from({ length: gsva.patches }, () => 0);
    const found = answer.outputIds.flatMap((id) => (id === IMAGE_TOKEN_ID ? zeros : [id]));
    ids.compare(`image ${row}`, found, recorded.tensors.get(`eval.${row}.${pass}.output_ids`).data);
    const name = `eval.${row}.${pass}.masks`;
    const { shape, data } = recorded.tensors.get(name);
    const logits = answer.masks.flatMap((mask) => [...mask.data]);
    return toleranceItem(name, largestDifference(logits, data), MASK_TOLERANCE, `logits [${shape.join(', ')}]`);
  });
  return [ids.item(), ...maskItems];
}

/** About image 0. */
const verifyGreedy: Answers = async (gsva, recorded, images) => {
  const prompt = [...recorded.tensors.get('greedy.prompt_ids').data];
  const expected = recorded.tensors.get('greedy.ids').data;
  const ids = new Mismatches('greedy.ids');
  const [image] = images;
  if (image !== undefined) {
    const maxTokens = expected.length - prompt.length;
    const generated = await generate(gsva, recorded.vocabulary, image, prompt, { maxTokens });
    ids.compare('the continuation', [...prompt, ...generated.ids], expected);
  }
  return [ids.item()];
};
