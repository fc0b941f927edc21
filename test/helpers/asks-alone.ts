/** As GSVA's dialogue: forms that data sets prescribe are about one thing. */
export function asksAlone(form: string): boolean {
  return form.startsWith('reason-') || form === 'class';
}
