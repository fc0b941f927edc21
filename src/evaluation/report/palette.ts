/** One colour per expression, distinct on photographs and for most colour-blind readers. */

export type Rgb = readonly [number, number, number];

const COLORS: readonly Rgb[] = [
  [236, 64, 82],
  [36, 132, 245],
  [255, 183, 20],
  [0, 170, 128],
  [150, 92, 230],
  [255, 120, 40],
  [20, 190, 220],
  [232, 90, 178],
];

/** The colour of expression number `index`; beyond the table the hue turns by the golden angle. */
export function expressionColor(index: number): Rgb {
  return COLORS[index] ?? fromHue((index * 137.508) % 360);
}

export function hexColor(color: Rgb): string {
  return `#${color.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
}

/** HSL with saturation 0.75 and lightness 0.5. */
function fromHue(hue: number): Rgb {
  const channel = (offset: number): number => {
    const k = (offset + hue / 30) % 12;
    return Math.round(255 * (0.5 - 0.375 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}
