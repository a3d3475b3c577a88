import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { Problem } from '../../foundation/problem.ts';
import { type Line, linesOf } from './ndjson.ts';

const linesIn = async (chunks: readonly Buffer[]): Promise<Line[]> => {
  const lines: Line[] = [];
  for await (const group of linesOf(Readable.from(chunks))) lines.push(...group);
  return lines;
};

/** Cut at these places, wherever they fall: within characters, escapes, line ends. */
const cutAt = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const borders = [0, ...places.map((place) => place % (bytes.length + 1)).toSorted((one, other) => one - other), bytes.length];
  return borders.slice(1).map((end, index) => bytes.subarray(borders[index], end));
};

test('lines are the same however the body is cut on its way, also within characters of several bytes', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'ä', '€', '𝄞', '"', '\\', '{', '}') });
  const bodies = fc.record({
    lines: fc.array(line, { maxLength: 12 }),
    ending: fc.constantFrom('\n', '\r\n'),
    isEnded: fc.boolean(),
    places: fc.array(fc.nat(), { maxLength: 20 }),
  });
  await fc.assert(
    fc.asyncProperty(bodies, async ({ lines, ending, isEnded, places }) => {
      const bytes = Buffer.from(lines.join(ending) + (isEnded ? ending : ''));
      const expected = lines.map((text, index) => ({ text, number: index + 1 })).filter(({ text }) => text !== '');
      assert.deepEqual(await linesIn(cutAt(bytes, places)), expected);
    }),
    { numRuns: 200 },
  );
});

test('empty lines are passed over, and counted', async () => {
  assert.deepEqual(await linesIn([Buffer.from('\n\n{"a":1}\n   \n\r\n{"b":2}')]), [
    { text: '{"a":1}', number: 3 },
    { text: '{"b":2}', number: 6 },
  ]);
  assert.deepEqual(await linesIn([]), []);
});

test('a line without end is refused when it is too long, before it has come whole', async () => {
  let sent = 0;
  const endless = async function* () {
    for (;;) {
      sent += 1;
      yield Buffer.alloc(16 * 1024, 'x');
    }
  };
  const reading = async () => {
    for await (const lines of linesOf(endless())) assert.deepEqual(lines, []);
  };
  await assert.rejects(
    reading(),
    (error) => error instanceof Problem && error.kind === 'too-large' && error.extras.errors?.[0]?.at === '/1',
  );
  assert.ok(sent <= 18);
});

test('a line in very many very small chunks costs no more than the line', async () => {
  const bytes = Buffer.from(`${'x'.repeat(40 * 1024)}\n{"a":1}\n`);
  const chunks = Array.from({ length: bytes.length }, (_, index) => bytes.subarray(index, index + 1));
  const lines = await linesIn(chunks);
  assert.deepEqual(
    lines.map(({ text }) => text.length),
    [40 * 1024, 7],
  );
});
