import type { Static } from 'typebox';
import type { Fault } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { judgeGraphql } from './judge-graphql.ts';
import { parseTargetUrl } from './outbound-http.ts';
import { type ConfigChange, hiddenValue, type Sending, type TargetKind } from './target.ts';
import { badConfig, parseConfig, readStored } from './target-config.ts';
import { headerFaults, traceHeaders } from './target-headers.ts';

const defaultMutation = 'mutation ProcessEvent($input: ProcessEventInput!) { processEvent(input: $input) { id } }';
const defaultVariable = 'input';

const members = {
  url: Type.String({ minLength: 1, maxLength: 2048, description: 'Where the GraphQL API takes POST requests.' }),
  mutation: Type.String({
    minLength: 1,
    maxLength: 16_384,
    description: 'The mutation, which takes the event as its variable.',
    default: defaultMutation,
  }),
  variable: Type.String({
    maxLength: 64,
    pattern: '^[_A-Za-z][_0-9A-Za-z]*$',
    description: 'The name of the variable that the event becomes.',
    default: defaultVariable,
  }),
  headers: Type.Record(Type.String(), Type.String(), {
    description: 'Further headers, e.g. `Authorization`. Their values are never shown again.',
  }),
};

const GraphqlConfigIn = Type.Object(
  {
    url: members.url,
    mutation: Type.Optional(members.mutation),
    variable: Type.Optional(members.variable),
    headers: Type.Optional(members.headers),
  },
  { additionalProperties: false },
);
const GraphqlConfig = Type.Object(members, { additionalProperties: false });

/** Header values that were hidden mean those of the config before. */
const withFormerValues = (headers: Readonly<Record<string, string>>, change: ConfigChange | undefined): Record<string, string> => {
  const former = new Map<string, string>();
  if (change !== undefined) {
    for (const [name, value] of Object.entries(readStored(GraphqlConfig, change.before).headers)) former.set(name.toLowerCase(), value);
  }
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value === hiddenValue ? (former.get(name.toLowerCase()) ?? value) : value]),
  );
};

const faultsOf = ({ mutation, variable, headers }: Static<typeof GraphqlConfig>): Fault[] => {
  const faults = headerFaults(headers);
  for (const [name, value] of Object.entries(headers)) {
    if (value === hiddenValue)
      faults.push({ in: 'body', at: `/config/headers/${name}`, why: 'is the mark of a hidden value; there is none before it' });
  }
  if (!new RegExp(`\\$${variable}\\b`).test(mutation)) {
    faults.push({ in: 'body', at: '/config/mutation', why: `must take the event as its variable $${variable}` });
  }
  return faults;
};

/** Delivers each event as the variable of one GraphQL mutation (GraphQL over HTTP). */
export const graphqlKind: TargetKind = {
  kind: 'graphql',
  configSchema: GraphqlConfigIn,
  complete(given, change) {
    const { url, mutation = defaultMutation, variable = defaultVariable, headers = {} } = parseConfig(GraphqlConfigIn, given);
    const config = { url: parseTargetUrl(url).href, mutation, variable, headers: withFormerValues(headers, change) };
    const faults = faultsOf(config);
    if (faults.length > 0) throw badConfig(faults);
    return { config };
  },
  show(config) {
    const { headers, ...shown } = readStored(GraphqlConfig, config);
    return { ...shown, headers: Object.fromEntries(Object.keys(headers).map((name) => [name, hiddenValue])) };
  },
  open(config, outbound) {
    const { url: address, mutation, variable, headers: configured } = readStored(GraphqlConfig, config);
    const url = parseTargetUrl(address);
    const headers: Record<string, string> = { 'user-agent': 'entrepot' };
    for (const [name, value] of Object.entries(configured)) headers[name.toLowerCase()] = value;
    headers['content-type'] = 'application/json';
    headers.accept = 'application/graphql-response+json, application/json;q=0.9';
    // The event's text is set in as it stands, so that its numbers and strings arrive exactly as they came.
    const opening = `{"query":${JSON.stringify(mutation)},"variables":{${JSON.stringify(variable)}:`;

    return {
      async send(sending: Sending, signal) {
        const reply = await outbound.request({
          url,
          headers: { ...headers, 'idempotency-key': sending.deliveryId, ...traceHeaders(sending) },
          body: `${opening}${sending.content}}}`,
          timeoutMs: sending.timeoutMs,
          signal,
          onSent: () => sending.onSent(),
        });
        return judgeGraphql(reply, sending.attemptAt);
      },
      async close() {},
    };
  },
};
