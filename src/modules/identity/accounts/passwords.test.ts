import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPasswords, nobodysHash } from './passwords.ts';

const passwords = createPasswords({ maxRunning: 1 });

test('a password is kept as argon2id with its parameters, and only the right one matches', async () => {
  const hash = await passwords.hash('correct horse battery');
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  assert.equal(await passwords.matches(hash, 'correct horse battery'), true);
  assert.equal(await passwords.matches(hash, 'correct horse batterz'), false);
});

test('the stored hash is not a password', async () => {
  const hash = await passwords.hash('correct horse battery');
  assert.equal(await passwords.matches(hash, hash), false);
});

test('where there is nobody no password matches, after the same work', async () => {
  const parametersOf = (hash: string) => hash.split('$').slice(0, 4).join('$');
  assert.equal(parametersOf(nobodysHash), parametersOf(await passwords.hash('correct horse battery')));
  assert.equal(await passwords.matches(undefined, 'correct horse battery'), false);
});

test('the same letters written in another way of Unicode are the same password', async () => {
  const hash = await passwords.hash('caf\u00e9 caf\u00e9 caf\u00e9');
  assert.equal(await passwords.matches(hash, 'cafe\u0301 cafe\u0301 cafe\u0301'), true);
});

test('more people at once than can wait are told to come back, and the others are served', async () => {
  const busy = createPasswords({ maxRunning: 1, maxWaiting: 2 });
  const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => busy.hash('correct horse battery')));
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  assert.equal(refused.length, 3);
  for (const { reason } of refused) assert.equal(reason.kind, 'unavailable');
  assert.match(await busy.hash('correct horse battery'), /^\$argon2id/);
});

test('a hash made with less work, or in another way, is known as weak', async () => {
  assert.equal(passwords.isWeak(await passwords.hash('correct horse battery')), false);
  assert.equal(passwords.isWeak(nobodysHash), false);
  const rest = '$d2/mrRZwJQtihsfGx3T4eQ$5SXuPex9wnA3wq5lFSWGaE7xsrSWdOFQXr6mjYygyUE';
  assert.equal(passwords.isWeak(`$argon2id$v=19$m=65536,t=3,p=4${rest}`), false);
  for (const weak of ['$argon2id$v=19$m=8192,t=2,p=1', '$argon2id$v=19$m=19456,t=1,p=1', '$argon2i$v=19$m=19456,t=2,p=1', '$2b$12']) {
    assert.equal(passwords.isWeak(weak + rest), true, weak);
  }
});
