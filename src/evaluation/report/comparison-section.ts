/** Two evaluations over the same expressions as a section of a page, and their different settings in words. */
import type { Comparison, FigureDifference, SettingDifference } from '../compare.js';
import { metricTitle } from '../figures.js';
import type { PageSection } from './table-page.js';

/** As options of `gsva eval`. */
export function settingWords({ setting, a, b }: SettingDifference): string {
  const option = { question: '--question', rejectThreshold: '--reject-threshold', minimumPixels: '--minimum-pixels' };
  const [inA, inB] = [a, b].map((value) => (value === null ? 'none' : String(value)));
  return `${option[setting]} ${inA} in a, ${inB} in b`;
}

export function recordsSection({ protocol, images, expressions, figures }: Comparison): PageSection {
  return {
    title: `${protocol}: ${images} images, ${expressions} expressions`,
    notes: [],
    table: { head: ['', 'a', 'b', 'b − a', '95 % interval'], rows: figures.map(differenceRow), left: 1 },
    plots: [],
  };
}

function differenceRow({ figure, a, b, difference, interval }: FigureDifference): string[] {
  const plain = (value: number | null): string => (value === null ? '–' : value.toFixed(4));
  const between = interval === null ? '–' : interval.map(signed).join(' to ');
  return [metricTitle(figure), plain(a), plain(b), difference === null ? '–' : signed(difference), between];
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
}
