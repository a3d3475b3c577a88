import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { call, eventually, givenOperator, givenService, type Json } from '../support/given.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const program = fileURLToPath(new URL('../../src/entries/cli.ts', import.meta.url));

/** The command line, with the settings of a server. */
const runKeys = async (dataFolder: string, ...args: string[]) => {
  const env = { PATH: process.env.PATH, ENTREPOT_DATA: dataFolder };
  const child = spawn(process.execPath, [program, 'keys', ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
  const [output, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { output, complaint, code };
};

const kidOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;

describe('keys that sign access tokens', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());

  const published = async (): Promise<string[]> =>
    (await call(server, 'GET', '/.well-known/jwks.json')).body.keys.map((key: Json) => key.kid);
  const refresh = async (session: Json) =>
    (await call(server, 'POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } })).body;
  const statusOf = async (token: string) => (await call(server, 'GET', '/v1/me', { token })).status;

  it('are rotated beside the running server: tokens that are out stay good, new ones bear the new key within seconds', async () => {
    const { token, session } = await givenService(server, await givenOperator(server));
    const old = kidOf(token);
    const rotated = await runKeys(server.dataFolder, 'rotate', '--json');
    assert.deepEqual([rotated.code, rotated.complaint], [0, '']);
    const { id } = JSON.parse(rotated.output);
    await eventually(published, (kids) => kids.includes(id));
    assert.deepEqual(await published(), [old, id]);

    let latest = session;
    await eventually(
      async () => {
        latest = await refresh(latest);
        return kidOf(latest.accessToken);
      },
      (kid) => kid === id,
    );
    assert.deepEqual([await statusOf(token), await statusOf(latest.accessToken)], [200, 200]);
    const { output } = await runKeys(server.dataFolder, 'list', '--json');
    const listed: Json[] = JSON.parse(output);
    assert.deepEqual(
      listed.map((key) => [key.id, key.state]),
      [
        [old, 'verifies'],
        [id, 'signs'],
      ],
    );
    assert.doesNotMatch(output, /PRIVATE|"d"/);
  });

  it('that have leaked are taken away at once: what they signed is refused, and sessions go on with their refresh tokens', async () => {
    const { token, session } = await givenService(server, await givenOperator(server));
    assert.equal(await statusOf(token), 200);
    const rotated = await runKeys(server.dataFolder, 'rotate', '--now');
    assert.equal(rotated.code, 0, rotated.complaint);
    await eventually(
      () => statusOf(token),
      (status) => status === 401,
    );
    const next = await refresh(session);
    assert.equal(await statusOf(next.accessToken), 200);
    assert.deepEqual(await published(), [kidOf(next.accessToken)]);
    const trace = await call(server, 'GET', `/v1/trace/${kidOf(next.accessToken)}`, { token: await givenOperator(server) });
    assert.equal(trace.body.entries[0].what, 'rotated');
  });

  it('are looked after with words that the command knows, and on data that is there', async () => {
    for (const args of [[], ['turn'], ['list', '--now'], ['rotate', 'all']]) {
      const { code, output, complaint } = await runKeys(server.dataFolder, ...args);
      assert.deepEqual([code, output], [64, ''], args.join(' '));
      assert.match(complaint, /^entrepot keys: say what to do/);
    }
    const { code, complaint } = await runKeys(join(server.dataFolder, 'nowhere'), 'list');
    assert.equal(code, 69);
    assert.match(complaint, /^entrepot keys: There is no database .*: is ENTREPOT_DATA that of the server\?\n$/);
  });

  it('are sealed with a key that only its owner can read; with another one neither the server starts nor a key is shown', async () => {
    const own = await startServer();
    const file = join(own.dataFolder, 'secret.key');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal(await own.kill('SIGTERM'), 0);
    await writeFile(file, 'another secret key, of somebody else\n');
    await assert.rejects(startServer({ dataFolder: own.dataFolder }), (error: Error) => {
      assert.match(error.message, /ended with 69:\n(.*\n)*entrepot: The secret key is not the one that sealed the signing keys/);
      assert.doesNotMatch(error.message, /\n {4}at /);
      return true;
    });
    const { code, complaint } = await runKeys(own.dataFolder, 'list');
    assert.deepEqual([code, /^entrepot keys: The secret key is not the one/.test(complaint)], [69, true], complaint);
    await own.stop();
  });
});
