/** Forms in which `gsva segment` writes masks. */
export const MASK_FORMATS = ['png', 'coco', 'labelme', 'geojson', 'yolo'] as const;
export type MaskFormat = (typeof MASK_FORMATS)[number];
