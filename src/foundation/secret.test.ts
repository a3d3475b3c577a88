import assert from 'node:assert/strict';
import { test } from 'node:test';
import { format, inspect } from 'node:util';
import fc from 'fast-check';
import { createRandomHex, createSeal, hashOf, isSameText, newCodeText, newPin, newSecretText, Secret } from './secret.ts';

test('a secret is not printed by accident', () => {
  const secret = new Secret('hunter2');
  const printed = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ deep: { secret } }, { showHidden: true, depth: 9 }),
    format('%s %o %j', secret, secret, secret),
    Object.values(secret).join(),
  ];
  for (const text of printed) assert.doesNotMatch(text, /hunter2/);
  assert.equal(secret.reveal(), 'hunter2');
});

test('texts are compared for what they are, whatever their length', () => {
  fc.assert(fc.property(fc.string(), fc.string(), (one, other) => assert.equal(isSameText(one, other), one === other)));
  assert.ok(isSameText('a', 'a'));
});

test('new secrets have 256 bits and are never the same', () => {
  const made = Array.from({ length: 100 }, newSecretText);
  assert.equal(new Set(made).size, 100);
  for (const text of made) assert.equal(Buffer.from(text, 'base64url').length, 32);
  assert.notEqual(hashOf(made[0] ?? ''), hashOf(made[1] ?? ''));
  assert.equal(hashOf('abc'), 'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0');
});

test('random texts are of their length and never the same', () => {
  const next = createRandomHex(16);
  const made = Array.from({ length: 1_000 }, next);
  assert.equal(new Set(made).size, 1_000);
  for (const text of made) assert.match(text, /^[0-9a-f]{32}$/);
});

test('what was sealed is opened with the same key for the same purpose', () => {
  const seal = createSeal(new Secret('a key'));
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, purpose) => {
      assert.equal(seal.open(seal.seal(text, purpose), purpose), text.toWellFormed());
    }),
  );
});

test('a sealed text cannot be read, moved to another purpose, opened with another key, or changed', () => {
  const seal = createSeal(new Secret('a key'));
  const sealed = seal.seal('whsec_hidden', 'target:1');
  assert.doesNotMatch(sealed, /hidden/);
  assert.notEqual(sealed, seal.seal('whsec_hidden', 'target:1'), 'equal texts do not look equal');
  assert.throws(() => seal.open(sealed, 'target:2'));
  assert.throws(() => createSeal(new Secret('another key')).open(sealed, 'target:1'));
  const bytes = Buffer.from(sealed.slice(3), 'base64url');
  for (let index = 0; index < bytes.length; index += 1) {
    const changed = Buffer.from(bytes);
    changed[index] = (changed[index] ?? 0) ^ 1;
    assert.throws(() => seal.open(`v1.${changed.toString('base64url')}`, 'target:1'), `byte ${index}`);
  }
  assert.throws(() => seal.open('v1.', 'target:1'));
  assert.throws(() => seal.open(`v1.${bytes.subarray(0, 20).toString('base64url')}`, 'target:1'));
});

test('a PIN has four digits, leading zeros among them, and none comes up more often than by chance', () => {
  const made = Array.from({ length: 20_000 }, newPin);
  for (const pin of made) assert.match(pin, /^[0-9]{4}$/);
  for (let place = 0; place < 4; place += 1) {
    for (const digit of '0123456789') {
      const times = made.filter((pin) => pin.charAt(place) === digit).length;
      assert.ok(times > 1_600 && times < 2_400, `${digit} at ${place}: ${times}`); // 2,000 and more than nine standard deviations
    }
  }
});

test('a code has its length and nothing but letters of its alphabet, and none comes up more often than by chance', () => {
  const made = Array.from({ length: 5_000 }, () => newCodeText('BCDFG', 4));
  for (const code of made) assert.match(code, /^[BCDFG]{4}$/);
  for (let place = 0; place < 4; place += 1) {
    for (const letter of 'BCDFG') {
      const times = made.filter((code) => code.charAt(place) === letter).length;
      assert.ok(times > 700 && times < 1_300, `${letter} at ${place}: ${times}`); // 1,000 and more than ten standard deviations
    }
  }
});

test('a keyed hash tells nothing without the key, and nothing about the same text kept for another purpose', () => {
  const seal = createSeal(new Secret('a key'));
  const mac = seal.mac('0042', 'pin:1');
  assert.equal(mac, createSeal(new Secret('a key')).mac('0042', 'pin:1'), 'the same after a restart');
  const others = [seal.mac('0043', 'pin:1'), seal.mac('0042', 'pin:2'), createSeal(new Secret('another key')).mac('0042', 'pin:1')];
  assert.equal(new Set([mac, hashOf('0042'), ...others]).size, 5);
});
