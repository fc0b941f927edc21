/**
 * Text and data against the reference's results on the miniature datasets in data/: evaluation splits, semantic
 * segmentation, LLaVA-Instruct and pycocotools' polygons.
 */
import { join } from 'node:path';

import { JsonPlace, readJsonFile } from '../data/annotation-files.js';
import { Tokenizer } from '../data/text/tokenizer.js';
import { ADDED_TOKENS } from '../special-tokens.js';
import { verifyConversations } from './datasets-conversations.js';
import { verifyPolygons } from './datasets-polygons.js';
import { verifySemSeg } from './datasets-sem-seg.js';
import { verifyEvaluation } from './datasets-evaluation.js';
import type { VerifyItem } from './verify-item.js';

const NAME = 'the recorded datasets';
const ADVICE = 'Use the recorded datasets folder, with data/ and all of its expected_*.json.';

/** @param tokenizerDir of the recording's tokenizer @throws UserError where a file or a part of it is missing */
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
