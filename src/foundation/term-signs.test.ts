import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bitsOfTerm, partsOf, type SignLayout, signOf } from './term-signs.ts';

const layout: SignLayout = [
  { beginning: '=a', marks: 5, code: 9 },
  { beginning: '=b', marks: 40 },
  { beginning: '', marks: 31, characters: 1 },
  { beginning: '', marks: 31, characters: 3 },
];

/** Whether the sign says that the term may be there, or a term that begins so. */
const mayHold = (sign: readonly number[], term: string, isWhole = true): boolean => {
  let isPossible = true;
  bitsOfTerm(layout, term, { isWhole }, (bit, isSet) => {
    isPossible &&= (((sign[Math.floor(bit / 31)] ?? 0) >> (bit % 31)) & 1) === (isSet ? 1 : 0);
  });
  return isPossible;
};

test('a sign never denies a term that is there, nor the beginning of one', () => {
  const terms = ['=a6b', '=bxyz', '=b', 'harbour', 'at', '東', '𝒳𝒴𝒵𝒲', '1234'];
  const sign = signOf(layout, ` ${terms.join('  ').toUpperCase()} `);
  assert.equal(sign.length, partsOf(layout));
  for (const part of sign) assert.ok(part >= 0 && part < 2 ** 31, 'a whole number of four bytes');
  for (const term of terms) {
    assert.ok(mayHold(sign, term), term);
    if (!term.startsWith('='))
      for (let end = 1; end <= [...term].length; end += 1) assert.ok(mayHold(sign, [...term].slice(0, end).join(''), false), term);
  }
});

test('a sign denies nearly all that is not there', () => {
  const sign = signOf(layout, '=a6b =bxyz harbour night');
  const others = Array.from({ length: 1000 }, (_, number) => `${number.toString(36)}${number}`);
  assert.ok(others.filter((other) => mayHold(sign, `=a${other}`)).length < 10);
  assert.ok(others.filter((other) => mayHold(sign, other)).length < 100);
});
