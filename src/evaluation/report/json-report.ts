/** report.json: the whole report for programs, without pixels. */
import type { ReportAnalysis } from './analysis-data.js';
import { type ReportData, judgeSample, sampleHeading } from './report-data.js';

/**
 * Indented JSON with a final newline. Figures that nothing decides, points that are not finite, and the open
 * ends of the thresholds, are null.
 */
export function renderJson(data: ReportData): string {
  const { samples, details, date, analysis, ...rest } = data;
  const report = {
    ...rest,
    date: date.toISOString(),
    details: Object.fromEntries(details),
    ...(analysis === undefined ? {} : { analysis: withoutPixels(analysis) }),
    samples: samples.map((sample) => ({
      heading: sampleHeading(sample),
      question: sample.question,
      answer: sample.answer,
      height: sample.image.height,
      width: sample.image.width,
      results: judgeSample(sample).map(({ result, verdict, iou }, index) => ({
        expression: result.expression,
        status: result.status,
        verdict,
        targetIsEmpty: sample.targets[index]?.isEmpty ?? null,
        iou,
        box: result.box,
        area: result.area,
        score: result.score,
        rejectProbability: result.rejectProbability,
      })),
    })),
  };
  // A point of a curve is one line, not four. Line breaks inside strings are escaped, so only lists match.
  const text = JSON.stringify(report, null, 2).replace(/\[\n\s+([^\s"{[]+),\n\s+([^\s"{[]+)\n\s+\]/g, '[$1, $2]');
  return `${text}\n`;
}

function withoutPixels({ scenes: _scenes, failures, ...analysis }: ReportAnalysis): object {
  return {
    ...analysis,
    failures: failures.map(({ kind, cost, record: { mask: _mask, ...record } }) => ({ kind, cost, ...record })),
  };
}
