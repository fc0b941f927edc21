// Trains the small model for a few updates on pictures made here, measures it and asks it: node train-and-evaluate.mjs
import { dataset, evaluate, loadModel, train } from 'gsva';

const colours = { red: [220, 40, 40], green: [40, 180, 60], blue: [50, 80, 220], yellow: [230, 210, 40] };
const images = Object.entries(colours).map(([colour, rgb], n) => {
  const inBar = (/** @type {number} */ i) => Math.floor(i / (3 * 64 * 16)) === n;
  const pixels = Uint8Array.from({ length: 3 * 64 * 64 }, (_, i) => (inBar(i) ? (rgb[i % 3] ?? 0) : 128));
  const bar = [[0, 16 * n, 64, 16 * n, 64, 16 * n + 16, 0, 16 * n + 16]];
  return { colour, bar, image: { data: pixels, height: 64, width: 64 } };
});
const data = await dataset(
  images.map(({ colour, bar, image }, n) => {
    const expressions = [
      { text: `${colour} bar`, mask: bar },
      { text: 'purple circle', mask: null },
    ];
    return { image, expressions, split: n < 3 ? 'train' : 'val' };
  }),
);
const { model } = await train({
  ...{ config: 'configs/tiny.json5', data, out: `runs/example-${Date.now()}` },
  overrides: Object.entries({ totalUpdates: 4, warmupUpdates: 1 }).map(([key, n]) => [`training.schedule.${key}`, n]),
  onUpdate: ({ update, losses }) => console.log(`update ${update}: loss ${losses.loss?.toFixed(3)}`),
});
const { results } = await evaluate({ model, data, split: 'val' });
console.log(`gIoU ${results[0]?.gIoU?.toFixed(3)} on ${results[0]?.images} picture of val`);
const trained = await loadModel(model);
console.log((await trained.segment(images[0]?.image ?? '', ['red bar', 'purple circle'])).answer);
trained.dispose();
data.dispose();
