/** How outlines become pixels: as COCO's are, or as LabelMe's own export fills them, with the outline inside. */
export const FILLS = ['coco', 'labelme'] as const;
export type Fill = (typeof FILLS)[number];
