/** `gsva vqa`: how well a model answers questions about pictures. */
import { formatPoints, mmeTable, publishedVqa, TABLE_9_NOTE } from '../../evaluation/vqa/published-vqa.js';
import { oneAnswerAccuracy } from '../../evaluation/vqa/one-answer.js';
import { type AskedSet, OWN_LIST, VQA_SET_NAMES, VQA_SETS, type VqaSetName } from '../../evaluation/vqa/vqa-sets.js';
import { metricTitle } from '../../evaluation/figures.js';
import type { VqaScore } from '../../evaluation/vqa/vqa-score.js';
import { UsageError } from '../../errors.js';
import type { VqaResult } from '../../workflows/vqa.js';
import { defineCommand } from '../command.js';
import { MODEL_OPTIONS, trainedModel } from '../options/model.js';
import { flag, option, required, withDefault } from '../options/option.js';
import { hardwareOf, PRECISION_OPTION } from '../options/shared.js';
import { oneOf, requireData, TEXT, wholeNumber } from '../options/values.js';
import type { Output } from '../output.js';

const SETS: readonly AskedSet[] = [...VQA_SET_NAMES, OWN_LIST];

export const command = defineCommand({
  options: {
    ...MODEL_OPTIONS,
    data: required('Data folder of the set; of llava, with llava_dataset/questions_val.json and coco/val2017', TEXT),
    dataset: withDefault("Whose questions are asked; llava: a list of one's own", oneOf(SETS), OWN_LIST),
    split: option('Which part of the set (default: the one that is usually measured; of pope all three)', TEXT),
    limit: option('Only the first N questions', wholeNumber(1)),
    'max-tokens': option(
      "Tokens after which an answer is cut off (default: as the set's evaluation has it; llava: 8)",
      wholeNumber(1, 512),
    ),
    precision: PRECISION_OPTION,
    records: option('File for every reply (JSON lines); it must not exist yet', TEXT),
    resume: flag('Go on with --records where an interrupted run ended'),
  },
  examples: {
    'gsva vqa --model runs/tiny-1-pretrain/last --data data/synth': 'questions that `gsva data synth --mixture` wrote',
    'gsva vqa --model runs/tiny-1-pretrain/last --data data/synth --limit 60 --json': 'for a program to read',
    'gsva vqa --model MODEL --data data --dataset textvqa --records runs/textvqa.jsonl': 'with the published figures',
  },
  async run(args, context) {
    requireData(args.data);
    if (args.resume && args.records === undefined) throw new UsageError('--resume needs --records FILE');
    const { answerQuestions } = await import('../../workflows/vqa.js');
    const options = { ...args, model: trainedModel(args), engine: hardwareOf(args) };
    const result = await answerQuestions({ ...options, ...context });
    if (result.set === OWN_LIST) showList(result, context.output);
    else showSet(result.set, result, context.output);
    return 0;
  },
});

function showList({ answered, seconds, engine }: VqaResult, output: Output): void {
  const { categories, ...all } = oneAnswerAccuracy(answered);
  const rows = [...categories, { category: 'all', ...all }].map(({ category, questions, accuracy, commonest }) => {
    return [category, String(questions), accuracy.toFixed(3), commonest.toFixed(3)];
  });
  output.table(['questions about', 'number', 'right', 'commonest answer'], rows);
  output.json({ ...all, categories, seconds, engine: engine.name });
}

function showSet(set: VqaSetName, { split, answered, seconds, engine }: VqaResult, output: Output): void {
  const { title, score: scoreOf, figure } = VQA_SETS[set];
  const score = scoreOf(answered);
  const published = publishedVqa(set);
  for (const { head, rows } of figureTables(score, answered.length)) output.table(head, rows);
  if (set === 'mme') {
    const rows = mmeTable(score).map(([task, ...points]) => [task, ...points.map(formatPoints)]);
    output.table(['Table 13', 'this run>', 'SELF1E-2B>', 'InternVL3-2B>'], rows);
  }
  const ours = [`this run, ${split}, ${answered.length} questions`, formatPoints(score.figures[figure])] as const;
  output.table(
    [`${title}, Table 9`, `${figure}>`],
    [...published.map(([method, value]) => [method, formatPoints(value)]), ours],
  );
  output.line(TABLE_9_NOTE);
  const methods = published.map(([method, value]) => ({ method, [figure]: value }));
  const all = { dataset: set, split, questions: answered.length, ...score.figures, categories: score.categories };
  output.json({ ...all, published: methods, seconds, engine: engine.name });
}

/** A table of the categories and of all; two where the figures of a category are not those of all, as MME's. */
function figureTables({ figures, categories }: VqaScore, questions: number) {
  const row = (name: string, count: number, values: VqaScore['figures']): string[] => {
    return [name, String(count), ...Object.values(values).map(formatPoints)];
  };
  const head = (values: VqaScore['figures']): string[] => {
    return ['questions about', 'number>', ...Object.keys(values).map((name) => `${metricTitle(name)}>`)];
  };
  const all = { head: head(figures), rows: [row('all', questions, figures)] };
  const divided = categories.filter(({ category }) => category !== '');
  const [first] = divided;
  if (first === undefined) return [all];
  const rows = divided.map(({ category, questions: count, figures: own }) => row(category, count, own));
  const isSame = Object.keys(first.figures).join() === Object.keys(figures).join();
  return isSame ? [{ ...all, rows: [...rows, ...all.rows] }] : [{ head: head(first.figures), rows }, all];
}
