/** Recogniser of files in place of others, for every kind that is read: failed downloads, other formats. */

type Sign = readonly [RegExp | readonly string[], string];

/** Beginnings of the answers of servers, browsers or git in place of a file; no format that is read begins so. */
const STAND_INS: readonly Sign[] = [
  [
    /^version https:\/\/git-lfs/,
    'it is a Git-LFS pointer, not the file itself; fetch the file with: git lfs pull (or: hf download)',
  ],
  [
    /^\s*<(?:!doctype|html|head|\?xml[^>]*>\s*<(?:!doctype html|html|error))/i,
    'it is a web page (HTML), not the file; download it again, logged in if need be',
  ],
  [
    /^\s*(?:Entry not found|Repository not found|Access to model .* is restricted|Invalid (?:username|credentials)|404: Not Found|Not Found)\b.{0,200}$/is,
    'it is the error message of a server, not the file; download it again, logged in if need be',
  ],
  [
    // An object whose first key is that of an error: {"error": "Repository not found"}.
    /^\s*\{\s*"(?:error|errors|detail|message|statusCode|status_code)"\s*:/,
    'it is a JSON text, the error message of a server, not the file; look into it, and download the file again, logged in if need be',
  ],
];

const OTHER_FORMATS: readonly Sign[] = [
  [/^\s*\{/, 'it is a JSON text, not a checkpoint; the download may have answered with an error: look into it'],
  [['\x89HDF'], 'it is an HDF5 (Keras) file, expected one of torch.save'],
  [
    ['GGUF'],
    'it is a GGUF file (llama.cpp), whose tensors are quantised and named otherwise; use the original weights ' +
      '(safetensors or pytorch_model.bin) that it was made from',
  ],
  [['\x93NUMPY'], 'it is a NumPy array, expected a file of torch.save'],
  [['\x1f\x8b', 'BZh', '\xfd7zXZ', '7z\xbc\xaf', 'Rar!', '\x28\xb5\x2f\xfd'], 'it is compressed; unpack it first'],
  [['PK\x05\x06'], 'it is an empty zip file'],
  [['\x80\x02', '\x80\x03', '\x80\x04', '\x80\x05'], 'it is a pickle but not one of torch.save'],
];

/** Number of first bytes that are examined. */
export const HEAD_BYTES = 512;

/**
 * Description of a stand-in for a file, with advice; null where none is recognised.
 * @param head its first HEAD_BYTES bytes, or all if it has fewer
 * @param isJson the file should be JSON, so that braces alone mean nothing
 */
export function describeStandIn(head: Uint8Array, isJson = false): string | null {
  if (head.length === 0) return 'it is empty; download it again';
  const text = latin1(head);
  const found = findSign(STAND_INS, text);
  if (found !== null) return found;
  return isJson || !/^\s*\{"/.test(text) ? null : (OTHER_FORMATS[0]?.[1] ?? null);
}

/**
 * Description, with advice, of a file that torch.save did not write.
 * @param head its first HEAD_BYTES bytes, or all if it has fewer
 */
export function describeFileKind(head: Uint8Array): string {
  const standIn = describeStandIn(head, true);
  if (standIn !== null) return standIn;
  const text = latin1(head);
  if (text.startsWith('ustar', 257)) {
    return (
      'it is a tar file; PyTorch 0.1 wrote checkpoints so: load it with torch.load in Python and ' +
      'save it again with torch.save'
    );
  }
  if (isSafetensors(head)) return 'it is a safetensors file; give it a name that ends in .safetensors';
  const found = findSign(OTHER_FORMATS, text);
  const hex = Array.from(head.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return found ?? `it begins with the bytes ${hex}, which no file of torch.save does`;
}

/** Description of a file that is not safetensors; null where its beginning could be. */
export function describeNotSafetensors(head: Uint8Array): string | null {
  if (isSafetensors(head)) return null;
  const standIn = describeStandIn(head);
  if (standIn !== null) return standIn;
  const text = latin1(head);
  if (text.startsWith('PK\x03\x04')) return 'it is a zip file, as torch.save writes; give it a name that ends in .bin';
  return findSign(OTHER_FORMATS, text);
}

function isSafetensors(head: Uint8Array): boolean {
  return head.length > 8 && head.subarray(4, 8).every((byte) => byte === 0) && head[8] === 0x7b;
}

function findSign(signs: readonly Sign[], text: string): string | null {
  const found = signs.find(([sign]) =>
    sign instanceof RegExp ? sign.test(text) : sign.some((start) => text.startsWith(start)),
  );
  return found?.[1] ?? null;
}

/** A byte as the letter of its number. */
function latin1(head: Uint8Array): string {
  return String.fromCharCode(...head.subarray(0, HEAD_BYTES));
}
