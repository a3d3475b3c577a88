import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressGroup, isSameAddress } from './addresses.ts';

test('guesses are counted by IPv4 address and by IPv6 network', () => {
  assert.equal(addressGroup('192.0.2.1'), '192.0.2.1');
  assert.equal(addressGroup('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(addressGroup('2001:db8:1:2:3:4:5:6'), addressGroup('2001:0db8:0001:0002::9'));
  assert.notEqual(addressGroup('2001:db8:1:2::1'), addressGroup('2001:db8:1:3::1'));
  assert.equal(addressGroup('unknown'), 'unknown');
});

test('an address is the same however it is written, and its neighbour is another', () => {
  assert.ok(isSameAddress('2001:DB8:0:0::1', '2001:db8::1'));
  assert.ok(isSameAddress('::ffff:192.0.2.1', '192.0.2.1'));
  assert.ok(!isSameAddress('2001:db8::1', '2001:db8::2'));
  assert.ok(!isSameAddress('192.0.2.1', '192.0.2.2'));
  assert.ok(!isSameAddress('unknown', '192.0.2.2'));
});
