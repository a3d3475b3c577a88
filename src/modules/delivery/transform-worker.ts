// The process in which transforms run; transform-process.ts says why it is one. It knows nothing but expressions and contents.
import jsonata from 'jsonata';
import type { TransformAnswer, TransformRequest } from './transform-process.ts';

const maxResultLength = 1024 * 1024;
const maxStack = 1000;
const maxCompiled = 64;

class Refused extends Error {}

/** Expressions compiled before, the oldest first. */
const compiled = new Map<string, jsonata.Expression>();

const compile = (expression: string, limitMs: number): jsonata.Expression => {
  const key = `${limitMs} ${expression}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const program = jsonata(expression, { timeout: limitMs, stack: maxStack });
  program.assign('eval', undefined); // what a source sends never becomes a program
  const oldest = compiled.size < maxCompiled ? undefined : compiled.keys().next().value;
  if (oldest !== undefined) compiled.delete(oldest);
  compiled.set(key, program);
  return program;
};

// Numbers that JavaScript cannot hold (12345678901234567890) go through the expression as marked texts and come out as the numbers they
// were. Handing them on and joining them to text works; arithmetic refuses them, where it would otherwise change them unseen.
const mark = '\u{e000}';
const numberMark = `${mark}#`;
const markedNumber = new RegExp(`^${numberMark}(-?[0-9.eE+-]+)$`);

/** A number's text as its significant digits and a power of ten, so that 1.10, 1.1 and 11e-1 are the same. */
const significance = (text: string): string => {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text);
  if (parts === null) return text;
  const [, sign, whole = '', fraction = '', power = '0'] = parts;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  return significant === '' ? '0' : `${sign}${significant}e${Number(power) - fraction.length + digits.length - significant.length}`;
};

const isExact = (source: string, value: number): boolean =>
  String(value) === source || significance(source) === significance(String(value));

const readMember = (_name: string, value: unknown, context?: { source?: string }): unknown => {
  if (typeof value === 'string') return value.replaceAll(mark, mark + mark);
  const source = context?.source;
  return typeof value !== 'number' || source === undefined || isExact(source, value) ? value : numberMark + source;
};

const unmarked = (text: string): string =>
  text.includes(mark) ? text.replaceAll(/\u{e000}([\u{e000}#])/gu, (_match, second) => (second === '#' ? '' : mark)) : text;

const isFunction = (value: object): boolean =>
  typeof value === 'function' || Object.hasOwn(value, '_jsonata_lambda') || Object.hasOwn(value, '_jsonata_function');

/** A result's JSON text. Absent members are left out; what JSON cannot hold is refused. */
const print = (value: unknown): string => {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'string') return markedNumber.exec(value)?.[1] ?? JSON.stringify(unmarked(value));
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Refused('The result holds a number that JSON cannot hold.');
  if (typeof value === 'function' || (typeof value === 'object' && isFunction(value))) throw new Refused('The result holds a function.');
  if (Array.isArray(value)) return `[${value.map(print).join(',')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(unmarked(name))}:${print(member)}`).join(',')}}`;
};

const kindOf = (value: unknown): string => {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'function' || (typeof value === 'object' && isFunction(value))) return 'a function';
  return `a ${typeof value}`;
};

const reasonOf = (error: unknown, limitMs: number): string => {
  if (error instanceof Refused) return error.message;
  if (error instanceof RangeError) return error.message.includes('call stack') ? 'It nests too deeply.' : 'A text in it grows too long.';
  const { code, message } = error as { code?: string; message?: string }; // jsonata throws plain objects as well as errors
  return code === 'D1012' ? `It takes longer than ${limitMs} ms.` : (message ?? 'It fails without a message.');
};

const transform = async ({ expression, content, limitMs }: TransformRequest): Promise<TransformAnswer> => {
  try {
    const result: unknown = await compile(expression, limitMs).evaluate(JSON.parse(content, readMember));
    const kind = kindOf(result);
    if (kind !== 'a object') return { reason: `It gives ${kind}, not an object.` };
    const text = print(result);
    return text.length > maxResultLength ? { reason: 'The result is larger than 1 MiB.' } : { content: text };
  } catch (error) {
    return { reason: reasonOf(error, limitMs) };
  }
};

process.on('message', async (request: TransformRequest) => {
  process.send?.(await transform(request));
});
// Ctrl-C in a terminal reaches this process too; it goes when the server has let go of it, not before.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit());
process.send?.({ content: 'ready' });
