import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { TenantRow } from '../../../database/tables.ts';
import type { Log } from '../../../foundation/log.ts';
import type { Worker } from '../../../foundation/work.ts';
import { createLogMailer } from '../../../mail/log-mailer.ts';
import type { Mailer } from '../../../mail/mailer.ts';
import { givenServer } from '../identity.fixture.ts';
import type { IdentitySettings } from '../identity.ts';

export const password = 'correct horse battery staple';

/** Asks again until there is an answer; fails when none comes within 20 s. */
export const soon = async <T>(ask: () => Promise<T | undefined> | T | undefined): Promise<T> => {
  for (let tries = 0; tries < 800; tries += 1) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return assert.fail('it did not come about');
};

/** A log that keeps its lines, for what must not stand in them. */
export const createKeptLog = (): Log & { lines: string[] } => {
  const lines: string[] = [];
  const keep = (fields: object, message: string) => {
    const told = Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? `${value.stack}` : value]);
    lines.push(JSON.stringify({ message, ...Object.fromEntries(told) }));
  };
  return { lines, debug: keep, info: keep, warn: keep, error: keep, fatal: keep };
};

export interface PeopleOptions extends Partial<IdentitySettings> {
  readonly mailer?: Mailer;
  readonly log?: Log;
}

/** The server of identity with its workers, the mails that it sends, and ways to have people. */
export const givenPeople = async (context: TestContext, { mailer, log, ...settings }: PeopleOptions = {}) => {
  const workers: Worker[] = [];
  context.after(() => Promise.all(workers.map((worker) => worker.stop()))); // before what they work on is closed
  const mails: string[] = [];
  const printing = createLogMailer({ from: 'entrepot@localhost', print: (text) => mails.push(text) });
  const server = await givenServer(context, settings, { mailer: mailer ?? printing, ...(log === undefined ? {} : { log }) });
  workers.push(...server.identity.startWorkers());
  const { call, signIn, database, identity } = server;

  const signUp = (body: object, options: { from?: string; headers?: Record<string, string> } = {}) =>
    call('POST', '/v1/people', { ...options, body: { password, ...body } });

  /** Somebody who has signed up and in. */
  const givenPerson = async (username: string, more: object = {}) => {
    const made = await signUp({ username, ...more });
    assert.equal(made.status, 201, made.text);
    const session = await signIn({ method: 'password', username, password });
    assert.equal(session.status, 201, session.text);
    return { id: made.body.id as string, token: session.body.accessToken as string, refreshToken: session.body.refreshToken as string };
  };

  return {
    ...server,
    mails,
    signUp,
    givenPerson,
    stopWorkers: () => Promise.all(workers.splice(0).map((worker) => worker.stop())),
    startWorkers: () => workers.push(...identity.startWorkers()),

    /** As a route for tenants would change it. */
    async changeTenant(changes: Partial<TenantRow>) {
      const change = database.build
        .updateTable('tenants')
        .set(changes)
        .where('id', '=', await identity.defaultTenantId())
        .compile();
      await database.write([change]);
    },

    /** The token in the newest mail to `to`, once there are `amount` of them. */
    async mailedToken(to: string, amount = 1): Promise<string> {
      const mail = await soon(() => {
        const found = mails.filter((one) => one.includes(`│ To: ${to}\n`));
        return found.length >= amount ? found.at(-1) : undefined;
      });
      return /"token":"([\w-]+)"/.exec(mail)?.[1] ?? assert.fail(mail);
    },

    /** What is told of a caller, oldest first. */
    traceOf: (subject: string) =>
      database.read.selectFrom('traceEntries').selectAll().where('subject', '=', subject).orderBy('seq').execute(),
  };
};
