import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Text or bytes in which no secret may stand. */
export interface Haystack {
  readonly name: string;
  readonly bytes: Buffer;
}

/** The middle of the base64 of any text that holds the secret: what stands before it shifts the letters in one of three ways. */
const base64MiddlesOf = (secret: string): string[] =>
  [0, 1, 2].map((shift) => {
    const coded = Buffer.from('x'.repeat(shift) + secret).toString('base64');
    return coded.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + Buffer.byteLength(secret)) * 8) / 6));
  });

/** How a secret could stand somewhere: as it is, in base64 (also as a part of more), in hexadecimal, percent-encoded, in JSON. */
export const formsOf = (secret: string): string[] => {
  const middles = base64MiddlesOf(secret);
  const urlSafe = middles.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  const hex = Buffer.from(secret).toString('hex');
  return [...new Set([secret, ...middles, ...urlSafe, hex, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])];
};

/** Every file of a folder, whatever it is. */
export const filesOf = (folder: string): Haystack[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => ({ name: join(entry.parentPath, entry.name), bytes: readFileSync(join(entry.parentPath, entry.name)) }));

/** Where which secret stands, in words. `secrets` are what to look for, by name. */
export const findSecrets = (secrets: ReadonlyMap<string, string>, haystacks: readonly Haystack[]): string[] => {
  const needles = [...secrets].flatMap(([name, secret]) => formsOf(secret).map((form) => ({ name, form })));
  return haystacks.flatMap(({ name: place, bytes }) =>
    needles.filter(({ form }) => bytes.includes(form)).map(({ name, form }) => `${name} stands in ${place}, as ${form.slice(0, 12)}…`),
  );
};
