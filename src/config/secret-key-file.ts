import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { newSecretText, Secret } from '../foundation/secret.ts';

/**
 * The key in the data folder, made at the first start; only its owner can read the file. Whoever has a backup of the database without
 * this file cannot open what is sealed in it.
 */
export const readSecretKey = (dataFolder: string): Secret => {
  const file = join(dataFolder, 'secret.key');
  if (!existsSync(file)) writeNew(dataFolder, file);
  return new Secret(readFileSync(file, 'utf8').trim());
};

const writeNew = (folder: string, file: string) => {
  mkdirSync(folder, { recursive: true });
  const handle = openSync(file, 'wx', 0o600);
  writeSync(handle, `${newSecretText()}\n`);
  fsyncSync(handle);
  closeSync(handle);
  // The name must be durable, too: what is sealed with a lost key is lost.
  const parent = openSync(folder, 'r');
  fsyncSync(parent);
  closeSync(parent);
};
