/** Recorded reference results, compared with this machine's numbers. */
import { join } from 'node:path';
import { messageOf } from '../errors.js';
import type { ModelSource } from '../inference/open-model.js';
import type { Recording } from '../verification/recordings.js';
import type { VerifyItem } from '../verification/verify-item.js';

/** The outcome of a recording; where nothing could be compared, an item says so that did not pass. */
export interface Verification extends Recording {
  readonly items: readonly VerifyItem[];
  readonly seconds: number;
}

/** First the files against their digests, then the numbers; one failing does not keep the other from being shown. */
export async function verifyRecording(recording: Recording, source: ModelSource | null): Promise<Verification> {
  const startedAt = performance.now();
  const items = [
    ...(await itemsOf('files unaltered', () => verifyFiles(recording))),
    ...(await itemsOf(`${recording.kind} comparison`, () => verifyNumbers(recording, source))),
  ];
  return { ...recording, items, seconds: (performance.now() - startedAt) / 1000 };
}

async function verifyFiles({ kind, folder }: Recording): Promise<VerifyItem[]> {
  const { verifyDigests } = await import('../verification/digests.js');
  return verifyDigests(kind, folder);
}

// Each kind is loaded when it is needed: the tokenizer's check does not wait for TensorFlow.js.
async function verifyNumbers({ kind, folder }: Recording, source: ModelSource | null): Promise<VerifyItem[]> {
  switch (kind) {
    case 'model':
      return verifyModelOf(folder, source);
    case 'metrics':
      return (await import('../verification/metrics.js')).verifyMetrics(folder);
    case 'tokenizer':
      return (await import('../verification/tokenizer.js')).verifyTokenizer(folder);
    case 'datasets':
      // Their token ids are those of the sibling folder.
      return (await import('../verification/datasets.js')).verifyDatasets(folder, join(folder, '..', 'tokenizer'));
    case 'images':
      return (await import('../verification/images.js')).verifyImages(folder);
  }
}

async function verifyModelOf(folder: string, source: ModelSource | null): Promise<VerifyItem[]> {
  const { verifyModel } = await import('../verification/model.js');
  if (source === null) return verifyModel(folder);
  const { openModel } = await import('../inference/open-model.js');
  return verifyModel(folder, openModel(source));
}

/** The items, or one failed item that says why there are none: what compares nothing proves nothing. */
async function itemsOf(what: string, verify: () => Promise<VerifyItem[]>): Promise<readonly VerifyItem[]> {
  const failed = (detail: string): VerifyItem[] => [
    { item: what, largestError: Infinity, tolerance: 0, pass: false, detail },
  ];
  try {
    const items = await verify();
    return items.length > 0 ? items : failed('nothing was compared');
  } catch (error) {
    return failed(messageOf(error));
  }
}
