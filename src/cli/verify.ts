/** `gsva verify`: replays recorded reference results and shows how far this machine's numbers are from them. */
import { join } from 'node:path';
import { UsageError, messageOf } from '../errors.js';
import type { ModelSource } from '../inference/open-model.js';
import type { VerifyItem } from '../verification/verify-item.js';
import { MODEL_OPTIONS, namedModel } from './model-options.js';
import type { Cell } from './output.js';
import { duration } from './progress.js';
import { findRecordings, type Recording } from './recordings.js';
import { startEngineFor } from './start-engine.js';
import { defineVerb, type VerbContext } from './verb.js';

/** One recording's outcome; what could not be compared at all is an item that did not pass. */
interface Verification extends Recording {
  readonly items: readonly VerifyItem[];
  readonly seconds: number;
}

export const verifyVerb = defineVerb({
  path: ['verify'],
  positionalSyntax: '<folders..>',
  describe: 'Compare this machine with recorded results of the reference implementation',
  positionals: {
    folders: {
      describe: 'Folders of recordings (model, metrics, tokenizer, datasets, images), or one that holds such folders',
      type: 'string',
      array: true,
      demandOption: true,
    },
  },
  options: MODEL_OPTIONS,
  examples: [
    ['gsva verify test/fixtures', 'everything that comes with the sources'],
    ['gsva verify test/fixtures/gsva-tiny --json', 'the model alone, for a program to read'],
    ['gsva verify test/fixtures/gsva-tiny --model FOLDER', 'the recorded model from other files, weight by weight too'],
  ],
  async run(args, context) {
    const recordings = args.folders.flatMap((folder) => findRecordings(folder));
    const source = namedModel(args);
    const hasModel = recordings.some(({ kind }) => kind === 'model');
    if (source !== null && !hasModel) throw new UsageError('--model and the like need the recording of a model');
    if (hasModel) await startEngineFor(args, context);
    const verifications: Verification[] = [];
    for (const recording of recordings) {
      context.signal.throwIfAborted();
      context.note(`verifying ${recording.folder} (${recording.kind}) ...`);
      verifications.push(await verifyRecording(recording, source));
    }
    printVerifications(verifications, context);
    return verifications.every(({ items }) => hasPassed(items)) ? 0 : 1;
  },
});

/** First the files against their digests, then the numbers; one failing does not keep the other from being shown. */
async function verifyRecording(recording: Recording, source: ModelSource | null): Promise<Verification> {
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
  return verifyModel(folder, await openModel(source));
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

function hasPassed(items: readonly VerifyItem[]): boolean {
  return items.every(({ pass }) => pass);
}

function printVerifications(verifications: readonly Verification[], { output }: VerbContext): void {
  const { colors } = output;
  for (const { folder, kind, items, seconds } of verifications) {
    output.line(colors.bold(`${folder} (${kind}, ${duration(seconds)})`));
    const rows = items.map(({ item, largestError, tolerance, pass, detail }): Cell[] => [
      item,
      toText(largestError),
      toText(tolerance),
      `${pass ? colors.green('pass') : colors.red('FAIL')}${detail === undefined ? '' : `  ${detail}`}`,
    ]);
    output.table(['item', 'largest error', 'tolerance', 'pass'], rows, { align: ['left', 'right', 'right', 'left'] });
    output.line();
  }
  const all = verifications.flatMap(({ items }) => items);
  const failed = all.filter(({ pass }) => !pass).length;
  const verdict = failed === 0 ? colors.green('all passed') : colors.red(`${failed} failed`);
  output.line(`${all.length} items, ${verifications.length} folders: ${verdict}`);
  output.json({
    pass: verifications.every(({ items }) => hasPassed(items)),
    items: all.length,
    failed,
    recordings: verifications.map(({ items, ...rest }) => ({ ...rest, pass: hasPassed(items), items })),
  });
}

/** 0 → '0', 0.000123 → '1.2e-4', 0.25 → '0.25'. */
function toText(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) < 1e-2 ? value.toExponential(1) : String(Number(value.toPrecision(2)));
}
