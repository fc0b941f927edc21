/** Decoded samples → 8-bit RGB by the rules of OpenCV and of the libraries that it reads with. */

/** Three channels per pixel from one, three or more: further ones are left out. */
export function toRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0, from = 0; i < pixels * 3; i += 3, from += channels) {
    rgb[i] = data[from] as number;
    rgb[i + 1] = data[from + green] as number;
    rgb[i + 2] = data[from + blue] as number;
  }
  return rgb;
}

/** Upper bytes of 16-bit samples, which are little-endian. */
export function upperBytes(data: Uint8Array): Uint8Array {
  const high = new Uint8Array(data.length / 2);
  for (let i = 0; i < high.length; i++) high[i] = data[2 * i + 1] as number;
  return high;
}

/** 16-bit samples of a colour TIFF as libtiff makes 8 bits of them: to the nearest, white for white. */
export function nearestBytes(data: Uint8Array): Uint8Array {
  const near = new Uint8Array(data.length / 2);
  for (let i = 0; i < near.length; i++) {
    near[i] = Math.trunc(((data[2 * i] as number) + 256 * (data[2 * i + 1] as number) + 128) / 257);
  }
  return near;
}

/** RGB and alpha of a TIFF as libtiff joins them: the colours on black. */
export function onBlack(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0, from = 0; i < rgb.length; i += 3, from += 4) {
    const alpha = rgba[from + 3] as number;
    for (let c = 0; c < 3; c++) rgb[i + c] = Math.trunc(((rgba[from + c] as number) * alpha + 127) / 255);
  }
  return rgb;
}

/**
 * Amounts of ink → RGB.
 * @param inks cyan, magenta, yellow and black per pixel, 255 the most
 * @param isTiff libtiff divides by 255 where OpenCV, for JPEG, shifts by 8 bits
 */
export function inksToRgb(inks: Uint8Array, isTiff: boolean): Uint8Array {
  const rgb = new Uint8Array((inks.length / 4) * 3);
  for (let i = 0, from = 0; i < rgb.length; i += 3, from += 4) {
    const light = 255 - (inks[from + 3] as number);
    for (let c = 0; c < 3; c++) {
      const ink = inks[from + c] as number;
      rgb[i + c] = isTiff ? Math.trunc((light * (255 - ink)) / 255) : light - ((ink * light) >> 8);
    }
  }
  return rgb;
}
