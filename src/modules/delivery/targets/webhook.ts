import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { toRfc3339 } from '../../../foundation/clock.ts';
import { Type } from '../../../foundation/schema.ts';
import { newSecretText } from '../../../foundation/secret.ts';
import { judgeWebhook } from './judge.ts';
import { parseTargetUrl } from './outbound-http.ts';
import { type ConfigChange, hiddenValue, type Sending, type TargetKind } from './target.ts';
import { badConfig, parseConfig, readStored } from './target-config.ts';
import { traceHeaders } from './target-headers.ts';

/** After a change both secrets sign, so that the receiver can change over in its own time. */
const overlapMs = 24 * 3_600_000;
const prefix = 'whsec_';
const minKeyBytes = 24;
const maxKeyBytes = 64;

const url = Type.String({ minLength: 1, maxLength: 2048, description: 'Where the webhook takes POST requests.' });

const WebhookConfigIn = Type.Object(
  {
    url,
    secret: Type.Optional(
      Type.String({
        maxLength: 128,
        description: '`whsec_` and the base64 of 24 to 64 bytes. Made when not given, and shown once; never shown again.',
      }),
    ),
  },
  { additionalProperties: false },
);
const WebhookConfig = Type.Object(
  { url, secret: Type.String(), formerSecret: Type.Optional(Type.String()), formerUntil: Type.Optional(Type.Number()) },
  { additionalProperties: false },
);

const newWebhookSecret = (): string => prefix + Buffer.from(newSecretText(), 'base64url').toString('base64');

/** The key in a secret's text; undefined when it is not `whsec_` and the base64 of 24 to 64 bytes. */
const keyBytesOf = (secret: string): Buffer | undefined => {
  if (!secret.startsWith(prefix)) return undefined;
  const text = secret.slice(prefix.length);
  const bytes = Buffer.from(text, 'base64');
  const isBase64 = bytes.toString('base64') === text || bytes.toString('base64').replace(/=+$/, '') === text;
  return isBase64 && bytes.length >= minKeyBytes && bytes.length <= maxKeyBytes ? bytes : undefined;
};

const keyOf = (secret: string): KeyObject => {
  const bytes = keyBytesOf(secret);
  if (bytes === undefined) throw new Error('the stored secret of a webhook is damaged');
  return createSecretKey(bytes);
};

/** The secret that counts from now on: the one given, the one before where it was left hidden, else a new one. */
const chooseSecret = (given: string | undefined, change: ConfigChange | undefined): string => {
  if (given === undefined) return newWebhookSecret();
  const secret = given === hiddenValue && change !== undefined ? readStored(WebhookConfig, change.before).secret : given;
  if (keyBytesOf(secret) !== undefined) return secret;
  throw badConfig([{ in: 'body', at: '/config/secret', why: 'must be whsec_ and the base64 of 24 to 64 bytes' }]);
};

/** What signs beside the new secret for a while. */
const formerOf = (secret: string, change: ConfigChange | undefined) => {
  if (change === undefined) return {};
  const before = readStored(WebhookConfig, change.before);
  if (before.secret !== secret) return { formerSecret: before.secret, formerUntil: change.at + overlapMs };
  const { formerSecret, formerUntil = 0 } = before;
  return formerSecret !== undefined && formerUntil > change.at ? { formerSecret, formerUntil } : {};
};

/** Delivers each event as a signed webhook (Standard Webhooks 1.0). */
export const webhookKind: TargetKind = {
  kind: 'webhook',
  configSchema: WebhookConfigIn,
  complete(config, change) {
    const given = parseConfig(WebhookConfigIn, config);
    const href = parseTargetUrl(given.url).href;
    const secret = chooseSecret(given.secret, change);
    const completed = { url: href, secret, ...formerOf(secret, change) };
    return given.secret === undefined ? { config: completed, shownOnce: { secret } } : { config: completed };
  },
  show(config) {
    return { url: readStored(WebhookConfig, config).url, secret: hiddenValue };
  },
  open(config, outbound) {
    const { url: address, secret, formerSecret, formerUntil = 0 } = readStored(WebhookConfig, config);
    const target = parseTargetUrl(address);
    const key = keyOf(secret);
    const formerKey = formerSecret === undefined ? undefined : keyOf(formerSecret);

    return {
      async send(sending: Sending, signal) {
        const timestamp = Math.floor(sending.attemptAt / 1000);
        const body = Buffer.from(
          `{"type":${JSON.stringify(sending.type)},"timestamp":"${toRfc3339(sending.occurredAt)}","data":${sending.content}}`,
        );
        const sign = (by: KeyObject) =>
          `v1,${createHmac('sha256', by).update(`${sending.deliveryId}.${timestamp}.`).update(body).digest('base64')}`;
        const signature = formerKey !== undefined && sending.attemptAt < formerUntil ? `${sign(key)} ${sign(formerKey)}` : sign(key);
        const reply = await outbound.request({
          url: target,
          headers: {
            'user-agent': 'entrepot',
            'content-type': 'application/json',
            'webhook-id': sending.deliveryId,
            'webhook-timestamp': String(timestamp),
            'webhook-signature': signature,
            ...traceHeaders(sending),
          },
          body,
          timeoutMs: sending.timeoutMs,
          signal,
          onSent: () => sending.onSent(),
        });
        return judgeWebhook(reply, sending.attemptAt);
      },
      async close() {},
    };
  },
};
