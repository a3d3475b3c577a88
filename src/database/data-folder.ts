import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A second server on the same data would break what only one may do: pacing, fan-out, the one writer. */
export class DataFolderInUse extends Error {
  constructor(folder: string, holder: string) {
    super(
      `The data folder ${folder} is in use by another server${holder}. Stop that one first, or start this one with another ENTREPOT_DATA.`,
    );
    this.name = 'DataFolderInUse';
  }
}

/**
 * Claims the folder for this process until it ends; makes it where it is missing. The lock is one of the operating system (on an SQLite
 * file), so it goes with the process however that ends: a stale one cannot be left behind. The process id beside it is only for the message.
 * Throws `DataFolderInUse`.
 */
export const claimDataFolder = (folder: string): { release(): void } => {
  mkdirSync(folder, { recursive: true });
  const pidFile = join(folder, 'server.pid');
  const lock = new DatabaseSync(join(folder, 'server.lock'), { timeout: 0 });
  try {
    lock.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (error instanceof Error && 'errcode' in error && Number(error.errcode) === sqliteBusy)
      throw new DataFolderInUse(folder, holderIn(pidFile));
    throw error;
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return {
    release() {
      lock.close();
    },
  };
};

const sqliteBusy = 5;

const holderIn = (pidFile: string): string => {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    return Number.isInteger(pid) ? ` (process ${pid})` : '';
  } catch {
    return '';
  }
};
