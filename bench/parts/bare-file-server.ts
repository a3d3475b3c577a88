import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { serveProgram } from './program.ts';

// What a server costs that takes files and does nothing else: node:http, the body streamed through SHA-256 into a file, fsync, 201. No token,
// no type, no row, no name. GET streams the file back.

const folder = mkdtempSync(join(tmpdir(), 'entrepot-bare-files-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

const take = async (request: IncomingMessage, response: ServerResponse) => {
  const id = randomUUID();
  const path = join(folder, id);
  const hash = createHash('sha256');
  const hashed = new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(request, hashed, createWriteStream(path));
  const file = await open(path, 'r+');
  await file.sync();
  await file.close();
  const body = JSON.stringify({ id, sha256: hash.digest('hex') });
  response.writeHead(201, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
};

const give = async (id: string, response: ServerResponse) => {
  const path = join(folder, id);
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': statSync(path).size });
  await pipeline(createReadStream(path), response);
};

const drop = (id: string, response: ServerResponse) => {
  rmSync(join(folder, id), { force: true });
  response.writeHead(204).end();
};

const server = createServer((request, response) => {
  const id = (request.url ?? '').slice(1);
  const act = request.method === 'POST' ? take(request, response) : request.method === 'DELETE' ? drop(id, response) : give(id, response);
  Promise.resolve(act).catch(() => response.destroy());
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo; // it listens on TCP
  serveProgram({ url: `http://127.0.0.1:${port}` }, async () => ({}));
});
