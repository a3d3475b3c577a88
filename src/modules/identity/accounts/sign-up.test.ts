import assert from 'node:assert/strict';
import { test } from 'node:test';
import { givenPeople, password, soon } from './people.fixture.ts';

test('whoever signs up is a member of the default tenant and signs in at once', async (context) => {
  const { call, signUp, signIn, traceOf, identity } = await givenPeople(context);
  const made = await signUp({ username: 'Grace', email: 'Grace.H@example.org', displayName: 'Grace Höpper' });
  assert.equal(made.status, 201);
  assert.match(made.body.id, /^per_/);
  assert.deepEqual(made.body, { id: made.body.id, username: 'Grace', email: 'Grace.H@example.org', state: 'active' });
  const session = await signIn({ method: 'password', username: 'gRACE', password });
  const me = (await call('GET', '/v1/me', { token: session.body.accessToken })).body;
  assert.deepEqual(
    [me.id, me.username, me.email, me.displayName, me.role, me.tenantId],
    [made.body.id, 'Grace', 'Grace.H@example.org', 'Grace Höpper', 'member', await identity.defaultTenantId()],
  );
  assert.deepEqual(
    (await traceOf(made.body.id)).map(({ what, who }) => [what, who]),
    [
      ['signed-up', made.body.id],
      ['signed-in', made.body.id],
    ],
  );
});

test('of twenty who want a name at once exactly one gets it, however it is written', async (context) => {
  const { signUp, database } = await givenPeople(context);
  const spellings = ['hopper', 'Hopper', 'HOPPER', 'ｈｏｐｐｅｒ'];
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => signUp({ username: spellings[index % spellings.length] })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(19).fill(409)]);
  for (const { status, body } of answers) if (status === 409) assert.equal(body.type, '/problems/conflict');
  const people = await database.read.selectFrom('people').select('id').where('usernameKey', '=', 'hopper').execute();
  assert.equal(people.length, 1);
});

test('names that look like others, or cannot be seen, are nobody’s', async (context) => {
  const { signUp } = await givenPeople(context);
  const names = {
    'a Cyrillic а': 'gr\u0430ce',
    'a Greek ο': 'hell\u03bf',
    'a dotless i': 'gr\u0131ce',
    'a dotted capital I': 'gr\u0130ce',
    'a zero-width space': 'gra\u200bce',
    'a zero-width joiner': 'gra\u200dce',
    'a soft hyphen': 'gra\u00adce',
    'a mark that turns the direction': '\u202egrace',
    'a combining accent': 'grace\u0301',
    'a NUL': 'gra\0ce',
    'a line break': 'grace\r\nBcc: eve@example.org',
    'a space': 'gra ce',
    'a variation selector': 'grace\ufe0f',
    'a half character': 'grace\ud800',
    'nothing but a dot': '...',
    'a beginning with a sign': '-grace',
    'a slash': 'gra/ce',
    'too few': 'gr',
    'a ligature that makes it too long': `${'\ufb03'.repeat(22)}`,
    'too many': 'g'.repeat(65),
  };
  for (const [what, username] of Object.entries(names)) {
    const { status, body, text } = await signUp({ username });
    assert.equal(status, 400, `${what}: ${text}`);
    assert.equal(body.errors[0].at, '/username', what);
  }
  for (const username of ['abc', 'g'.repeat(64), '0x', 'a.b_c-d+e@example.org'].filter((name) => name.length > 2)) {
    assert.equal((await signUp({ username })).status, 201, username);
  }
});

test('a name in full-width letters is the plain one', async (context) => {
  const { signUp, signIn } = await givenPeople(context);
  assert.equal((await signUp({ username: 'ｇｒａｃｅ' })).body.username, 'grace');
  for (const username of ['grace', 'ＧＲＡＣＥ']) assert.equal((await signIn({ method: 'password', username, password })).status, 201);
});

test('passwords have 10 to 256 characters as people count them, and are not ones that many use', async (context) => {
  const { signUp } = await givenPeople(context);
  const refused = {
    'too short': 'ninechars',
    'too short for people, though not for computers': '👩‍🚀'.repeat(3),
    'too short once it is composed': 'e\u0301'.repeat(9),
    'too long': 'x'.repeat(257),
    'a megabyte': 'x'.repeat(1024 * 1024),
    'with a NUL': 'correct horse\0battery',
    'with half a character': 'correct horse battery \ud800',
    'used by many': 'password123',
    'used by many, in capitals': 'QwertyUiop',
    'used by many, as digits': '1234567890',
  };
  for (const [what, wanted] of Object.entries(refused)) {
    const { status, body, text } = await signUp({ username: 'grace', password: wanted });
    assert.equal(status, 400, `${what}: ${text.slice(0, 200)}`);
    assert.equal(body.errors[0].at, '/password', what);
    assert.ok(text.length < 1_000 && !text.includes(wanted), what);
  }
  const taken = [
    'aaaaaaaaaa',
    'x'.repeat(256),
    'e\u0301'.repeat(256),
    '          ',
    'ŝéçrét-ŵörð',
    '","dragon","',
    'no digits no capitals',
  ];
  for (const [index, wanted] of taken.entries()) {
    const { status, text } = await signUp({ username: `grace-${index}`, password: wanted });
    assert.equal(status, 201, `${wanted.slice(0, 20)}: ${text}`);
  }
});

test('addresses and display names that could be something else in a mail or on a page are refused', async (context) => {
  const { signUp } = await givenPeople(context);
  const emails = [
    ...[
      'grace',
      '@example.org',
      'grace@',
      'grace@@example.org',
      'a@b@c',
      'grace@example.org\r\nBcc: eve@example.org',
      'gra\0ce@example.org',
    ],
    ...[
      'grace @example.org',
      'Grace <grace@example.org>',
      'grace@example.org, eve@example.org',
      'grace@exa\u200bmple.org',
      '.g@example.org',
    ],
    ...['g..h@example.org', 'grace@.example.org', 'grace@example.org.', `${'g'.repeat(65)}@example.org`, `g@${'e'.repeat(250)}.org`],
  ];
  for (const email of emails) {
    const { status, body } = await signUp({ username: 'grace', email });
    assert.equal(status, 400, email);
    assert.equal(body.errors[0].at, '/email', email);
  }
  for (const displayName of ['', '   ', 'Grace\0', 'Grace\r\nSubject: x', '\u202eecarG', 'G\u2028H', 'x'.repeat(129)]) {
    const { status, body } = await signUp({ username: 'grace', displayName });
    assert.equal(status, 400, JSON.stringify(displayName));
    assert.equal(body.errors[0].at, '/displayName');
  }
  assert.equal((await signUp({ username: 'grace', email: 'grace+tag@bücher.example', displayName: '葛麗絲 👩‍🚀' })).status, 201);
});

test('what is unknown or of another type is refused by name', async (context) => {
  const { call, signUp } = await givenPeople(context);
  for (const [body, at] of [
    [{ username: 'grace', role: 'operator' }, '/role'],
    [{ username: 'grace', state: 'active' }, '/state'],
    [{ username: 7 }, '/username'],
    [{ username: 'grace', email: null }, '/email'],
    [{ username: 'grace', tenant: 'nowhere' }, '/tenant'],
  ] as const) {
    const { status, body: problem } = await signUp(body);
    assert.deepEqual([status, problem.errors[0].at], [400, at]);
  }
  assert.equal((await call('POST', '/v1/people', { body: { username: 'grace' } })).body.errors[0].at, '/password');
});

test('a closed or suspended tenant takes nobody', async (context) => {
  const { signUp, changeTenant } = await givenPeople(context);
  await changeTenant({ signUp: 'closed' });
  const closed = await signUp({ username: 'grace' });
  assert.deepEqual([closed.status, closed.body.type], [403, '/problems/sign-up-closed']);
  await changeTenant({ signUp: 'open', state: 'suspended' });
  const suspended = await signUp({ username: 'grace' });
  assert.deepEqual([suspended.status, suspended.body.type], [403, '/problems/tenant-suspended']);
  await changeTenant({ state: 'active' });
  assert.equal((await signUp({ username: 'grace' })).status, 201);
});

test('who belongs to a suspended tenant is told so, if the password is right', async (context) => {
  const { givenPerson, signIn, changeTenant, traceOf } = await givenPeople(context);
  const { id } = await givenPerson('grace');
  await changeTenant({ state: 'suspended' });
  const right = await signIn({ method: 'password', username: 'grace', password });
  assert.deepEqual([right.status, right.body.type], [403, '/problems/tenant-suspended']);
  const wrong = await signIn({ method: 'password', username: 'grace', password: 'wrong wrong wrong' });
  assert.deepEqual([wrong.status, wrong.body.type], [401, '/problems/bad-credentials']);
  await soon(async () => (await traceOf(id)).filter(({ what }) => what === 'refused').length === 2 || undefined);
});

test('an address makes as many accounts as the limit says, an IPv6 network counts as one address, others go on', async (context) => {
  const { signUp } = await givenPeople(context, { signUpLimit: { requests: 2, intervalMs: 60_000 } });
  const tryFrom = async (from: string, username: string) => {
    const { status, headers } = await signUp({ username }, { from });
    return { status, headers };
  };
  const first = await tryFrom('192.0.2.1', 'one');
  assert.equal(first.status, 201);
  assert.match(first.headers.get('ratelimit-policy') ?? '', /"sign-up";q=2;w=60/);
  assert.match(first.headers.get('ratelimit') ?? '', /"sign-up";r=1/);
  assert.equal((await tryFrom('192.0.2.1', 'one')).status, 409);
  const third = await tryFrom('192.0.2.1', 'three');
  assert.equal(third.status, 429);
  assert.ok(Number(third.headers.get('retry-after')) > 0);
  assert.equal((await tryFrom('192.0.2.2', 'four')).status, 201);
  for (const from of ['2001:db8::1', '2001:db8::2']) assert.equal((await tryFrom(from, `v6-${from.at(-1)}`)).status, 201);
  assert.equal((await tryFrom('2001:db8::3', 'v6-three')).status, 429);
  assert.equal((await tryFrom('2001:db8:0:1::1', 'v6-four')).status, 201);
});

test('sent again with its Idempotency-Key a sign-up is answered again and makes nobody twice', async (context) => {
  const { signUp, database } = await givenPeople(context);
  const headers = { 'idempotency-key': 'sign-up-1' };
  const first = await signUp({ username: 'grace' }, { headers });
  const again = await signUp({ username: 'grace' }, { headers });
  assert.deepEqual([again.status, again.text, again.headers.get('idempotency-replayed')], [201, first.text, 'true']);
  assert.equal((await signUp({ username: 'hopper' }, { headers })).status, 422);
  const people = await database.read.selectFrom('people').select('id').where('role', '=', 'member').execute();
  assert.equal(people.length, 1);
});

test('an unknown name and a wrong password get the same answer, and its time does not tell them apart', async (context) => {
  const { givenPerson, signIn } = await givenPeople(context);
  await givenPerson('grace');
  const ask = async (username: string, round: number) => {
    const began = performance.now();
    const from = `198.51.100.${round}`;
    const { status, body } = await signIn({ method: 'password', username, password: 'wrong wrong wrong' }, { from });
    assert.deepEqual([status, body.type, body.detail], [401, '/problems/bad-credentials', told]);
    return performance.now() - began;
  };
  const told = 'The name does not exist, or the secret, password or PIN is wrong.';
  const known: number[] = [];
  const unknown: number[] = [];
  for (let round = 0; round < 12; round += 1) {
    known.push(await ask('grace', round));
    unknown.push(await ask(`nobody-${round}`, round));
  }
  // Not how long it takes, but whether one kind always takes longer than the other. Where both do the same, that happens by chance once in
  // a million runs, however busy the machine is.
  const isSlower = (ones: number[], others: number[]) => Math.min(...ones) > Math.max(...others);
  assert.ok(!isSlower(known, unknown) && !isSlower(unknown, known), `${known} ms and ${unknown} ms`);
});

test('a stored hash is no password', async (context) => {
  const { givenPerson, signIn, database } = await givenPeople(context);
  await givenPerson('grace');
  const row = await database.read.selectFrom('people').selectAll().where('usernameKey', '=', 'grace').executeTakeFirstOrThrow();
  assert.equal((await signIn({ method: 'password', username: 'grace', password: row.passwordHash })).status, 401);
  assert.ok(!JSON.stringify(row).includes(password));
});

test('a hash made with less work than is asked for now is replaced at the next sign-in', async (context) => {
  const { givenPerson, signIn, database } = await givenPeople(context);
  const { id } = await givenPerson('grace');
  const { hash } = await import('@node-rs/argon2');
  const weak = await hash(password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 });
  await database.write([database.build.updateTable('people').set({ passwordHash: weak }).where('id', '=', id).compile()]);
  assert.equal((await signIn({ method: 'password', username: 'grace', password: 'wrong wrong wrong' })).status, 401);
  const hashNow = async () =>
    (await database.read.selectFrom('people').select('passwordHash').where('id', '=', id).executeTakeFirstOrThrow()).passwordHash;
  assert.equal(await hashNow(), weak);
  assert.equal((await signIn({ method: 'password', username: 'grace', password })).status, 201);
  assert.match(await hashNow(), /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  assert.equal((await signIn({ method: 'password', username: 'grace', password })).status, 201);
});
