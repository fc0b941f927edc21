/** Which device an engine is asked to compute on: `--device cpu|gpu|gpu:1`, or the environment's GSVA_DEVICE. */
import { UsageError, UserError } from '../errors.js';

/** null: what is there, a GPU before the CPU. */
export type DeviceChoice = { readonly kind: 'cpu' } | { readonly kind: 'gpu'; readonly index: number } | null;

/** @throws UsageError for anything but cpu, gpu, gpu:NUMBER (gpu is gpu:0); '' and undefined are no choice. */
export function parseDevice(text: string | undefined): DeviceChoice {
  if (text === undefined || text === '') return null;
  if (text === 'cpu') return { kind: 'cpu' };
  const match = /^gpu(?::(\d{1,3}))?$/.exec(text);
  if (match === null)
    throw new UsageError(`Unknown device '${text}'. Choose cpu, gpu or gpu:NUMBER (gpu:0 is the first)`);
  return { kind: 'gpu', index: Number(match[1] ?? 0) };
}

/** 'cpu', 'gpu:1'. */
export function deviceName(
  choice: { readonly kind: 'cpu' } | { readonly kind: 'gpu'; readonly index: number },
): string {
  return choice.kind === 'cpu' ? 'cpu' : `gpu:${choice.index}`;
}

/**
 * CUDA_VISIBLE_DEVICES that shows just the chosen device. tfjs-node computes on the last GPU that it sees, so it is
 * shown one.
 * @param visible the variable as the user set it: numbers or ids; gpu:1 is the second of them. Undefined: not set.
 * @returns its new value.
 * @throws UserError where a GPU is asked for that the variable hides.
 */
export function cudaVisibleDevices(choice: DeviceChoice, visible: string | undefined): string {
  if (choice?.kind === 'cpu') return '-1';
  const index = choice?.index ?? 0;
  if (visible === undefined) return String(index);
  const listed = visible.split(',').map((entry) => entry.trim());
  // CUDA's rule: the list ends at the first entry that is no device.
  const end = listed.findIndex((entry) => entry === '' || entry.startsWith('-'));
  const device = (end < 0 ? listed : listed.slice(0, end))[index];
  if (device !== undefined) return device;
  if (choice === null) return '-1';
  throw new UserError(
    `Starting on ${deviceName(choice)}: the environment's CUDA_VISIBLE_DEVICES is "${visible}", which does not show ` +
      `this GPU. Unset it, or choose --device cpu.`,
  );
}
