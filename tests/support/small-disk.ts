import { execFile } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A data folder that can be full, by one of the ways in which that happens. */
export interface SmallDisk {
  readonly dataFolder: string;
  /** Command and arguments that the server has to be started through. */
  readonly through: readonly string[];
  /** Nothing more can be written, or only so little that load uses it up at once. */
  fill(pid: number): Promise<void>;
  /** There is room again. */
  free(pid: number): Promise<void>;
  remove(): Promise<void>;
}

const chunk = Buffer.alloc(64 * 1024, 'x');
// Roomy, so that after the filler is gone everything that was sent has its place: rows, write-ahead log and all.
const diskBytes = 192 * 1024 * 1024;
const fileLimitBytes = 512 * 1024;

const fillWith = (file: string) => {
  const handle = openSync(file, 'a');
  try {
    for (;;) writeSync(handle, chunk);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    closeSync(handle);
  }
};

/** A file system of its own, in memory. Rejects where this user may not mount one. */
const createTmpfs = async (): Promise<SmallDisk> => {
  const dataFolder = await mkdtemp(join(tmpdir(), 'entrepot-full-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', dataFolder]);
  } catch (error) {
    await rm(dataFolder, { recursive: true });
    throw error;
  }
  const filler = join(dataFolder, 'filler');
  return {
    dataFolder,
    through: [],
    fill: async () => fillWith(filler),
    free: async () => rmSync(filler),
    async remove() {
      await run('umount', ['-l', dataFolder]);
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
};

/** A limit of the size of every file that the server writes; everybody may set one. */
const createQuota = async (): Promise<SmallDisk> => {
  const dataFolder = await mkdtemp(join(tmpdir(), 'entrepot-full-'));
  const limit = (pid: number, soft: string) => run('prlimit', ['--pid', String(pid), `--fsize=${soft}:`]);
  return {
    dataFolder,
    through: ['bash', '-c', 'trap "" XFSZ; exec "$0" "$@"'],
    fill: async (pid) => void (await limit(pid, String(fileLimitBytes))),
    free: async (pid) => void (await limit(pid, 'unlimited')),
    remove: () => rm(dataFolder, { recursive: true, force: true }),
  };
};

/** Every kind of small disk that can be had here, one at least. */
export const smallDisks: Readonly<Record<string, () => Promise<SmallDisk>>> = {
  'a quota of the file size': createQuota,
  ...(process.getuid?.() === 0 && (await canMount()) ? { 'a disk without room': createTmpfs } : {}),
};

async function canMount(): Promise<boolean> {
  try {
    await (await createTmpfs()).remove();
    return true;
  } catch {
    return false; // a container may lack the right even for root
  }
}
