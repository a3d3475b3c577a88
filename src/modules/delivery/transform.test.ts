import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Unavailable } from '../../foundation/problem.ts';
import { createTransformer, TransformFailed } from './transform.ts';

const transformer = createTransformer();
after(() => transformer.close());

const reasonOf = async (expression: string, content = '{"a":1}', limitMs?: number): Promise<string> => {
  try {
    return `gave ${await transformer.run(expression, content, limitMs)}`;
  } catch (error) {
    assert.ok(error instanceof TransformFailed, String(error));
    return error.message;
  }
};

describe('a transform', () => {
  it('makes an object of an event', async () => {
    const content = '{"id":"e1","body":{"lines":[{"price":2,"count":3},{"price":5,"count":1}]}}';
    const text = await transformer.run('{"order": id, "total": $sum(body.lines.(price * count)), "none": nothing}', content);
    assert.equal(text, '{"order":"e1","total":11}');
    assert.equal(await transformer.run('$ ~> |$|{"brand": "testBrand"}, "body"|', content), '{"id":"e1","brand":"testBrand"}');
  });

  it('hands numbers on that JavaScript cannot hold, and refuses to count with them', async () => {
    const content = '{"id":12345678901234567890,"small":1.10,"big":1e400,"fine":0.1,"list":[9007199254740993]}';
    assert.equal(
      await transformer.run('$', content),
      '{"id":12345678901234567890,"small":1.1,"big":1e400,"fine":0.1,"list":[9007199254740993]}',
    );
    assert.equal(
      await transformer.run('{"text": "n-" & id, "of": {$string(id): 1}}', content),
      '{"text":"n-12345678901234567890","of":{"12345678901234567890":1}}',
    );
    assert.match(await reasonOf('{"id": id + 1}', content), /must evaluate to a number/);
  });

  it('hands texts on as they are, whatever they look like', async () => {
    const content = JSON.stringify({ a: '\u{e000}#12', b: '\u{e000}', c: '\u{e000}\u{e000}#', d: '"\\\u2028😀', e: '{{x}}' });
    assert.deepEqual(JSON.parse(await transformer.run('$', content)), JSON.parse(content));
  });

  it('that gives something else than an object fails, with what it gave', async () => {
    assert.equal(await reasonOf('missing'), 'It gives nothing, not an object.');
    assert.equal(await reasonOf('[a, 2]'), 'It gives an array, not an object.');
    assert.equal(await reasonOf('"x"'), 'It gives a string, not an object.');
    assert.equal(await reasonOf('a'), 'It gives a number, not an object.');
    assert.equal(await reasonOf('null'), 'It gives null, not an object.');
    assert.equal(await reasonOf('$sum'), 'It gives a function, not an object.');
    assert.equal(await reasonOf('function($x) { $x }'), 'It gives a function, not an object.');
    assert.equal(await reasonOf('{"f": [$sum]}'), 'The result holds a function.');
    assert.equal(await reasonOf('{"n": 1 / 0}'), 'The result holds a number that JSON cannot hold.');
  });

  it('that fails says why, in one line', async () => {
    assert.match(await reasonOf('{"n": $number("zz")}'), /Unable to cast value to a number/);
    assert.equal(await reasonOf('$error("first\n\u001b[31msecond")'), 'first [31msecond');
  });

  it('that never ends is stopped, and the next one runs', async () => {
    assert.equal(await reasonOf('($f := function($x) { $f($x) }; $f(1))', '{}', 100), 'It takes longer than 100 ms.');
    assert.equal(
      await reasonOf('{"m": $match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", /(?=a)(a+)+$/)}', '{}', 100),
      'It takes longer than 100 ms.',
    );
    assert.equal(await reasonOf('{"x": a}'), 'gave {"x":1}');
  });

  it('that wants too much memory is stopped without harm to the server, and the next one runs', async () => {
    assert.equal(await reasonOf('{"x": [1..10000000]}'), 'It takes more than 64 MiB of memory.');
    assert.match(await reasonOf('($f := function($x) { $f($append($x, $x)) }; $f([1, 2, 3]))', '{}', 5000), /memory|nests|long/);
    assert.match(await reasonOf('($f := function($x) { $f($x & $x) }; $f("aaaaaaaa"))', '{}', 5000), /memory|long/);
    assert.match(await reasonOf('($f := function($x) { 1 + $f($x) }; $f(1))', '{}', 5000), /Stack overflow|deep/);
    assert.equal(await reasonOf('{"x": $pad("x", 2000000)}'), 'The result is larger than 1 MiB.');
    assert.equal(await reasonOf('{"x": a}'), 'gave {"x":1}');
  });

  it('reaches nothing but the event', async () => {
    assert.match(await reasonOf('{"e": $eval("1")}'), /non-function/);
    assert.equal(await reasonOf('{"a": constructor, "b": __proto__, "c": $lookup($, "toString"), "d": $.a.constructor}'), 'gave {}');
    await reasonOf('$merge([{"__proto__": {"polluted": true}}])');
    assert.equal(await reasonOf('{"p": {}.polluted, "q": polluted}'), 'gave {}');
  });

  it('that takes long does not hold up others, however many of its runs wait', async () => {
    const slow = Array.from({ length: 15 }, () => reasonOf('($f := function($x) { $f($x) }; $f(1))', '{}', 100));
    let ended = 0;
    for (const run of slow) void run.then(() => (ended += 1));
    for (let run = 0; run < 50; run += 1) assert.equal(await reasonOf('{"quick": a}'), 'gave {"quick":1}');
    assert.ok(ended < 10, `${ended} of 15 slow ones came first`);
    await Promise.all(slow);
  });

  it('runs of many deliveries at a time each get their own result', async () => {
    const results = await Promise.all(Array.from({ length: 100 }, (_, index) => transformer.run('{"n": n * 2}', `{"n":${index}}`)));
    assert.deepEqual(
      results,
      Array.from({ length: 100 }, (_, index) => `{"n":${index * 2}}`),
    );
  });
});

describe('checking an expression', () => {
  it('finds what is wrong and where', () => {
    assert.equal(transformer.check('{"a": b.c}'), undefined);
    assert.match(transformer.check('{"a": ') ?? '', /before end of expression.*\(at character 6\)/);
    assert.match(transformer.check('a..[') ?? '', /at character/);
    assert.match(transformer.check('') ?? '', /end of expression/);
    assert.match(transformer.check('('.repeat(8000)) ?? '', /nested too deeply/);
    assert.match(transformer.check(`"${'ü'.repeat(4100)}"`) ?? '', /longer than 8 KiB/);
  });
});

describe('the process of the transforms', () => {
  it('does not start before the first run, nor keep the server from ending', async () => {
    const module = fileURLToPath(new URL('./transform.ts', import.meta.url));
    const script = `const { createTransformer } = await import(${JSON.stringify(module)}); const t = createTransformer(); t.check('a');
      const before = process.getActiveResourcesInfo().includes('ProcessWrap'); console.log(before, await t.run('{"x": a}', '{"a":1}'));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
    assert.equal(stdout, 'false {"x":1}\n');
  });

  it('when closed is gone, and what waited is told that the server is the reason', async () => {
    const closing = createTransformer();
    const running = closing.run('($f := function($x) { $f($x) }; $f(1))', '{}', 5000);
    const waiting = closing.run('{"x": 1}', '{}');
    const ended = Promise.all([assert.rejects(running, Unavailable), assert.rejects(waiting, Unavailable)]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await closing.close();
    await ended;
    await assert.rejects(closing.run('{"x": 1}', '{}'), Unavailable);
    await closing.close();
  });
});
