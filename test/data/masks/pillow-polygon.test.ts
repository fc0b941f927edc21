/** Outlines filled as Pillow 13.0.0 fills them (60 × 50 pixels): recorded results, as COCO's compressed counts. */
import { describe, expect, test } from '@jest/globals';
import { encodeMask, rleArea, rleToString } from '../../../src/data/masks/coco-mask.js';
import { fillEllipse, fillOutline } from '../../../src/data/masks/pillow-polygon.js';
import type { BinaryMask } from '../../../src/types.js';

const POLYGONS: readonly [readonly (readonly [number, number])[], string][] = [
  [
    [
      [5.8, -8.0],
      [5.13, 18.24],
      [-5.0, 29.0],
      [44.0, 57.39],
    ],
    'g0:W11O2N1O2\\Oc001O1O001O02O0O2O1O0O2O1N101N2O001N2O0O2O1N101O1N101N2N1O2N2N1O2N2N1Ohm0',
  ],
  [
    [
      [65.0, -2.39],
      [38.54, 2.19],
      [44.26, 47.14],
      [53.36, 10.0],
    ],
    '^k14^18H7I8H7I8H4KN3L4L4L4L4L4L3M4L4M3O1O1O1O1O1',
  ],
  [
    [
      [23.92, 56.0],
      [47.9, 32.0],
      [61.0, 49.0],
    ],
    ']`11`11O1O1O1O1O1O1O1O1O1O1O1O1O1O1O1O11O1O2N1O1O1O1O2N1O1O1O1O',
  ],
  [
    [
      [69.0, -5.0],
      [42.0, 42.28],
      [55.0, 20.0],
      [64.0, 2.0],
      [11.2, 13.04],
    ],
    'ca01d40mL000O0100000O10O10O1000O010000O10O1000O1000O010000O10O10DNWO3g0NZO2d0N^O2`0NA2?NB2<NF28NJ24NM32MO20N22LN53IN82GM;2DN>2@Nb02]OMe03YONh02VONl0',
  ],
  [
    [
      [23.0, 6.0],
      [36.66, 28.0],
      [40.0, -5.56],
      [36.14, 5.77],
      [37.53, 8.5],
      [2.75, 55.0],
      [44.18, 3.0],
      [42.21, 44.51],
    ],
    'm:1`11O0O01000O10O10O10000O01000O10O\\ONK27OE2>N_O2d0NYO1j00RO1Q1OlN1W132KeNO\\16MMhN0T11oNOn00UO1h0O[O1<N[O28492@8<b0NSODf0b03M3L4MF:]Oog0',
  ],
  [
    [
      [54.0, 56.0],
      [-9.08, 11.28],
      [45.0, 27.72],
      [51.05, 58.0],
    ],
    '>4^1100O00100O1O00100O00100O1O00100O00100O1O010O1O00100O1O010O1O010O1O1O010O1O010O1O1O010O1O03M5K5K6JV>',
  ],
  [
    [
      [21.03, 58.0],
      [7.0, -0.69],
      [39.74, 50.47],
      [-3.41, 15.3],
    ],
    'b04^12O001O1O1O1WOI38MK060LM52NK35OH191D0;3AO?c0O_OBN>1EL;4HH:6JF7:LB6=a0O001O0O2O001O1O001N101O001O001N2O00Yo0',
  ],
  [
    [
      [47.61, 5.0],
      [44.71, 37.0],
      [19.0, 34.59],
      [38.81, 16.48],
    ],
    'hn01`11O1O1O1O1O1O1O2O0O1O1O1O1O1O1O1O2N1O1O1N2O1O1O1O2ML5F:Gmb0',
  ],
  [
    [
      [49.59, 39.47],
      [69.0, 36.0],
      [56.0, 12.55],
      [21.0, 2.99],
    ],
    'lP11b10O2N100O2N1O101N1O101N1O1O2O0O1O2O0O1O2N100O2N100O2N1O10N10001O0000001N3N2N_O',
  ],
  [
    [
      [2, 19],
      [16, 12],
      [19, 16],
      [1, 12],
      [19, 0],
    ],
    'n11a10eN0S11lNOT12kNOU11jNOV17O01LhNNW12jNMV13kNMU1250hNMR13oNMQ12oNOP11QO0m0OTO2l0MVO2i0NZO0e00]O0Ro1',
  ],
  [
    [
      [69.0, 55.0],
      [70.0, 11.99],
      [-4.0, 60.0],
      [27.0, 59.16],
    ],
    'ke01`1100O1O100O1O100O1O100O1O100O1O100O1O100O1O100O1O100O1O100O1O100O1O100O1O100O1O100O1O100O1O1',
  ],
  [
    [
      [11, 5],
      [7, 1],
      [17, 17],
      [17, 19],
      [1, 6],
      [10, 16],
      [20, 14],
      [14, 2],
    ],
    'h11b100000O101ENSO2m0ORO1n0ORO1n00PO1P10oNNQ14oNKP18oNHo0:POFR1=1O1JkNLV127N2N`l1',
  ],
  [
    [
      [52.17, 11.0],
      [3.0, 27.0],
      [14.0, 34.56],
      [20.0, 9.9],
      [52.0, 13.0],
    ],
    'a51a1001N2O001N2O001N2O001NN3L1O03M3N31O0O10000O10000O2O00000O10000O101O0O10000O10000O2O00S30mL000O2b:',
  ],
  [
    [
      [27.14, 50.91],
      [20.65, -6.7],
      [50.53, 30.0],
      [40.66, 20.0],
      [31.0, 42.0],
    ],
    'jP16\\18H8H8H8I7I3NM2M3M3M3M4L3L4M3L4M4L3L4M3O101O000000001O0000S=',
  ],
  [
    [
      [13.41, 52.0],
      [61.0, 14.0],
      [55.76, 36.94],
      [12.79, -8.0],
      [5.0, 47.41],
      [15.0, 47.05],
    ],
    'V94V18H8H8H8H8L4000000Oh40XK1O2O1N2N2N2N2O1N2N2N2N2O1N2N3M2N2O1N2N2N2O1N2N2N2N2O00O2N2O1N2N2N2N2O1N2NO1M3M4MC',
  ],
  [
    [
      [-8.02, 8.0],
      [29.08, 1.36],
      [10.02, 27.0],
      [43.0, 24.68],
    ],
    '74^1001N10001O000O2O000TOH>9_OHb08]OIb08]OIc08ZOJf06YOKg05XOLh04VONi0>0EWOMi01YOOg00ZO0f0O\\OOe0O]O1b0O_O1a0NA1?MC3=LD4<KF49KI5j001O000O2O0000001O00001O0000Xh0',
  ],
];
const CIRCLES: readonly [readonly [x: number, y: number, radius: number], string][] = [
  [[45, 15, 4], '`P23]14N0O2O0001N102LX?'],
  [[2, 45, 16], 'm0e0m00000000001O00001O001O1O001O2N1O2N3Lin1'],
  [[33.02438414890938, 12.787488425704186, 5], 'R\\15\\12N2N2O00000001N2N2NaP1'],
  [[1.8048412308729822, 26.277805626855855, 10], '`0e0m000000001N101N2N2N2N3L[Z2'],
  [[17, 25, 3], 'df03^12N2O0001N2NWl1'],
  [[22.54958523451919, 21.725119617846005, 2], 'lo03^12O0001NSf1'],
  [
    [40.035250949165246, 32.02334806292292, 11.786826216495324],
    'e\\16Y16L2N2N2N2N2O000O2O0000000001N10001N2N2N2N2N4Jf;',
  ],
  [[15, 4, 10], 'k77Z13N1O1O1O1O001O000000000000O100O1O1O1O2MUe1'],
];

function drawn(draw: (mask: BinaryMask) => void): string {
  const mask = { data: new Uint8Array(50 * 60), height: 50, width: 60 };
  draw(mask);
  return rleToString(encodeMask(mask));
}

describe('as Pillow', () => {
  test.each(POLYGONS)('polygon %j', (points, counts) => {
    expect(
      drawn((mask) => {
        fillOutline(mask, points);
      }),
    ).toBe(counts);
  });

  test.each(CIRCLES)('circle %j', ([x, y, radius], counts) => {
    expect(
      drawn((mask) => {
        fillEllipse(mask, [x, y], radius);
      }),
    ).toBe(counts);
  });

  test('a circle without an extent has no pixel; absurd coordinates are refused', () => {
    const mask = { data: new Uint8Array(50 * 60), height: 50, width: 60 };
    fillEllipse(mask, [5, 5], 0);
    expect(rleArea(encodeMask(mask))).toBe(0);
    expect(() => {
      fillOutline(mask, [[0, 0], [1e9, 1], [5, 5]]); // prettier-ignore
    }).toThrow(/within ±100000/);
  });
});
