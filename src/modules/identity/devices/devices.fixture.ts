import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { PersonRow } from '../../../database/tables.ts';
import { createPersonStore } from '../accounts/person-store.ts';
import { type CallOptions, givenServer, operatorPassword } from '../identity.fixture.ts';
import type { IdentitySettings } from '../identity.ts';

/** A server with people who pair their devices. */
export const givenDevices = async (context: TestContext, settings: Partial<IdentitySettings> = {}) => {
  const server = await givenServer(context, settings);
  const { database, ids, clock, call, signIn } = server;
  const people = createPersonStore(database);

  const tokenOf = async (username: string): Promise<string> => {
    const { status, body } = await signIn({ method: 'password', username, password: operatorPassword });
    assert.equal(status, 201);
    return body.accessToken;
  };

  /** A member, with the operator's password, signed in. */
  const givenPerson = async (username: string, over: Partial<PersonRow> = {}) => {
    const operator = await people.findPersonByUsername('ada');
    assert.ok(operator);
    const id = ids.next('person');
    const row: PersonRow = { ...operator, id, username, usernameKey: username, role: 'member', createdAt: clock.now(), ...over };
    await database.write([people.insertPerson(row)]);
    return { id, username, token: await tokenOf(username) };
  };

  /** Changes rows behind the server's back, as another act or process does. */
  const change = async (table: 'people' | 'tenants', id: string, values: object) => {
    await database.write([database.build.updateTable(table).set(values).where('id', '=', id).compile()]);
  };

  const pair = async (token: string, deviceId: string, name?: string): Promise<{ pin: string; expiresAt: string }> => {
    const body = { deviceId, ...(name === undefined ? {} : { name }) };
    const made = await call('POST', '/v1/devices/pairings', { token, body });
    assert.equal(made.status, 201, made.text);
    return made.body;
  };

  const trade = (deviceId: string, pin: string, options: CallOptions = {}) => signIn({ method: 'pin', deviceId, pin }, options);

  /** A paired device and its open session. */
  const givenDevice = async (token: string, deviceId: string) => {
    const { pin } = await pair(token, deviceId);
    const { status, body } = await trade(deviceId, pin);
    assert.equal(status, 201);
    const me = await call('GET', '/v1/me', { token: body.accessToken });
    return { id: String(me.body.id), session: body, token: String(body.accessToken) };
  };

  /** Whether the token is let in; asked of a route that does not look at the caller's own row. */
  const isIn = async (token: string): Promise<boolean> => (await call('GET', '/v1/sessions', { token })).status === 200;

  return { ...server, tokenOf, givenPerson, change, pair, trade, givenDevice, isIn };
};

/** Some PIN that is not this one. */
export const wrongFor = (pin: string, step = 1): string => String((Number(pin) + step) % 10_000).padStart(4, '0');
