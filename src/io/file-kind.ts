/** What a file looks like that is not what it should be: most often a download that went wrong, or another format. */

const SIGNS: readonly (readonly [RegExp | readonly string[], string])[] = [
  [/^version https:\/\/git-lfs/, 'it is a git-LFS pointer, not the file itself; fetch the file with: git lfs pull'],
  [
    /^\s*<(?:!doctype|html|\?xml|head)/i,
    'it is a web page (HTML), not the file; download it again, logged in if need be',
  ],
  [/^\s*\{/, 'it is a JSON text, not a checkpoint; the download may have answered with an error: look into it'],
  [['\x89HDF'], 'it is an HDF5 (Keras) file, expected one of torch.save'],
  [['GGUF'], 'it is a GGUF file (llama.cpp), which has no PyTorch weights'],
  [['\x93NUMPY'], 'it is a NumPy array, expected a file of torch.save'],
  [['\x1f\x8b', 'BZh', '\xfd7zXZ', '7z\xbc\xaf', 'Rar!', '\x28\xb5\x2f\xfd'], 'it is compressed; unpack it first'],
  [['PK\x05\x06'], 'it is an empty zip file'],
  [['\x80\x02', '\x80\x03', '\x80\x04', '\x80\x05'], 'it is a pickle but not one of torch.save'],
];

/** How many of a file's first bytes are looked at. */
export const HEAD_BYTES = 512;

/**
 * What a file seems to be and what to do about it.
 * @param head its first HEAD_BYTES bytes, or all if it has fewer
 */
export function describeFileKind(head: Buffer): string {
  if (head.length === 0) return 'it is empty; download it again';
  const text = head.toString('latin1');
  if (text.startsWith('ustar', 257)) {
    return (
      'it is a tar file; PyTorch 0.1 wrote checkpoints so: load it with torch.load in Python and ' +
      'save it again with torch.save'
    );
  }
  if (head.length > 8 && head.readUInt32LE(4) === 0 && text[8] === '{') {
    return 'it is a safetensors file; give it a name that ends in .safetensors';
  }
  const found = SIGNS.find(([sign]) =>
    sign instanceof RegExp ? sign.test(text) : sign.some((start) => text.startsWith(start)),
  );
  if (found !== undefined) return found[1];
  return `it begins with the bytes ${head.subarray(0, 8).toString('hex')}, which no file of torch.save does`;
}
