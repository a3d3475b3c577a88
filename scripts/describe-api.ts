import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose } from '../src/compose.ts';
import { readSettings } from '../src/config/read-config.ts';
import { silentLog } from '../src/foundation/log.ts';
import { Secret } from '../src/foundation/secret.ts';

/** The OpenAPI document as a server with no setting at all serves it. */
export const describeApi = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-docs-'));
  try {
    const read = readSettings({ ENTREPOT_DATA: folder });
    if ('complaints' in read) throw new Error(read.complaints.join('\n'));
    const system = await compose(read.settings, { log: silentLog, version: '0', secretKey: new Secret('only for the documentation') });
    const { body } = await system.app.inject('/openapi.json');
    await system.stop();
    return `${JSON.stringify(JSON.parse(body), undefined, 2)}\n`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
