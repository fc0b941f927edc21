/** The work behind `gsva bench`. Absolute times: for reading and for docs/benchmarks.md, never for tests. */
import { benchmarkMatMul, median } from '../engine/benchmark.js';
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import { renderScene } from '../data/synth/render.js';
import { synthScene } from '../data/synth/scene.js';
import { loadPredictor } from '../inference/gsva-model.js';
import type { VerbContext } from './verb.js';

/** What `gsva bench` was asked for, checked. */
export interface BenchRequest {
  readonly model: string;
  readonly runs: number;
}

interface Timing {
  readonly what: string;
  /** Milliseconds. */
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

const EXPRESSIONS = ['red circle', 'left bar', 'both squares', 'green triangle', 'top blue square'];

/** @returns the exit code */
export async function runBench(
  { model, runs }: BenchRequest,
  context: VerbContext,
  engine: EngineInfo,
): Promise<number> {
  const { output } = context;
  const products = await benchmarkMatMul([512, 1024], runs);
  output.table(
    ['product', 'size', 'GFLOP/s', 'slowest', 'fastest', 'share of plain'],
    products.map((row) => [
      row.variant,
      row.size,
      ...[row.gigaflops, row.slowest, row.fastest].map((rate) => rate.toFixed(0)),
      row.fraction.toFixed(2),
    ]),
  );
  const timings = await timeModel(model, runs);
  output.table(
    ['small model', 'median ms', 'min', 'max'],
    timings.map(({ what, ...ms }) => [what, ...[ms.median, ms.min, ms.max].map((value) => value.toFixed(1))]),
  );
  output.json({ engine: describeEngine(engine), runs, products, timings });
  return 0;
}

async function timeModel(model: string, runs: number): Promise<Timing[]> {
  const { predictor } = loadPredictor(model);
  try {
    const image = renderScene(synthScene(1, 'val', 0));
    const [encoded] = await predictor.encode([image]);
    if (encoded === undefined) throw new Error('bench: the image was not encoded');
    const question = { image: encoded, expressions: EXPRESSIONS };
    return [
      await time('both encoders, one image', runs, () => predictor.encode([image])),
      await time(`ask ${EXPRESSIONS.length} expressions, image encoded`, runs, () => predictor.ask(question)),
      await time(`generate the answer to ${EXPRESSIONS.length} expressions`, runs, () => predictor.generate(question)),
    ];
  } finally {
    predictor.dispose();
  }
}

async function time(what: string, runs: number, work: () => unknown): Promise<Timing> {
  const milliseconds: number[] = [];
  for (let run = 0; run <= runs; run++) {
    const start = performance.now();
    await work();
    if (run > 0) milliseconds.push(performance.now() - start); // the first run warms up
  }
  return { what, median: median(milliseconds), min: Math.min(...milliseconds), max: Math.max(...milliseconds) };
}
