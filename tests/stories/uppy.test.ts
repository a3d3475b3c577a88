import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { openBrowser, startSite } from '../support/browser.ts';
import { call, givenOperator } from '../support/given.ts';
import { startServer } from '../support/start-server.ts';

const bundle = readFileSync(createRequire(import.meta.url).resolve('uppy/dist/uppy.min.js'));
const bytes = 6 * 1024 * 1024;
const text = 'Every word of it comes from a browser.\n';

/** A page of another origin that uploads by Uppy, as its documentation shows; `window.result` tells how it ended. */
const page = `<!doctype html><meta charset="utf-8"><title>Upload</title><script src="/uppy.min.js"></script><script>
  window.run = async ({ server, token, pauses }) => {
    const { Uppy: Core, Tus } = window.Uppy;
    const uppy = new Core({ autoProceed: false });
    uppy.use(Tus, { endpoint: server + '/v1/files/resumable', headers: { authorization: 'Bearer ' + token }, chunkSize: 1024 * 1024, retryDelays: [100, 500, 1000] });
    const line = ${JSON.stringify(text)};
    const blob = new Blob([line.repeat(Math.ceil(${bytes} / line.length)).slice(0, ${bytes})], { type: 'text/plain' });
    uppy.addFile({ name: 'from the browser – größe.txt', type: 'text/plain', data: blob, meta: { title: 'Sent by Uppy', category: 'browser' } });
    const steps = [];
    uppy.on('upload-progress', (file, progress) => {
      steps.push(progress.bytesUploaded);
      if (pauses && steps.length === 2) { uppy.pauseAll(); setTimeout(() => uppy.resumeAll(), 300); }
    });
    const { successful, failed } = await uppy.upload();
    return { urls: successful.map((file) => file.uploadURL), failed: failed.map((file) => String(file.error)), steps };
  };
</script>`;

const whole = createHash('sha256')
  .update(text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes))
  .digest('hex');

test('Uppy in a real browser uploads a file from a page of another origin, pauses, goes on, and the file is there', async (context) => {
  const browser = await openBrowser(context);
  if (browser === undefined) return;
  const site = await startSite(context, {
    '/': { type: 'text/html', body: page },
    '/uppy.min.js': { type: 'text/javascript', body: bundle },
  });
  const server = await startServer({ env: { ENTREPOT_CORS_ORIGINS: site } });
  context.after(() => server.stop());
  const token = await givenOperator(server);

  for (const pauses of [false, true]) {
    const tab = await browser.newPage();
    await tab.goto(site);
    const result = await tab.evaluate(
      ([server, token, pauses]) =>
        (globalThis as unknown as { run(what: object): Promise<{ urls: string[]; failed: string[]; steps: number[] }> }).run({
          server,
          token,
          pauses,
        }),
      [server.url, token, pauses] as const,
    );
    await tab.close();
    assert.deepEqual(result.failed, []);
    const [url = ''] = result.urls;
    const id = url.split('/').at(-1) ?? '';
    const { status, body } = await call(server, 'GET', `/v1/files/${id}`, { token });
    assert.equal(status, 200);
    assert.equal(body.state, 'stored');
    assert.equal(body.sha256, whole);
    assert.equal(body.name, 'from the browser – größe.txt');
    assert.equal(body.title, 'Sent by Uppy');
    assert.equal(body.category, 'browser');
    assert.ok(result.steps.length > 2, 'the page saw no progress');
  }
});
