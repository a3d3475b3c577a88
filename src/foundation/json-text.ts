// JSON kept as text. Numbers and strings must come out exactly as they went in (12345678901234567890, 1.10), so an event is
// never parsed and printed again: its text is cut at the members or elements of the outermost level and put together anew.

const quote = 0x22;
const backslash = 0x5c;

/** The index behind the string whose opening quote stands at `start`. */
const endOfString = (text: string, start: number): number => {
  let at = start + 1;
  for (;;) {
    const close = text.indexOf('"', at);
    let backslashes = 0;
    while (text.charCodeAt(close - 1 - backslashes) === backslash) backslashes += 1;
    if (backslashes % 2 === 0) return close + 1;
    at = close + 1;
  }
};

/** The index behind the value that starts at `start`: at a comma or closing bracket of the level around it, or the end. */
const endOfValue = (text: string, start: number): number => {
  let depth = 0;
  for (let at = start; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = endOfString(text, at);
      continue;
    }
    if (code === 0x7b || code === 0x5b) depth += 1;
    else if (code === 0x7d || code === 0x5d) {
      if (depth === 0) return at;
      depth -= 1;
    } else if (code === 0x2c && depth === 0) return at;
    at += 1;
  }
  return text.length;
};

/** The texts of an array's elements. `text` must be valid JSON (checked by `JSON.parse` before) and an array. */
export const elementTexts = (text: string): string[] => {
  const elements: string[] = [];
  for (let at = text.indexOf('[') + 1; ; ) {
    const end = endOfValue(text, at);
    const element = text.slice(at, end).trim();
    if (element !== '') elements.push(element);
    if (text.charCodeAt(end) !== 0x2c) return elements;
    at = end + 1;
  }
};

/** An object's members as name and value text, in order. `text` must be valid JSON and an object. */
export const memberTexts = (text: string): Map<string, string> => {
  const members = new Map<string, string>();
  for (let at = text.indexOf('{') + 1; ; ) {
    const nameStart = text.indexOf('"', at);
    const end = endOfValue(text, at);
    if (nameStart === -1 || nameStart >= end) return members;
    const nameEnd = endOfString(text, nameStart);
    const name: string = JSON.parse(text.slice(nameStart, nameEnd));
    const colon = text.indexOf(':', nameEnd);
    members.delete(name); // a repeated name: the last one counts, as for JSON.parse
    members.set(name, text.slice(colon + 1, end).trim());
    if (text.charCodeAt(end) !== 0x2c) return members;
    at = end + 1;
  }
};

/** An object's text from its members' texts. */
export const objectText = (members: ReadonlyMap<string, string>): string => {
  const parts: string[] = [];
  for (const [name, value] of members) parts.push(`${JSON.stringify(name)}:${value}`);
  return `{${parts.join(',')}}`;
};

/** The object's text with `fields` merged over it at the outermost level. */
export const mergeFields = (text: string, fields: Readonly<Record<string, unknown>>): string => {
  const entries = Object.entries(fields);
  if (entries.length === 0) return text;
  const members = memberTexts(text);
  for (const [name, value] of entries) members.set(name, JSON.stringify(value));
  return objectText(members);
};

/** Whether a value that JSON.parse made has more levels of objects and arrays than `limit`. Every body is looked through: nothing is made for it. */
export const isDeeperThan = (value: unknown, limit: number): boolean => {
  if (typeof value !== 'object' || value === null) return false;
  if (limit === 0) return true;
  if (Array.isArray(value)) {
    for (const child of value) if (typeof child === 'object' && isDeeperThan(child, limit - 1)) return true;
    return false;
  }
  const members = value as Record<string, unknown>; // parsed, so all that it has is its own
  for (const name in members) {
    const child = members[name];
    if (typeof child === 'object' && isDeeperThan(child, limit - 1)) return true;
  }
  return false;
};
