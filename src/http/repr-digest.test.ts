import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../foundation/problem.ts';
import { digestOf, isReprDigestWanted, reprDigest } from './repr-digest.ts';

const hex = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const bytes = ':47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:';

test('RFC 9530 §3: a digest is written and read as the same 32 bytes', () => {
  assert.equal(reprDigest(hex), `sha-256=${bytes}`);
  assert.equal(digestOf({ 'repr-digest': reprDigest(hex) }, 'repr-digest'), hex);
  assert.equal(digestOf({ 'content-digest': `sha-256=${bytes}` }, 'content-digest'), hex);
  assert.equal(digestOf({ 'repr-digest': `sha-512=:AAAA:, sha-256=${bytes};note="a, b";new, x=::` }, 'repr-digest'), hex);
  assert.equal(digestOf({ 'repr-digest': `sha-256=:AAAA:, sha-256=${bytes}` }, 'repr-digest'), hex); // RFC 9651 §4.2.2: the last one counts
});

test('algorithms that are not known say nothing', () => {
  assert.equal(digestOf({}, 'repr-digest'), undefined);
  assert.equal(digestOf({ 'repr-digest': 'sha-512=:AAAA:, md5=:AAAA:;q=?1;y;z=@12;w=1.5, x=::' }, 'repr-digest'), undefined);
  assert.equal(digestOf({ 'repr-digest': '' }, 'repr-digest'), undefined);
});

test('a digest that cannot be read is refused and named, never taken for none', () => {
  const wrong = [
    hex,
    `sha-256=${hex}`,
    'sha-256',
    'sha-256=:AAAA:',
    'sha-256="x"',
    `sha-256=${bytes},`,
    `SHA-256=${bytes}`,
    'sha-256=:%%%:',
  ];
  for (const text of [...wrong, `sha-256=${bytes} x`, 'sha-256=(', `=${bytes}`]) {
    assert.throws(
      () => digestOf({ 'repr-digest': text }, 'repr-digest'),
      (error) => error instanceof Problem && error.kind === 'bad-request' && error.extras.errors?.[0]?.at === '/repr-digest',
      text,
    );
  }
});

test('RFC 9530 §4: Want-Repr-Digest asks by a preference of 1 to 10; 0 and nonsense ask for nothing', () => {
  for (const text of ['sha-256=1', 'sha-256=10', 'sha-512=3, sha-256=10, unixsum=0'])
    assert.equal(isReprDigestWanted({ 'want-repr-digest': text }), true, text);
  for (const text of ['sha-256=0', 'sha-512=5', 'sha-256', 'sha-256=11', 'sha-256=1,', '???'])
    assert.equal(isReprDigestWanted({ 'want-repr-digest': text }), false, text);
  assert.equal(isReprDigestWanted({}), false);
});

test('a long hostile dictionary is judged at once', () => {
  const started = performance.now();
  for (const text of [
    `a=${'('.repeat(15_000)}`,
    `a=(${' 1'.repeat(7000)}`,
    `a${';b=1'.repeat(4000)}!`,
    `${'a, '.repeat(5000)}!`,
    `a="${'\\"'.repeat(7000)}`,
  ])
    assert.throws(() => digestOf({ 'repr-digest': text }, 'repr-digest'), Problem);
  assert.ok(performance.now() - started < 500);
});
