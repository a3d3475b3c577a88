import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { Browser } from 'playwright-core';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/**
 * The browser of this machine. Without one the test is skipped, loudly; where every engine must be there (`REQUIRE_ENGINES`) it fails.
 * Closed at the end of the test.
 */
export const openBrowser = async (context: TestContext): Promise<Browser | undefined> => {
  const executablePath = places.find((place) => existsSync(place));
  if (executablePath === undefined) {
    const advice = 'There is no Chromium on this machine: apt-get install chromium';
    if (process.env.REQUIRE_ENGINES !== undefined) throw new Error(advice);
    context.skip(advice);
    return undefined;
  }
  const { chromium } = await import('playwright-core');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  context.after(() => browser.close());
  return browser;
};

/** A web site elsewhere: pages and scripts by their path. Closed at the end of the test. */
export const startSite = async (
  context: TestContext,
  files: Readonly<Record<string, { type: string; body: string | Buffer }>>,
): Promise<string> => {
  const server = createServer((request, response) => {
    const file = files[new URL(request.url ?? '/', 'http://site').pathname];
    if (file === undefined) return response.writeHead(404).end();
    return response.writeHead(200, { 'content-type': file.type }).end(file.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return `http://127.0.0.1:${port}`;
};
