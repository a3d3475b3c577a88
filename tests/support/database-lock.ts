import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const program = `
  const { DatabaseSync } = require('node:sqlite');
  const database = new DatabaseSync(process.argv[1], { timeout: 10000 });
  database.exec('BEGIN EXCLUSIVE');
  process.stdout.write('locked');
  process.stdin.once('data', () => { database.exec('COMMIT'); process.exit(0); }).once('end', () => process.exit(0));
`;

/** Another process that holds the database for itself until it is told to let go. Resolves when it does hold it. */
export const lockDatabase = async (dataFolder: string): Promise<{ release(): Promise<void> }> => {
  const child = spawn(process.execPath, ['-e', program, join(dataFolder, 'entrepot.db')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await Promise.race([
    once(child.stdout, 'data'),
    ended.then(() => {
      throw new Error('the database could not be locked');
    }),
  ]);
  return {
    async release() {
      child.stdin.end('now');
      await ended;
    },
  };
};
