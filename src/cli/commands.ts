/**
 * Every command, with what help and messages need of it; the command's own file is imported when it is asked for.
 */
import type { Command } from './command.js';

export interface CommandEntry {
  /** Words after `gsva`: ['data', 'synth']. */
  readonly path: readonly string[];
  /** Positional arguments in yargs' notation: "<folder> [sets..]"; '' for none. */
  readonly syntax: string;
  /** One line, without a full stop. */
  readonly summary: string;
  load(): Promise<Command>;
}

/** Summaries by words and positional arguments, in the order of help. */
const SUMMARIES = {
  train: 'Train a model',
  eval: 'Measure a model on a benchmark of the paper, or on your own data',
  vqa: 'Ask a model questions with short answers, and count the right ones',
  segment: 'Find what expressions name in an image',
  chat: 'Talk with a model about a picture, in several rounds',
  'verify <folders..>': 'Compare this machine with recorded results of the reference implementation',
  'report write <file>': 'Write the report of recorded results (HTML, Markdown, JSON)',
  'report compare <a> <b>':
    'Compare two evaluations over the same expressions, with 95 % intervals (paired bootstrap over images), or two trainings',
  'report calibrate <file>': 'Find the threshold of [REJ] with the highest mean of N-acc and T-acc',
  'report merge <files..>': 'Join the shards of an evaluation: the figures are those of one process',
  'models [name]': 'List the models, what each needs and which of its files are here',
  convert: 'Write a model as one of our folders: safetensors, sizes, tokenizer',
  'convert delta': "Add LLaVA's delta to LLaMA: a whole LLaVA folder",
  merge: 'Fold LoRA into the weights that it adapts',
  export: 'Write the files that the published code loads: llava/, clip/, sam.pth, gsva.bin',
  'inspect <path>': 'List the tensors in a file or folder of weights',
  'data import coco <instances>': "Import COCO's instances.json: the names of the categories become expressions",
  'data import labelme <folder>': "Import LabelMe's JSON files: labels become expressions",
  'data import voc <folder>': "Import Pascal VOC's folders: the classes of SegmentationClass become expressions",
  'data import yolo <description>': "Import YOLO's segmentation labels: the names of data.yaml become expressions",
  'data validate <file>': 'Check your own data (JSON lines): every line, every image, every mask',
  'data check <folder> [sets..]': 'Check the datasets of a folder: complete, incomplete and damaged ones',
  'data stats <folder> [sets..]':
    'Count images and expressions of datasets, next to the published numbers, or of own data',
  'data show <spec> <count>': 'Write pictures of samples with question, answer and masks, the way training sees them',
  'data synth': 'Write a synthetic dataset in the layout of gRefCOCO',
  demo: 'Make data, train a small model on it, evaluate it and write a report',
  ablate: "Train and measure the rows of the paper's ablations on the embedded benchmark",
  doctor: 'Check this machine: what works, what does not, and how to fix it',
  plan: 'Plan the memory that training and inference will need',
  bench: 'Measure how fast this machine computes',
  'bench large': 'Make, convert, load and ask a model of real size',
  'bench efficiency': 'Compare the time of a question and the peak memory of models side by side',
  'setup tensorflow': 'Install the engine tensorflow: TensorFlow itself, on a CUDA GPU or the CPU',
};

/** Groups whose commands share a file, and commands in the file of another; any other has a file of its own. */
const GROUP_FILES = /^(?:bench|convert|report|data import)\b/;
const OTHER_FILES: Readonly<Record<string, string>> = {
  merge: 'convert',
  export: 'convert',
  'data validate': 'data-check',
  'bench efficiency': 'bench-efficiency',
};

export const COMMANDS: readonly CommandEntry[] = Object.entries(SUMMARIES).map(([words, summary]) => {
  const [, name = '', syntax = ''] = /^([\w ]+?)(?: ([<[].*))?$/.exec(words) ?? [];
  const file = OTHER_FILES[name] ?? (GROUP_FILES.exec(name)?.[0] ?? name).replaceAll(' ', '-');
  const load = async (): Promise<Command> => {
    const found = (await import(`./commands/${file}.js`)) as CommandFile;
    return 'command' in found ? found.command : (found.commands[name] as Command);
  };
  return { path: name.split(' '), syntax, summary, load };
});

type CommandFile = { readonly command: Command } | { readonly commands: Readonly<Record<string, Command>> };

/** The words that several commands begin with: a summary for lists, and sentences for the group's own help. */
export const GROUPS: Readonly<Record<string, { readonly summary: string; readonly text: string }>> = {
  report: {
    summary: 'Reports, comparisons and thresholds from recorded results',
    text:
      'These commands read what `eval --records` has recorded. They write reports with pictures, compare two evaluations ' +
      'or two trainings, choose the threshold of [REJ], and join the shards of one evaluation. No model is loaded.',
  },
  convert: {
    summary: "Write a model as one of our folders; add LLaVA's delta to LLaMA",
    text:
      'The published code keeps a model in four places: LLaVA, CLIP, SAM, and the weights of GSVA. The command convert ' +
      'puts them together into one folder. Where only a delta of LLaVA is published, convert delta adds it to LLaMA first.',
  },
  data: {
    summary: 'Check, count and show datasets, import your own, make synthetic ones',
    text:
      'These commands look after datasets. The published ones are checked for missing and damaged files, counted, and shown ' +
      'as training sees them. Annotations of your own are imported from other tools and validated. A synthetic ' +
      'dataset can be written for trying things out.',
  },
  'data import': {
    summary: 'Import annotations of COCO, LabelMe, Pascal VOC or YOLO as own data',
    text:
      'Each command reads the annotations of one tool and writes them as own data (JSON lines, docs/your-data.md). Names of ' +
      'classes and labels become expressions. Entries that cannot be used are left out and listed with the reason.',
  },
  bench: {
    summary: 'Measure how fast this machine computes, also with a model of real size',
    text:
      'The command bench times a training step, an evaluated image and the parts of a small model. With bench large, a ' +
      'model of real size is made of random weights, converted, loaded and asked. With bench efficiency, models are ' +
      'compared by the time of a question and their peak memory.',
  },
  setup: {
    summary: 'Install the engine tensorflow: TensorFlow itself, on a CUDA GPU or the CPU',
    text:
      'The engines openblas and wasm need no setup. The engine tensorflow needs the library of TensorFlow, which this command ' +
      'downloads, builds against and tries out.',
  },
};
