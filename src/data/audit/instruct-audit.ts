/** Looks through LLaVA-Instruct: that its conversations are such, and the pictures there. */
import { join } from 'node:path';

import { readJsonRecords } from '../annotation-files.js';
import { turnsOf } from '../vqa/vqa-sample.js';
import type { Audit } from './audit.js';
import { insideFileName } from './file-name.js';
import type { ExpectedImage } from './image-checker.js';

export const auditInstructSet: Audit = async ({ dataDir, entry, problems, images: checker, isThorough }) => {
  const [file, folder] = entry.parts.map((part) => join(dataDir, part.path)) as [string, string];
  const expected = new Map<string, ExpectedImage>();
  let conversations = 0;
  readJsonRecords(entry.title, file, 'Use the published file.', (place, index) => {
    problems.guard(() => {
      conversations++;
      const source = `record [${index}] of ${file}`;
      const name = insideFileName(place.key('image'));
      if (!expected.has(name)) expected.set(name, { path: join(folder, name), size: null, by: source });
      const sentences = place
        .key('conversations')
        .list()
        .map((sentence) => ({ from: sentence.key('from').text(), value: sentence.key('value').text() }));
      if (isThorough) turnsOf({ set: entry.title, source, sentences });
    });
  });
  if (isThorough) await checker.check([...expected.values()], problems);
  return { splits: { train: { images: expected.size, conversations } }, images: expected.size };
};
