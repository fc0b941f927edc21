/** Small XML files without a schema: elements and their texts, read strictly. Attributes are ignored. */
import { UserError } from '../errors.js';

export interface XmlElement {
  readonly name: string;
  /** Its own text, without that of its children, trimmed. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

type OpenElement = { -readonly [Key in keyof XmlElement]: XmlElement[Key] } & { children: XmlElement[] };

const TOKEN =
  /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<\?[\s\S]*?\?>|<(\/?)([A-Za-z_:][^\s/>]*)((?:[^>"']|"[^"]*"|'[^']*')*?)(\/?)>|([^<]+)/y;
const ENTITY = /&(#x[0-9a-fA-F]{1,6}|#\d{1,7}|[a-z]+);/g;
const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
/** Elements within one another; annotations have four. */
const DEEPEST = 100;

/** The root element. @param source the file, for messages @throws UserError with the line that is not well-formed */
export function parseXml(text: string, source: string): XmlElement {
  const root: OpenElement = { name: '', text: '', children: [] };
  const open = [root];
  const last = (): OpenElement => open[open.length - 1] as OpenElement;
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    const fail = (what: string): never => {
      const line = text.slice(0, at).split('\n').length;
      throw new UserError(`${source}: line ${line} is not well-formed XML: ${what}.`);
    };
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text) ?? fail('an element that is not closed, or a kind of markup that is not read');
    const [, data, closing, name, , selfClosing, plain] = token;
    if (data !== undefined) last().text += data;
    else if (plain !== undefined)
      last().text += plain.replace(ENTITY, (whole, entity: string) => character(entity) ?? fail(`the entity ${whole}`));
    else if (name !== undefined && closing === '/') {
      const { name: opened } = last();
      if (open.length === 1 || opened !== name) fail(`</${name}> closes <${opened}>`);
      const element = open.pop() as OpenElement;
      last().children.push({ ...element, text: element.text.trim() });
    } else if (name !== undefined) {
      if (selfClosing === '/') last().children.push({ name, text: '', children: [] });
      else if (open.length > DEEPEST) fail(`more than ${DEEPEST} elements within one another`);
      else open.push({ name, text: '', children: [] });
    }
  }
  const [only, ...others] = root.children;
  if (open.length > 1) throw new UserError(`${source}: <${last().name}> is not closed; the file is cut off.`);
  if (only === undefined || others.length > 0)
    throw new UserError(`${source}: it is not an XML file with one element.`);
  return only;
}

export function childOf(element: XmlElement, name: string): XmlElement | null {
  return element.children.find((child) => child.name === name) ?? null;
}

function character(entity: string): string | null {
  if (!entity.startsWith('#')) return Object.hasOwn(NAMED, entity) ? (NAMED[entity] as string) : null;
  const code = entity.startsWith('#x') ? parseInt(entity.slice(2), 16) : Number(entity.slice(1));
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : null;
}
