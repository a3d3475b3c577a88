import { call } from '../../tests/support/given.ts';
import { givenFile } from '../../tests/support/given-files.ts';
import type { ThisServer } from './this-server.ts';

/** The path of a signed link, with its query. */
export const givenLink = async (server: Pick<ThisServer, 'url' | 'operatorToken'>, fileId: string): Promise<string> => {
  const { body } = await call(server, 'POST', `/v1/files/${fileId}/links`, { token: server.operatorToken, body: { expiresIn: 86_400 } });
  const { pathname, search } = new URL(body.url);
  return pathname + search;
};

/** So many files of that text; the paths of signed links to them. */
export const givenLinks = async (
  server: Pick<ThisServer, 'url' | 'operatorToken'>,
  text: string,
  amount: number,
): Promise<readonly string[]> => {
  const paths: string[] = [];
  for (let index = 0; index < amount; index += 1) {
    const { id } = await givenFile(server, server.operatorToken, text, { name: `note-${index}.txt` });
    paths.push(await givenLink(server, id));
  }
  return paths;
};
