import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findJsonFault } from './json-fault.ts';

const parses = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

test('a fault is found in just those texts that do not parse', () => {
  const broken = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '}', '[', 'x', '\\', '\n', '0', 'tru'))
    .map(([text, at, piece]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + piece + text.slice(place + 1);
    });
  const texts = fc.oneof(fc.json(), broken, fc.string());
  fc.assert(
    fc.property(texts, (text) => (findJsonFault(text) === undefined) === parses(text)),
    { numRuns: 2000 },
  );
});

test('everything before the fault could still have become JSON', () => {
  const at = (text: string) => findJsonFault(text)?.position;
  assert.equal(at(''), 0);
  assert.equal(at('{"a":1,}'), 7);
  assert.equal(at('{"a" 1}'), 5);
  assert.equal(at('[1 2]'), 3);
  assert.equal(at('[1]]'), 3);
  assert.equal(at('{"a":"x'), 7);
  assert.equal(at('{"a":"\\x"}'), 6);
  assert.equal(at('[01]'), 2);
  assert.equal(at('{a:1}'), 1);
  assert.equal(at("{'a':1}"), 1);
  assert.equal(at('[1}'), 2);
});
