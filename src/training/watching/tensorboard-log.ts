/**
 * TensorBoard events of a run: every figure as a curve, the configuration as text, pictures of validation samples. The
 * log stays `log.jsonl`: where events cannot be written (any more), the run goes on without them.
 */
import * as tf from '../../engine/tf.js';
import { messageOf } from '../../errors.js';
import type { EventContent } from '../../io/tensorboard/event.js';
import { EventFile } from '../../io/tensorboard/event-file.js';
import type { AlarmRecord, UpdateRecord, ValidationRecord } from './run-log.js';
import type { TrainingObserver } from './training-observer.js';
import { TOTAL_LOSS } from '../../nn/loss-parts.js';

const GIB = 2 ** 30;

export class TensorBoardLog implements TrainingObserver {
  private file: EventFile | null = null;

  /**
   * @param dir one folder per run @param header configuration, engine, data @param onTrouble called once, on failure
   */
  constructor(
    private readonly dir: string,
    private readonly header: Readonly<Record<string, unknown>>,
    private readonly onTrouble: (message: string) => void,
  ) {}

  /** @throws UserError when events cannot be written from the beginning: the person asked for them and can help it */
  onStart({ update }: { readonly update: number }): void {
    this.file = EventFile.create(this.dir, update === 0 ? 0 : update + 1);
    const text = `\`\`\`json\n${JSON.stringify(this.header, null, 2)}\n\`\`\``;
    this.append(update, { kind: 'text', tag: 'run', text });
  }

  onUpdate(record: UpdateRecord): void {
    const losses = Object.entries(record.losses).map(([name, value]): [string, number] => {
      return [`loss/${name === TOTAL_LOSS ? 'total' : name}`, value];
    });
    const values = {
      ...Object.fromEntries(losses),
      'optimizer/learning_rate': record.learningRate,
      'optimizer/gradient_norm': record.gradNorm,
      ...partValues(record),
      'progress/epoch': record.epoch,
      'speed/samples_per_second': record.samplesPerSecond,
      'speed/seconds_per_update': record.seconds,
      'memory/process_gib': process.memoryUsage.rss() / GIB,
      'memory/tensors_gib': tf.memory().numBytes / GIB,
      'memory/tensors': record.numTensors,
    };
    this.append(record.update, { kind: 'scalars', values });
  }

  onValidation({ update, metrics, seconds }: ValidationRecord): void {
    const figures = Object.entries(metrics).map(([name, value]) => [`validation/${name}`, value] as const);
    const values = { ...Object.fromEntries(figures), 'speed/validation_seconds': seconds };
    this.append(update, { kind: 'scalars', values });
  }

  onAlarm({ update, message }: AlarmRecord): void {
    this.append(update, { kind: 'text', tag: 'alarms', text: message });
  }

  /** Pictures of samples after `update` updates; the same names every time, so that one can be followed. */
  addPictures(update: number, pictures: ReadonlyMap<string, Buffer>): void {
    for (const [name, png] of pictures) this.append(update, { kind: 'picture', tag: `samples/${name}`, png });
  }

  close(): void {
    this.file?.close();
    this.file = null;
  }

  private append(update: number, content: EventContent): void {
    try {
      this.file?.append(update, content);
    } catch (error) {
      this.onTrouble(
        `Cannot write TensorBoard's events to ${this.dir} any more: ${messageOf(error)}. The run goes on without ` +
          'them; its log.jsonl has all figures. Is the disk full?',
      );
      this.close();
    }
  }
}

/** Gradient norms and update ratios of the parts, each kind in a group of its own. */
function partValues({ parts = {} }: UpdateRecord): Record<string, number> {
  const values = Object.entries(parts).flatMap(([part, { gradNorm, updateRatio }]) => [
    [`gradient/${part}`, gradNorm] as const,
    [`update_ratio/${part}`, updateRatio] as const,
  ]);
  return Object.fromEntries(values);
}
