/** The paper's ablations as data: configuration of configs/ablations, form of the questions, published figures. */
import type { ExpressionForm } from '../systems/gsva/prompts.js';
import type { Direction, PaperFigures } from './ablation-table.js';

export interface AblationRow {
  readonly label: string;
  /** File of configs/ablations, without its ending. */
  readonly config: string;
  readonly question: ExpressionForm;
  readonly paper: PaperFigures | Direction;
}

export interface AblationPlan {
  readonly title: string;
  readonly about: string;
  readonly rows: readonly AblationRow[];
  /** The row that the others are compared with. */
  readonly baseline: number;
}

const figures = (gIoU: number, cIoU: number, N_acc: number): PaperFigures => ({ gIoU, cIoU, N_acc });
const GSVA = figures(63.32, 61.7, 56.45);

function row(label: string, config: string, paper: AblationRow['paper'], question: ExpressionForm = 'reference') {
  return { label, config, paper, question } satisfies AblationRow;
}

export const ABLATION_PLANS: readonly AblationPlan[] = [
  {
    title: 'Table 4: the designs of GSVA',
    about:
      'Whether an expression stands before each [SEG], whether there is a [SEG] for each expression (else every ' +
      'expression is asked on its own), and whether there is [REJ] (else a mask of fewer than 50 pixels is an absent ' +
      'target, as the paper has it for LISA; the number is not scaled to the smaller images here, whose smallest ' +
      'targets have about 150).',
    baseline: 0,
    rows: [
      row('GSVA', 'gsva', GSVA),
      row('without [REJ]', 'no-reject', figures(51.57, 60.95, 30.32)),
      row('one [SEG], without [REJ]', 'single-seg', figures(44.86, 59.37, 11.96)),
      row('LISA: one [SEG], no expression, without [REJ]', 'lisa', figures(32.21, 38.72, 2.71)),
      row('no expression before [SEG]', 'no-expression', figures(21.83, 27.22, 0)),
    ],
  },
  {
    title: 'Table 6: forms of questions',
    about: 'The models of the first row of Table 4, asked in words that they have not learned.',
    baseline: 0,
    rows: [
      row('What', 'gsva', figures(63.32, 61.7, 56.44)),
      row('Where', 'gsva', figures(63.43, 61.57, 56.98), 'where'),
      row('Show', 'gsva', figures(63.05, 61.35, 56.48), 'show'),
      row('Outline', 'gsva', figures(63.16, 61.51, 56.27), 'outline'),
    ],
  },
  {
    title: 'Table 10: individual [SEG] embeddings',
    about: 'Eight [SEG] embeddings, used in turn by the place of the expression in the question.',
    baseline: 0,
    rows: [row('shared', 'gsva', GSVA), row('eight individual', 'eight-seg', figures(16.13, 23.11, 0))],
  },
  {
    title: 'Figure 8: targets in training',
    about:
      'At most this many expressions in a conversation of training; evaluation asks for all nine of an image. The paper ' +
      'has a drawing: its figures rise from 1 to 5 and stay. The same number of updates, so more targets are more ' +
      'supervision, as in the paper.',
    baseline: 4,
    rows: [1, 2, 3, 4, 5, 6, 7, 8].map((count) =>
      row(String(count), count === 5 ? 'gsva' : `targets-${count}`, count < 5 ? 'lower' : 'equal'),
    ),
  },
  {
    title: 'Table 11: a smaller SAM',
    about:
      'F_V2 with two of its four layers, distilled from the larger one; the paper has three sizes of pretrained SAM ' +
      '(ViT-H, and here ViT-B for comparison).',
    baseline: 0,
    rows: [row('F_V2 of 4 layers', 'gsva', GSVA), row('F_V2 of 2 layers', 'small-sam', figures(59.2, 56.36, 58.57))],
  },
];

/** Every configuration once, in the order of the tables. */
export const ABLATION_CONFIGS: readonly string[] = [
  ...new Set(ABLATION_PLANS.flatMap(({ rows }) => rows.map(({ config }) => config))),
];

/** How the models of a configuration are asked. */
export function questionsOf(config: string): ExpressionForm[] {
  const rows = ABLATION_PLANS.flatMap((plan) => plan.rows).filter((each) => each.config === config);
  return [...new Set(rows.map(({ question }) => question))];
}
