/**
 * Tables of SELF1E's paper, in percent: the rows of referring and reasoning segmentation as their authors report them,
 * Tables 10 and 11 of the supplement copied as printed. The main paper's numbers of its tables are not known here.
 */
import { columnsOf, type PublishedFigureTable, resColumns } from './published-figures.js';

export const SELF1E_TABLES: readonly PublishedFigureTable[] = [
  {
    title: 'SELF1E, RES (cIoU)',
    note: '"SEG": trained on the segmentation sets repeated by the rates of Table 8.',
    columns: resColumns('cIoU'),
    rows: [
      ['SELF1E-2B', 80.2, 82.1, 77.6, 74.6, 79.1, 69.2, 77.0, 77.8],
      ['SELF1E-SEG-2B', 84.3, 85.4, 82.3, 78.9, 83.5, 75.1, 80.4, 81.0],
      ['SELF1E-8B', 82.5, 83.8, 80.1, 77.6, 81.6, 73.7, 79.1, 79.8],
      ['SELF1E-SEG-8B', 84.7, 86.2, 83.4, 80.2, 84.2, 77.0, 82.1, 82.8],
    ],
  },
  {
    title: 'SELF1E, Table 10 (cIoU)',
    note: 'On other base models than InternVL3-2B.',
    columns: resColumns('cIoU'),
    rows: [
      ['SELF1E-2B, InternVL3-2B', 80.2, 82.1, 77.6, 74.6, 79.1, 69.2, 77.0, 77.8],
      ['SELF1E-2B, InternVL2-2B', 77.7, 80.6, 74.6, 71.5, 76.7, 66.9, 74.3, 74.7],
      ['SELF1E-2B, InternVL2.5-2B', 80.1, 82.2, 78.0, 74.7, 78.7, 69.8, 76.5, 77.6],
      ['SELF1E-SEG-2B, InternVL3-2B', 84.3, 85.4, 82.3, 78.9, 83.5, 75.1, 80.4, 81.0],
      ['SELF1E-SEG-2B, InternVL2-2B', 83.5, 85.5, 81.4, 77.7, 82.0, 72.9, 79.5, 80.1],
      ['SELF1E-SEG-2B, InternVL2.5-2B', 85.2, 86.7, 83.5, 79.9, 83.4, 75.2, 81.0, 82.3],
    ],
  },
  {
    title: 'SELF1E, Table 11 (cIoU)',
    note: 'Ways of keeping the resolution of the image features. The supplement does not name the splits.',
    columns: ['refcoco', 'refcoco+', 'refcocog'].flatMap((dataset) => columnsOf(dataset, ['val'], ['cIoU'])),
    rows: [
      ['Baseline, split not named', 76.2, 72.3, 74.5],
      ['Scanning, split not named', 78.3, 73.3, 76.3],
      ['Self-replication (RFR), split not named', 78.9, 73.5, 76.3],
    ],
  },
  {
    title: 'SELF1E, ReasonSeg',
    note: 'Ignored regions are left out.',
    columns: columnsOf('reason_seg', ['val', 'test'], ['gIoU', 'cIoU']),
    rows: [
      ['SELF1E-2B', 59.4, 68.8, 57.3, 57.6],
      ['SELF1E-8B', 65.9, 69.7, 65.7, 67.0],
    ],
  },
];
