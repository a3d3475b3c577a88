/** Where a text stops being JSON (RFC 8259): the index of the first character that cannot stand there, and what is wrong. */
export interface JsonFault {
  readonly position: number;
  readonly why: string;
}

const blank = /[ \t\n\r]*/y;
const plainString = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const stringStart = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

const endOf = (pattern: RegExp, text: string, at: number): number => {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
};

/** What the reader waits for. `…OrEnd` may also be the closing bracket of an empty object or array. */
type Awaited = 'value' | 'value-or-end' | 'name' | 'name-or-end' | 'colon' | 'comma';

const wanted: Record<Awaited, string> = {
  value: 'a value is missing',
  'value-or-end': 'a value or "]" is missing',
  name: 'a name in double quotes is missing',
  'name-or-end': 'a name in double quotes or "}" is missing',
  colon: 'a ":" is missing',
  comma: 'a "," or a closing bracket is missing',
};

/**
 * Finds the fault in a text that `JSON.parse` refused; undefined when there is none. The engine's own messages name no position for
 * short texts. Walks without recursion, so that no nesting is too deep for it.
 */
export const findJsonFault = (text: string): JsonFault | undefined => {
  const open: ('{' | '[')[] = [];
  let awaited: Awaited = 'value';
  for (let at = endOf(blank, text, 0); ; at = endOf(blank, text, at)) {
    const level = open.at(-1);
    if (awaited === 'comma' && level === undefined) {
      return at === text.length ? undefined : { position: at, why: 'something stands behind the end' };
    }
    if (at >= text.length) return { position: text.length, why: `it ends too early, ${wanted[awaited]}` };
    const sign = text[at];
    const isClosing = sign === (level === '{' ? '}' : ']') && level !== undefined;
    if (isClosing && (awaited === 'comma' || awaited === 'value-or-end' || awaited === 'name-or-end')) {
      open.pop();
      awaited = 'comma';
      at += 1;
      continue;
    }
    if (awaited === 'comma' || awaited === 'colon') {
      if (sign !== (awaited === 'comma' ? ',' : ':')) return { position: at, why: wanted[awaited] };
      awaited = awaited === 'comma' && level === '{' ? 'name' : 'value';
      at += 1;
      continue;
    }
    const isName = awaited === 'name' || awaited === 'name-or-end';
    if (sign === '"') {
      const end = endOf(plainString, text, at);
      if (end === at) return { position: endOf(stringStart, text, at), why: 'the string does not go on like this' };
      at = end;
      if (isName) awaited = 'colon';
      else awaited = 'comma';
      continue;
    }
    if (isName) return { position: at, why: wanted[awaited] };
    if (sign === '{' || sign === '[') {
      open.push(sign);
      awaited = sign === '{' ? 'name-or-end' : 'value-or-end';
      at += 1;
      continue;
    }
    const end = endOf(scalar, text, at);
    if (end === at) return { position: at, why: wanted[awaited] };
    at = end;
    awaited = 'comma';
  }
};
