import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A part of a measurement in a process of its own, so that what it costs is not counted for what is measured. */
export interface Program<Ready> {
  readonly pid: number;
  /** What it told when it was ready. */
  readonly ready: Ready;
  /** Sends a message and resolves with the next one that comes back. Rejects when the process ends before. */
  ask<Answer>(message: object): Promise<Answer>;
  /** Ends the process; resolves when it is gone. */
  stop(): Promise<void>;
}

const nextMessage = <Message>(child: ChildProcess) =>
  new Promise<Message>((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`${child.spawnargs.at(-1)} ended with ${code}.`));
    child.once('exit', onExit);
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message as Message); // the two sides share the type
    });
  });

/** Starts a file of this folder; resolves with its first message. */
export const startProgram = async <Ready>(file: string, env: Readonly<Record<string, string>> = {}): Promise<Program<Ready>> => {
  const path = fileURLToPath(new URL(`./${file}`, import.meta.url));
  const child = fork(path, { env: { PATH: process.env.PATH, ...env } });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = await nextMessage<Ready>(child);
  return {
    pid: child.pid ?? 0,
    ready,
    ask(message) {
      const answer = nextMessage<never>(child);
      child.send(message);
      return answer;
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
};

/** The other side: says that it is ready, then answers each message. Ends with the process that started it. */
export const serveProgram = <Message, Answer>(ready: object, answer: (message: Message) => Promise<Answer>): void => {
  process.on('message', async (message) => {
    process.send?.(await answer(message as Message)); // the two sides share the type
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.(ready);
};
