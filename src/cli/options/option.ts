/** An option or positional argument of a command: its help text, how its words are read, and the type that results. */

/** Reads the words given for an option; `flag` is the option's name, for messages. */
export interface Reader<T> {
  /** A text, a word (a number, or one of `choices`), a list of texts, or nothing at all. */
  readonly form: 'text' | 'word' | 'list' | 'flag';
  readonly choices?: readonly string[];
  /** Whether the option may be given without a value. */
  readonly isBare?: boolean;
  /** @throws UsageError for words that cannot be read */
  read(value: unknown, flag: string): T;
}

export interface Option<T> extends Reader<T> {
  readonly describe: string;
  readonly isRequired: boolean;
  readonly default?: T;
  /** The default in help texts, where it is not to be printed as it is. */
  readonly defaultText?: string;
}

export function option<T>(describe: string, reader: Reader<T>): Option<T | undefined> {
  return { ...reader, describe, isRequired: false };
}

export function required<T>(describe: string, reader: Reader<T>): Option<T> {
  return { ...reader, describe, isRequired: true };
}

export function withDefault<T>(
  describe: string,
  reader: Reader<T>,
  value: NoInfer<T>,
  defaultText?: string,
): Option<T> {
  return { ...reader, describe, isRequired: false, default: value, defaultText };
}

export function flag(describe: string): Option<boolean> {
  return { form: 'flag', read: (value) => value === true, describe, isRequired: false, default: false };
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>;

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

/** Values of a table's options, by their names in camel case: "skip-bad" becomes `skipBad`. */
export type ValuesOf<Table extends OptionTable> = {
  readonly [Name in keyof Table as CamelCase<Name & string>]: Table[Name] extends Option<infer T> ? T : never;
};

export function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
