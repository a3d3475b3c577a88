import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { defaultFileTypes } from './default-file-types.ts';
import { type Environment, gatherSettings, printComplaints, readSettings } from './read-config.ts';
import type { Settings } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'entrepot-settings-'));
after(() => rmSync(folder, { recursive: true }));

const fileWith = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const settingsOf = (env: Environment): Settings => {
  const result = readSettings(env);
  assert.ok('settings' in result, 'complaints' in result ? result.complaints.join('\n') : '');
  return result.settings;
};

const complaintsOf = (env: Environment): string[] => {
  const result = readSettings(env);
  assert.ok('complaints' in result, 'there should be complaints');
  return result.complaints;
};

test('without any setting the documented defaults count', () => {
  const { replica, mailUrl, ...settings } = settingsOf({ PATH: '/bin', OTEL_SERVICE_NAME: 'x' });
  assert.match(replica, /^[!-~]+$/);
  assert.equal(mailUrl.reveal(), 'log:');
  assert.deepEqual(settings, {
    port: 8080,
    host: '127.0.0.1',
    data: './data',
    databaseUrl: 'sqlite:./data/entrepot.db',
    blobsUrl: 'folder:./data/blobs',
    intakeUrl: 'database:',
    limitsUrl: 'memory:',
    mailFrom: 'Entrepot <entrepot@localhost>',
    scanUrl: 'off:',
    role: 'all',
    accessTokenTtlMs: 15 * 60_000,
    refreshTokenTtlMs: 30 * 86_400_000,
    sessionTtlMs: 365 * 86_400_000,
    pinTtlMs: 5 * 60_000,
    sessionBinding: 'address',
    trustedProxies: [],
    signUpLimit: { requests: 100, intervalMs: 60_000 },
    linkTtlMs: 3_600_000,
    maxFileBytes: 4 * 2 ** 30,
    fileTypes: [...defaultFileTypes],
    trashMs: 30 * 86_400_000,
    targetRate: { requests: 1, intervalMs: 2000 },
    targetRetries: 9,
    targetEnrich: { brand: 'testBrand' },
    outboundAllow: ['127.0.0.0/8', '::1/128'],
    trustedIssuers: [],
    corsOrigins: [],
    retentionMs: 90 * 86_400_000,
    logLevel: 'info',
    metrics: 'main',
  });
});

test('everything wrong is told at once', () => {
  const complaints = complaintsOf({
    ENTREPOT_PROT: '8080',
    ENTREPOT_SECRETKEY_FILE: '/run/key',
    ENTREPOT_PORT: '70000',
    ENTREPOT_DATABASE: 'postgres://x',
    ENTREPOT_TARGET_RATE: 'fast',
    ENTREPOT_SECRET_KEY_FILE: join(folder, 'missing'),
  });
  assert.deepEqual(complaints, [
    'ENTREPOT_PROT is not a setting; did you mean ENTREPOT_PORT?',
    'ENTREPOT_SECRETKEY_FILE is not a setting; did you mean ENTREPOT_SECRET_KEY_FILE?',
    `ENTREPOT_SECRET_KEY_FILE names ${join(folder, 'missing')}, which cannot be read (ENOENT).`,
    'ENTREPOT_PORT is "70000", but must be a whole number from 0 to 65535.',
    'ENTREPOT_DATABASE is "postgres://x", but must be sqlite: followed by the path of a file.',
    'ENTREPOT_TARGET_RATE is "fast", but must be requests per interval of at most 1d, such as 1/2s, 100/1m or 5/s.',
  ]);
  assert.equal(printComplaints(complaints).split('\n').length, complaints.length + 3);
});

test('a name that is like none gets no suggestion', () => {
  assert.deepEqual(complaintsOf({ ENTREPOT_XYLOPHONE: '1' }), ['ENTREPOT_XYLOPHONE is not a setting']);
});

test('a secret can stand in a file, and the line break at its end does not count', () => {
  const settings = settingsOf({ ENTREPOT_SECRET_KEY_FILE: fileWith('key', 'correct horse battery\n') });
  assert.equal(settings.secretKey?.reveal(), 'correct horse battery');
});

test('a value given twice, directly and in a file, is a complaint', () => {
  assert.deepEqual(complaintsOf({ ENTREPOT_PORT: '1', ENTREPOT_PORT_FILE: fileWith('port', '2') }), [
    'ENTREPOT_PORT and ENTREPOT_PORT_FILE are both given; leave one of them out.',
  ]);
});

test('a complaint about a secret does not show it', () => {
  const complaints = complaintsOf({
    ENTREPOT_OPERATOR: 'root:hunter2',
    ENTREPOT_SECRET_KEY: 'hunter2',
    ENTREPOT_METRICS_TOKEN: 'hunter 2',
  });
  assert.equal(complaints.length, 3);
  assert.doesNotMatch(complaints.join(), /hunter/);
});

test('settings that are printed by accident do not show their secrets', () => {
  const settings = settingsOf({ ENTREPOT_OPERATOR: 'root:correct:horse', ENTREPOT_METRICS_TOKEN: 'metrics-token' });
  assert.equal(settings.operator?.name, 'root');
  assert.equal(settings.operator?.password.reveal(), 'correct:horse');
  assert.doesNotMatch(`${inspect(settings, { depth: 9 })}${JSON.stringify(settings)}`, /horse|metrics-token/);
});

test('an empty value is no value, but an empty list is a list', () => {
  assert.equal(settingsOf({ ENTREPOT_PORT: '', ENTREPOT_PORT_FILE: '' }).port, 8080);
  assert.deepEqual(settingsOf({ ENTREPOT_OUTBOUND_ALLOW: '' }).outboundAllow, []);
});

test('targets on this machine are allowed only while the server is reachable from this machine alone', () => {
  assert.deepEqual(settingsOf({ ENTREPOT_HOST: '0.0.0.0' }).outboundAllow, []);
  assert.deepEqual(settingsOf({ ENTREPOT_HOST: 'localhost' }).outboundAllow, ['127.0.0.0/8', '::1/128']);
  assert.deepEqual(settingsOf({ ENTREPOT_HOST: '::1', ENTREPOT_OUTBOUND_ALLOW: '10.0.0.0/8' }).outboundAllow, ['10.0.0.0/8']);
});

test('the database lies in the data folder unless it is named', () => {
  assert.equal(settingsOf({ ENTREPOT_DATA: '/var/lib/entrepot/' }).databaseUrl, 'sqlite:/var/lib/entrepot/entrepot.db');
  assert.equal(settingsOf({ ENTREPOT_DATA_FILE: fileWith('data', '/srv') }).databaseUrl, 'sqlite:/srv/entrepot.db');
  assert.equal(settingsOf({ ENTREPOT_DATABASE: 'sqlite:other.db' }).databaseUrl, 'sqlite:other.db');
  assert.equal(settingsOf({ ENTREPOT_DATA: '/var/lib/entrepot/' }).blobsUrl, 'folder:/var/lib/entrepot/blobs');
  assert.equal(settingsOf({ ENTREPOT_BLOBS: 'folder:/mnt/big/' }).blobsUrl, 'folder:/mnt/big');
});

test('it is known of each setting where its value comes from', () => {
  const { shown } = gatherSettings({ ENTREPOT_PORT: '9000', ENTREPOT_HOST_FILE: fileWith('host', '0.0.0.0') });
  const sources = Object.fromEntries(shown.map(({ env, source, text }) => [env, `${source} ${text}`]));
  assert.equal(sources.ENTREPOT_PORT, 'environment 9000');
  assert.equal(sources.ENTREPOT_HOST, 'file 0.0.0.0');
  assert.equal(sources.ENTREPOT_ROLE, 'default all');
  assert.equal(sources.ENTREPOT_OPERATOR, 'default undefined');
});

const readAs = <Name extends keyof Settings>(env: string, field: Name, text: string): Settings[Name] | 'refused' => {
  const result = readSettings({ [`ENTREPOT_${env}`]: text });
  return 'settings' in result ? result.settings[field] : 'refused';
};

test('durations are read in all units and kept within bounds', () => {
  const read = (text: string) => readAs('ACCESS_TOKEN_TTL', 'accessTokenTtlMs', text);
  assert.deepEqual(['1500ms', '1s', '15m', '1h', '1d'].map(read), [1500, 1000, 900_000, 3_600_000, 86_400_000]);
  for (const text of ['999ms', '2d', '0s', '-1s', '1.5s', '15', 's', '1 s', '1S', '1w', '99999999999s'])
    assert.equal(read(text), 'refused', text);
});

test('rates are read with and without a count of units', () => {
  const read = (text: string) => readAs('TARGET_RATE', 'targetRate', text);
  assert.deepEqual(read('1/2s'), { requests: 1, intervalMs: 2000 });
  assert.deepEqual(read('100/1m'), { requests: 100, intervalMs: 60_000 });
  assert.deepEqual(read('5/s'), { requests: 5, intervalMs: 1000 });
  for (const text of ['0/s', '5/0s', '5', '/s', '1.5/s', '5/2', '5/2d', '-1/s', '5/s/s']) assert.equal(read(text), 'refused', text);
});

test('whole numbers are nothing else', () => {
  const read = (text: string) => readAs('TARGET_RETRIES', 'targetRetries', text);
  assert.deepEqual(['0', '9', '99'].map(read), [0, 9, 99]);
  for (const text of ['100', '-1', '1.0', '1e1', '0x1', ' 1', 'nine']) assert.equal(read(text), 'refused', text);
});

test('networks are read as CIDRs, single addresses too', () => {
  const read = (text: string) => readAs('TRUSTED_PROXIES', 'trustedProxies', text);
  assert.deepEqual(read('10.1.2.3/8, 192.0.2.1,fd00::/8,::1'), ['10.0.0.0/8', '192.0.2.1/32', 'fd00::/8', '::1/128']);
  for (const text of ['10.0.0.0/33', '10/8', 'proxy', '10.0.0.0/8,', '010.0.0.1', '1.2.3.4/8/8', '0x7f.0.0.1'])
    assert.equal(read(text), 'refused', text);
});

test('hosts are addresses or names', () => {
  const read = (text: string) => readAs('HOST', 'host', text);
  for (const text of ['0.0.0.0', '::', '::1', 'localhost', 'entrepot-1.example.com']) assert.equal(read(text), text);
  for (const text of ['[::1]', 'a b', '1.2.3', '256.1.1.1', 'http://x', 'host:80', '-']) assert.equal(read(text), 'refused', text);
});

test('addresses of servers are http or https, without passwords', () => {
  assert.equal(readAs('PUBLIC_URL', 'publicUrl', 'https://Entrepot.example/'), 'https://entrepot.example');
  assert.equal(readAs('PUBLIC_URL', 'publicUrl', 'https://a.example/entrepot/'), 'https://a.example/entrepot');
  assert.equal(readAs('TARGET_GRAPHQL_URL', 'targetGraphqlUrl', 'http://127.0.0.1:4000/graphql?x=1'), 'http://127.0.0.1:4000/graphql?x=1');
  for (const text of ['entrepot.example', 'ftp://a', 'https://', 'https://u:p@a', 'https://a/?x=1', 'https://a/#x']) {
    assert.equal(readAs('PUBLIC_URL', 'publicUrl', text), 'refused', text);
  }
});

test('origins are bare', () => {
  const read = (text: string) => readAs('CORS_ORIGINS', 'corsOrigins', text);
  assert.deepEqual(read('https://app.example/, http://localhost:5173'), ['https://app.example', 'http://localhost:5173']);
  for (const text of ['*', 'https://app.example/x', 'null', 'https://a,']) assert.equal(read(text), 'refused', text);
});

test('the metrics are on the main port, off, or on a port of their own', () => {
  const read = (text: string) => readAs('METRICS', 'metrics', text);
  assert.equal(read('off'), 'off');
  assert.deepEqual(read('0.0.0.0:9090'), { host: '0.0.0.0', port: 9090 });
  assert.deepEqual(read('[::1]:0'), { host: '::1', port: 0 });
  for (const text of ['on', '9090', ':9090', 'host:', 'host:70000', '::1:9090']) assert.equal(read(text), 'refused', text);
});

test('mails leave by a server with or without a password, which is never shown', () => {
  const right = [
    ...['log:', 'smtp://localhost', 'smtp://127.0.0.1:2525', 'smtps://[::1]:465', 'smtp://mail.example.org?tls=required'],
    'smtps://post%40example.org:p%40ss%3Aword@mail.example.org',
  ];
  for (const text of right) assert.equal(settingsOf({ ENTREPOT_MAIL: text }).mailUrl.reveal(), text);
  const wrong = [
    ...['log', 'log://', 'http://mail.example.org', 'smtp:', 'smtp://', 'smtp://mail example', 'smtp://a/inbox', 'smtp://a#b'],
    ...[
      'smtp://a?tls=maybe',
      'smtps://a?tls=required',
      'smtp://a?pool=true',
      'smtp://:hush@a',
      'smtp://u:hush%0d%0a@a',
      'smtp://u:hush%zz@a',
    ],
    'smtp://u:hush@a b',
  ];
  for (const text of wrong) {
    const complaints = complaintsOf({ ENTREPOT_MAIL: text });
    assert.match(complaints.join(), /^ENTREPOT_MAIL must be log: or an smtp/, text);
    assert.doesNotMatch(complaints.join(), /hush/);
  }
  const hidden = settingsOf({ ENTREPOT_MAIL: 'smtp://u:hush@a' });
  assert.doesNotMatch(inspect(hidden) + JSON.stringify(hidden), /hush/);
});

test('what is merged into events is a JSON object', () => {
  const read = (text: string) => readAs('TARGET_ENRICH', 'targetEnrich', text);
  assert.deepEqual(read('{}'), {});
  for (const text of ['[]', 'null', '"x"', '{', 'brand=x']) assert.equal(read(text), 'refused', text);
});

test('trusted issuers are https, or http on this machine, each once, with the audience of their tokens', () => {
  const read = (text: string) => readAs('TRUSTED_ISSUERS', 'trustedIssuers', text);
  assert.deepEqual(read(''), []);
  assert.deepEqual(read('https://id.example/;aud=api, http://127.0.0.1:9000'), [
    { issuer: 'https://id.example/', audience: 'api' },
    { issuer: 'http://127.0.0.1:9000', audience: 'entrepot' },
  ]);
  for (const text of [
    'http://id.example',
    'https://u:p@id.example',
    'https://id.example?x=1',
    'https://id.example;aud=',
    'https://id.example;aud=a;aud=b',
    'https://id.example;scope=x',
    'https://id.example,https://id.example;aud=b',
    'id.example',
  ])
    assert.equal(read(text), 'refused', text);
});

test('bearer tokens go to the user service in plain text only where they stay inside', () => {
  const read = (text: string) => readAs('USER_SERVICE', 'userService', text);
  for (const text of ['https://users.example/check?a=1', 'http://127.0.0.1:9/', 'http://10.0.0.7/', 'http://[fd00::1]/', 'http://users/'])
    assert.equal(read(text), text);
  assert.equal(read('http://users.shop.svc.cluster.local/'), 'http://users.shop.svc.cluster.local/');
  for (const text of ['http://users.example/', 'http://192.0.2.1/', 'http://[2001:db8::1]/', 'https://u:p@users/', 'ftp://users', 'users'])
    assert.equal(read(text), 'refused', text);
});

test('edge keys are long enough not to be guessed, and none of them is shown', () => {
  const result = readSettings({ ENTREPOT_EDGE_KEYS: 'a-key-of-the-edge-1, a-key-of-the-edge-2' });
  assert.ok('settings' in result);
  assert.deepEqual(
    result.settings.edgeKeys?.map((key) => key.reveal()),
    ['a-key-of-the-edge-1', 'a-key-of-the-edge-2'],
  );
  assert.doesNotMatch(inspect(result, { depth: 9 }), /a-key-of/);
  for (const text of ['short', 'a-key-of-the-edge-1,', 'a-key-of-the-edge-1,short', 'a key of the edge 1']) {
    assert.equal(readAs('EDGE_KEYS', 'edgeKeys', text), 'refused', text);
    assert.doesNotMatch(complaintsOf({ ENTREPOT_EDGE_KEYS: text }).join(), /a-key|a key|short/);
  }
  assert.equal(settingsOf({ ENTREPOT_EDGE_KEYS: '' }).edgeKeys, undefined);
});
