/**
 * Verifies text and data against a recording of what the reference makes of the miniature datasets in data/: all
 * evaluation splits in both conversation styles (expected_val.json), semantic segmentation (expected_semseg.json),
 * LLaVA-Instruct (expected_vqa.json), and what pycocotools makes of random polygons (expected_polygons.json).
 */
import { join } from 'node:path';

import { JsonPlace, readJsonFile } from '../data/annotation-files.js';
import { Tokenizer } from '../data/text/tokenizer.js';
import { ADDED_TOKENS } from '../systems/shared/decision-tokens.js';
import { verifyConversations } from './datasets-conversations.js';
import { verifyPolygons } from './datasets-polygons.js';
import { verifySemSeg } from './datasets-sem-seg.js';
import { verifyEvaluation } from './datasets-evaluation.js';
import type { VerifyItem } from './verify-item.js';

const NAME = 'the recorded datasets';
const ADVICE = 'Use the recorded datasets folder, with data/ and all of its expected_*.json.';

/**
 * @param tokenizerDir folder of the tokenizer that the recording was made with.
 * @throws UserError where a file or a part of it is missing.
 */
export async function verifyDatasets(dir: string, tokenizerDir: string): Promise<VerifyItem[]> {
  const tokenizer = Tokenizer.fromDirectory(tokenizerDir);
  tokenizer.addTokens(ADDED_TOKENS);
  const dataDir = join(dir, 'data');
  return [
    ...(await verifyEvaluation(read(dir, 'expected_val.json'), dataDir, tokenizer)),
    ...verifySemSeg(read(dir, 'expected_semseg.json'), dataDir),
    ...verifyConversations(read(dir, 'expected_vqa.json'), dataDir, tokenizer),
    ...verifyPolygons(read(dir, 'expected_polygons.json')),
  ];
}

function read(dir: string, file: string): JsonPlace {
  const path = join(dir, file);
  return new JsonPlace(readJsonFile(NAME, path, ADVICE), NAME, path);
}
