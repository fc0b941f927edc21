/** Encodings of Windows that annotation tools wrote, East Asian first: a Western one accepts nearly any bytes. */
const CANDIDATES = ['gb18030', 'shift_jis', 'euc-kr', 'big5'] as const;
/** Bytes that are examined. */
const LOOKED_AT = 1 << 20;

/**
 * Reason why bytes are not UTF-8, and the conversion of the file, as the end of a sentence: `it is in UTF-16; convert
 * it: iconv …`. The encoding is named, never assumed: a guess could silently give other letters.
 * @param bytes the file's beginning, or all of it
 * @param path for the command
 */
export function notUtf8(bytes: Uint8Array, path: string): string {
  const command = (from: string): string => `iconv -f ${from} -t utf-8 '${path}' > utf8.tmp && mv utf8.tmp '${path}'`;
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return `it is a text in UTF-16; convert it: ${command('utf-16')}`;
  }
  const beginning = bytes.subarray(0, LOOKED_AT);
  // Control characters stand in no text of these encodings.
  if (beginning.some((byte) => byte < 9)) return 'it is damaged or another kind of file';
  const possible = CANDIDATES.filter((name) => decodes(beginning, name, bytes.length > LOOKED_AT));
  const [first, ...others] = possible;
  const more = others.length === 0 ? '' : ` (or ${others.join(', ')})`;
  const encoding =
    first === undefined
      ? 'perhaps the code page of a Western Windows, cp1252'
      : `probably the code page of a Windows, such as gb18030 of a Chinese one${more}, or cp1252 of a Western one`;
  return `it is not in UTF-8 but in another encoding, ${encoding}; convert it: ${command(first ?? 'cp1252')}`;
}

function decodes(bytes: Uint8Array, encoding: string, isCut: boolean): boolean {
  try {
    new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: isCut });
    return true;
  } catch {
    return false;
  }
}
