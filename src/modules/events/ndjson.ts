import { StringDecoder } from 'node:string_decoder';
import { Problem } from '../../foundation/problem.ts';
import { maxEventBytes } from './event-form.ts';

/** A line of a stream, counted from 1. Empty lines are skipped but counted. */
export interface Line {
  readonly text: string;
  readonly number: number;
}

/** The lines of an NDJSON body, in groups as they arrive, so that a long stream is never held whole. Throws `too-large` for a line beyond the limit. */
export async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<readonly Line[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let number = 0;
  const take = (text: string): Line[] => {
    number += 1;
    const line = text.trim();
    return line === '' ? [] : [{ text: line, number }];
  };
  for await (const chunk of body) {
    const [first = '', ...others] = decoder.write(chunk).split('\n');
    rest += first; // not looked through again: a line may come in many small chunks
    const next = others.pop();
    if (next !== undefined) {
      const lines = [rest, ...others].flatMap(take);
      rest = next;
      if (lines.length > 0) yield lines;
    }
    if (rest.length > maxEventBytes) throw tooLong(number + 1);
  }
  const last = take(rest + decoder.end());
  if (last.length > 0) yield last;
}

const tooLong = (line: number) =>
  new Problem('too-large', `Line ${line} is larger than 256 KiB.`, {
    errors: [{ in: 'body', at: `/${line}`, why: 'is larger than 256 KiB' }],
  });
