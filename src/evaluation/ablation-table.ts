/**
 * The paper's ablations as data: configuration of configs/ablations, form of the questions, published figures; and as
 * Markdown tables: mean ± deviation over seeds, the paper's figures, and whether rows move alike.
 */
export const ABLATION_FIGURES = ['gIoU', 'cIoU', 'N_acc', 'T_acc'] as const;
/** Fractions of 1; null where nothing decides the figure. */
export type AblationFigures = Readonly<Record<(typeof ABLATION_FIGURES)[number], number | null>>;
/** The paper's figures of a row, in per cent. */
export type PaperFigures = Readonly<Record<'gIoU' | 'cIoU' | 'N_acc', number>>;
/** Against the table's row to compare with. */
export type Direction = 'lower' | 'equal' | 'higher';
export type Verdict = 'same' | 'different' | 'unclear';

export interface Spread {
  readonly mean: number;
  /** Sample standard deviation; null of a single run. */
  readonly deviation: number | null;
  readonly count: number;
}

/** One row, its runs by seed. */
export interface AblationResult {
  readonly label: string;
  /** Figures; or, where the paper has a drawing only, what it says of the row. */
  readonly paper: PaperFigures | Direction;
  /** By the published protocol, whose figures the paper gives. */
  readonly reference: readonly AblationFigures[];
  readonly strict: readonly AblationFigures[];
}

export interface AblationTable {
  readonly title: string;
  /** Changes that its rows make, and how. */
  readonly about: string;
  readonly rows: readonly AblationResult[];
  /** The row that the others are compared with. */
  readonly baseline: number;
}

/** Figures that the paper has. */
const COMPARED = ['gIoU', 'cIoU', 'N_acc'] as const;
/** Differences below this are none: one point, as the paper's own runs may differ by. */
const SMALLEST_DIFFERENCE = 0.01;
/** A difference counts from this many of its standard errors on. */
const CLEAR = 2;

export function spreadOf(values: readonly (number | null)[]): Spread | null {
  const known = values.filter((value): value is number => value !== null);
  const count = known.length;
  if (count === 0) return null;
  const mean = known.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { mean, deviation: null, count };
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (count - 1)), count };
}

/** Where `a` lies against `b`; null where the runs are too few or too far apart to say. */
export function directionOf(a: Spread, b: Spread): Direction | null {
  if (a.deviation === null || b.deviation === null) return null;
  const difference = a.mean - b.mean;
  const error = Math.sqrt(a.deviation ** 2 / a.count + b.deviation ** 2 / b.count);
  if (Math.abs(difference) < SMALLEST_DIFFERENCE) return 'equal';
  if (Math.abs(difference) <= CLEAR * error) return null;
  return difference < 0 ? 'lower' : 'higher';
}

/** Does a figure of the row move as in the paper? */
export function verdictOf(row: AblationResult, base: AblationResult, figure: keyof PaperFigures): Verdict {
  const spread = (result: AblationResult): Spread | null => spreadOf(result.reference.map((run) => run[figure]));
  const [own, other] = [spread(row), spread(base)];
  const found = own === null || other === null ? null : directionOf(own, other);
  if (found === null) return 'unclear';
  return found === paperDirection(row.paper, base.paper, figure) ? 'same' : 'different';
}

/** How many figures of all rows that were run have each verdict. */
export function verdictCounts(tables: readonly AblationTable[]): Readonly<Record<Verdict, number>> {
  const counts = { same: 0, different: 0, unclear: 0 };
  for (const { rows, baseline } of tables) {
    const base = rows[baseline];
    for (const row of rows) {
      if (base === undefined || row === base || row.reference.length === 0) continue;
      for (const figure of COMPARED) counts[verdictOf(row, base, figure)]++;
    }
  }
  return counts;
}

function paperDirection(row: AblationResult['paper'], base: AblationResult['paper'], figure: keyof PaperFigures) {
  if (typeof row === 'string') return row;
  if (typeof base === 'string') throw new Error('paperDirection: a row with figures is compared with one without');
  const difference = (row[figure] - base[figure]) / 100;
  if (Math.abs(difference) < SMALLEST_DIFFERENCE) return 'equal';
  return difference < 0 ? 'lower' : 'higher';
}

const PAPER = ['paper gIoU', 'cIoU', 'N-acc'];
const HEAD = ['', ...PAPER, 'gIoU', 'cIoU', 'N-acc', 'T-acc', 'strict gIoU', 'cIoU', 'as the paper'];

/** Cells of a table for a terminal or a page, the head first. */
export function ablationCells({ rows, baseline }: AblationTable): string[][] {
  const base = rows[baseline];
  return [
    HEAD,
    ...rows.map((row, index) => [
      row.label,
      ...paperCells(row.paper),
      ...ABLATION_FIGURES.map((figure) => spreadText(spreadOf(row.reference.map((run) => run[figure])))),
      ...(['gIoU', 'cIoU'] as const).map((figure) => spreadText(spreadOf(row.strict.map((run) => run[figure])))),
      base === undefined || index === baseline ? '' : verdictText(row, base),
    ]),
  ];
}

function paperCells(paper: AblationResult['paper']): string[] {
  if (typeof paper === 'string') return [paper, '', ''];
  return [paper.gIoU, paper.cIoU, paper.N_acc].map((value) => value.toFixed(2));
}

function verdictText(row: AblationResult, base: AblationResult): string {
  if (row.reference.length === 0) return '';
  const verdicts = COMPARED.map((figure) => [figure.replace('_', '-'), verdictOf(row, base, figure)] as const);
  const [first] = verdicts;
  if (first !== undefined && verdicts.every(([, verdict]) => verdict === first[1])) return first[1];
  return verdicts.map(([figure, verdict]) => `${figure} ${verdict}`).join(', ');
}

/** In per cent, as the paper has them. */
export function spreadText(spread: Spread | null): string {
  if (spread === null) return '–';
  const mean = (100 * spread.mean).toFixed(1);
  return spread.deviation === null ? mean : `${mean} ± ${(100 * spread.deviation).toFixed(1)}`;
}

/** @param about paragraphs: how the runs were made */
export function ablationMarkdown(title: string, about: readonly string[], tables: readonly AblationTable[]): string {
  const sections = tables.flatMap((table) => [`## ${table.title}`, table.about, markdownTable(ablationCells(table))]);
  return `${[`# ${title}`, ...about, ...sections].join('\n\n')}\n`;
}

function markdownTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

interface AblationRow extends Pick<AblationResult, 'label' | 'paper'> {
  /** File of configs/ablations, without its ending. */
  readonly config: string;
  readonly question: string;
}

const figures = (gIoU: number, cIoU: number, N_acc: number): PaperFigures => ({ gIoU, cIoU, N_acc });
const GSVA = figures(63.32, 61.7, 56.45);

function row(label: string, config: string, paper: AblationRow['paper'], question = 'reference'): AblationRow {
  return { label, config, paper, question };
}

export const ABLATION_PLANS: readonly (Omit<AblationTable, 'rows'> & { readonly rows: readonly AblationRow[] })[] = [
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

export function questionsOf(config: string): string[] {
  const rows = ABLATION_PLANS.flatMap((plan) => plan.rows).filter((each) => each.config === config);
  return [...new Set(rows.map(({ question }) => question))];
}
