import type { FileTensor } from './file-tensor.js';
import { UserError } from '../errors.js';
export function openTorchCheckpoint(path: string): { readonly tensors: Map<string, FileTensor> } {
  throw new UserError(`not yet ${path}`);
}
