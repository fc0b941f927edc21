/** `gsva vqa`: how many questions about pictures a model answers rightly. */
import { MODEL_OPTIONS, trainedModel } from '../options/model.js';
import { hardwareOf, PRECISION_OPTION } from '../options/shared.js';
import { option, required, withDefault } from '../options/option.js';
import { requireData, TEXT, wholeNumber } from '../options/values.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  options: {
    ...MODEL_OPTIONS,
    data: required('Data folder with llava_dataset/questions_val.json and coco/val2017', TEXT),
    limit: option('Only the first N questions', wholeNumber(1)),
    'max-tokens': withDefault('Tokens after which an answer is cut off', wholeNumber(1, 512), 8),
    precision: PRECISION_OPTION,
  },
  examples: {
    'gsva vqa --model runs/tiny-1-pretrain/last --data data/synth': 'questions that `gsva data synth --mixture` wrote',
    'gsva vqa --model runs/tiny-1-pretrain/last --data data/synth --limit 60 --json': 'for a program to read',
  },
  async run(args, context) {
    requireData(args.data);
    const { answerQuestions } = await import('../../workflows/vqa.js');
    const options = { ...args, model: trainedModel(args), engine: hardwareOf(args) };
    const { categories, seconds, engine, ...all } = await answerQuestions({ ...options, ...context });
    const rows = [...categories, { category: 'all', ...all }].map(({ category, questions, accuracy, commonest }) => {
      return [category, String(questions), accuracy.toFixed(3), commonest.toFixed(3)];
    });
    context.output.table(['questions about', 'number', 'right', 'commonest answer'], rows);
    context.output.json({ ...all, categories, seconds, engine: engine.name });
    return 0;
  },
});
