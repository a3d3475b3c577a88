import { DatabaseSync } from 'node:sqlite';
import { encodeCursor } from '../src/foundation/page.ts';
import { call, type Json } from '../tests/support/given.ts';
import { givenPerson } from '../tests/support/given-people.ts';
import type { Claim, Measurement } from './claim.ts';
import { type Latency, latencyOf } from './parts/figures.ts';
import { rare, seedFiles } from './parts/seed-files.ts';
import { makeDataFolder, startThisServer } from './parts/this-server.ts';

const amount = Number(process.env.BENCH_FILES ?? 1_000_000);
const rounds = 30;
const warmUps = 3;
const mostP99Ms = 50;
const pageLimit = 50;

/** What is asked for by whom. `where` is about the same in SQL: it tells where page 1000 begins. */
interface Question {
  readonly what: string;
  readonly query: string;
  readonly by: 'admin' | 'few' | 'many';
  readonly where: string;
}

const stored = `"state" = 'stored'`;
const open = `("visibility" = 'public' or ("visibility" = 'tenant' and "rolesJson" <> '["Mentor/Coach"]'))`;
const questions: readonly Question[] = [
  { what: 'all files', query: '', by: 'admin', where: stored },
  { what: 'a usual category', query: 'category=category 3', by: 'admin', where: `"category" = 'category 3'` },
  { what: 'a rare category', query: `category=${rare.category}`, by: 'admin', where: `"category" = '${rare.category}'` },
  { what: '20 of a million', query: `category=${rare.unique}`, by: 'admin', where: `"category" = '${rare.unique}'` },
  { what: 'a rare provider', query: `provider=${rare.provider}`, by: 'admin', where: `"provider" = '${rare.provider}'` },
  {
    what: 'a language and a role',
    query: 'language=l4&role=Teacher',
    by: 'admin',
    where: `"language" = 'l4' and "rolesJson" like '%Teacher%'`,
  },
  {
    what: 'four filters at once',
    query: 'category=category 3&provider=provider 5&type=image/*&visibility=private',
    by: 'admin',
    where: `"category" = 'category 3' and "provider" = 'provider 5' and "type" = 'image/jpeg' and "visibility" = 'private'`,
  },
  {
    what: 'usual ones that never meet',
    query: `category=${rare.category}&provider=${rare.provider}&type=image/jpeg`,
    by: 'admin',
    where: `"category" = '${rare.category}' and "provider" = '${rare.provider}'`,
  },
  { what: 'state trashed', query: 'state=trashed', by: 'admin', where: `"state" = 'trashed'` },
  { what: 'open and own files', query: '', by: 'few', where: `${stored} and ${open}` },
  { what: 'own files, a hundred', query: 'owner=me', by: 'few', where: `"ownerId" = :me` },
  { what: 'own files, 40,000', query: 'owner=me', by: 'many', where: `"ownerId" = :me` },
  { what: 'own private files, a hundred', query: 'visibility=private', by: 'few', where: `"ownerId" = :me and "visibility" = 'private'` },
  { what: 'a word of two in seven', query: 'q=harbour', by: 'admin', where: `"title" is not null` },
  {
    what: 'a word and a filter',
    query: 'q=harbour&category=category 3',
    by: 'few',
    where: `"title" is not null and "category" = 'category 3' and ${open}`,
  },
  { what: 'three words', query: 'q=night harbour jpg', by: 'admin', where: `"title" is not null and "name" like '%jpg'` },
  { what: 'a number', query: 'q=IMG_1234', by: 'admin', where: `"name" like 'IMG_1234%'` },
  { what: 'one letter', query: 'q=v', by: 'admin', where: `"name" like 'Video%'` },
  {
    what: 'all of them at one end of the names',
    query: 'q=video&category=category 3&visibility=private',
    by: 'admin',
    where: `"name" like 'Video%' and "category" = 'category 3' and "visibility" = 'private'`,
  },
  {
    what: 'a word and a type that never meet',
    query: 'q=pdf&type=image/jpeg',
    by: 'admin',
    where: `"type" = 'image/jpeg' and "name" like '%pdf'`,
  },
];
const sorts = ['-createdAt', 'createdAt', 'name', '-name', 'size', '-size'];

const keyOf = (sort: string) => (sort.endsWith('name') ? '"nameKey"' : sort.endsWith('size') ? '"size"' : '"position"');

/** Where page 1000 of the list begins, or its last page where it has fewer. */
const farPlace = (database: DatabaseSync, { where }: Question, sort: string, me: string): string | undefined => {
  const total = Number(database.prepare(`SELECT count(*) AS "n" FROM "files" WHERE ${where}`).get(where.includes(':me') ? { me } : {})?.n);
  const offset = Math.min(999 * pageLimit, total - pageLimit) - 1;
  if (offset < 0) return undefined;
  const direction = sort.startsWith('-') ? 'DESC' : 'ASC';
  const row = database
    .prepare(
      `SELECT "position", ${keyOf(sort)} AS "key" FROM "files" WHERE ${where} ORDER BY ${keyOf(sort)} ${direction}, "position" ${direction} LIMIT 1 OFFSET ${offset}`,
    )
    .get(where.includes(':me') ? { me } : {});
  if (row === undefined) return undefined;
  return encodeCursor(sort.endsWith('createdAt') ? [sort, Number(row.position)] : [sort, row.key as string | number, Number(row.position)]); // columns of the schema
};

/** A page of a million files, however it is asked for. */
export const listFiles: Claim = {
  name: 'list-files',
  title: `A page of ${pageLimit} of ${amount.toLocaleString('en')} files by every filter and sort, the first and the 1000th, against one file by its id`,
  reach: `p99 of each < ${mostP99Ms} ms, the 1000th page as fast as the first`,
  async measure(say) {
    const dataFolder = makeDataFolder();
    const first = await startThisServer({ dataFolder });
    const operator = await call(first, 'GET', '/v1/me', { token: first.operatorToken });
    const few = await givenPerson(first, first.operatorToken);
    const many = await givenPerson(first, first.operatorToken, { roles: ['Teacher'] });
    await first.stop({ keepsData: true });
    const file = `${dataFolder}/entrepot.db`;
    seedFiles(file, { tenantId: operator.body.tenantId, amount, few: few.id, many: many.id });
    say('seeded');

    const server = await startThisServer({ dataFolder });
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      const tokens = { admin: server.operatorToken, few: few.token, many: many.token };
      const ask = async (path: string, by: Question['by']): Promise<Latency> => {
        const times: number[] = [];
        for (let round = -warmUps; round < rounds; round += 1) {
          const beganAt = performance.now();
          const answer = await call(server, 'GET', path, { token: tokens[by] });
          if (round >= 0) times.push(performance.now() - beganAt);
          if (answer.status !== 200) throw new Error(`${path}: ${answer.text}`);
        }
        return latencyOf(times);
      };
      const { body } = await call(server, 'GET', '/v1/files?limit=1', { token: tokens.admin });
      const oneFile = await ask(`/v1/files/${body.items.map(({ id }: Json) => id)[0]}`, 'admin');
      const measurements: Measurement[] = [{ what: 'one file by its id', latency: oneFile }];
      const all: Latency[] = [];
      const firsts: number[] = [];
      const fars: number[] = [];
      for (const question of questions) {
        const ofQuestion: string[] = [];
        const lists: Latency[] = [];
        for (const sort of sorts) {
          const search = new URLSearchParams(`${question.query}&sort=${sort}`);
          const near = await ask(`/v1/files?${search}`, question.by);
          const cursor = farPlace(database, question, sort, question.by === 'few' ? few.id : many.id);
          const far = cursor === undefined ? undefined : await ask(`/v1/files?${search}&cursor=${cursor}`, question.by);
          lists.push(near);
          firsts.push(near.p50);
          if (far !== undefined) {
            lists.push(far);
            fars.push(far.p50);
          }
          ofQuestion.push(`${sort} ${near.p50.toFixed(1)}/${near.p99.toFixed(1)}, far ${far?.p50.toFixed(1)}/${far?.p99.toFixed(1)}`);
        }
        all.push(...lists);
        const greatest = (name: keyof Latency) => Math.max(...lists.map((latency) => latency[name]));
        measurements.push({ what: question.what, latency: { p50: greatest('p50'), p99: greatest('p99'), max: greatest('max') } });
        say(`${question.what}: ${ofQuestion.join('; ')}`);
      }
      const stats = await ask('/v1/files/stats', 'admin');
      measurements.push({ what: 'statistics of all of them', latency: stats });
      say(`statistics: p50 ${stats.p50.toFixed(1)} ms, p99 ${stats.p99.toFixed(1)} ms`);
      const worst = Math.max(...all.map(({ p99 }) => p99));
      const mean = (times: readonly number[]) => times.reduce((sum, time) => sum + time, 0) / times.length;
      const flatness = mean(fars) / mean(firsts);
      const typical = latencyOf(all.map(({ p50 }) => p50)).p50;
      return {
        measurements,
        result: `greatest p99 ${worst.toFixed(0)} ms; the 1000th page takes ${flatness.toFixed(2)} times as long as the first; typically ${(typical / oneFile.p50).toFixed(1)} times one file by its id`,
        isReached: worst < mostP99Ms && flatness < 1.5,
        notes: [
          `${rounds} times each, one after another, over HTTP. The files have rows alone, no bytes. Of each question the slowest sort and page stands in the table.`,
          'Not among them: more than a thousand that match and lie at the far end of an order, while what is asked for is to be found everywhere in it, but never in one file. Then all signs of that order are read.',
        ],
      };
    } finally {
      database.close();
      await server.stop();
    }
  },
};
