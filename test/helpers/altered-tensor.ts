/** Recordings in which a number is another. */
import { readFileSync, writeFileSync } from 'node:fs';

/** Changes one float of one tensor of a safetensors file. */
export function alterFloat(path: string, tensor: string, index: number, value: number): void {
  const bytes = readFileSync(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength)) as Record<
    string,
    { data_offsets: [number, number] }
  >;
  const begin = header[tensor]?.data_offsets[0];
  if (begin === undefined) throw new Error(`${path} has no ${tensor}`);
  bytes.writeFloatLE(value, 8 + headerLength + begin + 4 * index);
  writeFileSync(path, bytes);
}
