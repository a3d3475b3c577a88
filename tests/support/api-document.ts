import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose } from '../../src/compose.ts';
import { readSettings } from '../../src/config/read-config.ts';
import { Secret } from '../../src/foundation/secret.ts';
import { createLog } from '../../src/telemetry/pino-log.ts';
import type { Json } from './given.ts';

/** A method and a path of the server, as Fastify knows it: `GET /v1/targets/:id`. */
export interface ServedRoute {
  readonly method: string;
  readonly url: string;
}

/** One level of Fastify's tree of routes is four characters wide; a route names its methods in brackets. */
const linePattern = /^(?<indent>[│├└─ ]*)(?<part>[^│├└─ ].*?) \((?<methods>[A-Z, -]+)\)(?: .*)?$/;

/** The routes in what `printRoutes({ commonPrefix: false })` gives. */
const routesIn = (tree: string): ServedRoute[] => {
  const parts: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const { indent, part, methods } = linePattern.exec(line)?.groups ?? {};
    if (indent === undefined || part === undefined || methods === undefined) return [];
    const depth = indent.length / 4 - 1;
    parts.length = depth;
    parts[depth] = part;
    return methods.split(', ').map((method) => ({ method, url: parts.join('') }));
  });
};

/** Puts the whole server together without listening: its API document, and the routes that it really has. */
export const readApi = async (): Promise<{ document: Json; routes: readonly ServedRoute[] }> => {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-api-'));
  try {
    const read = readSettings({ ENTREPOT_DATA: folder, ENTREPOT_LOG_LEVEL: 'silent' });
    if ('complaints' in read) throw new Error(read.complaints.join('\n'));
    const log = createLog({ level: 'silent', pretty: false, replica: 'test' });
    const system = await compose(read.settings, { log, version: '0.0.0', secretKey: new Secret('a key that guards nothing') });
    try {
      await system.app.ready();
      const { body } = await system.app.inject('/openapi.json');
      return { document: JSON.parse(body), routes: routesIn(system.app.printRoutes({ commonPrefix: false })) };
    } finally {
      await system.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
