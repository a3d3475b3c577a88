export interface Permits {
  /** True when one was free and is taken. Where it is not, `take` waits for one. */
  takeFree(): boolean;
  /** Resolves with true when its turn has come; with false, and then nothing is to be given back, once they are closed. */
  take(): Promise<boolean>;
  give(): void;
  /** Nobody is let in any more; who waits is sent away. */
  close(): void;
}

/** Lets so many in at once, the others in the order in which they came. */
export const createPermits = (count: number): Permits => {
  let free = count;
  let isClosed = false;
  let waiting: ((isIn: boolean) => void)[] = [];
  return {
    takeFree() {
      if (isClosed || free === 0) return false;
      free -= 1;
      return true;
    },
    async take() {
      if (isClosed) return false;
      if (free === 0) return await new Promise<boolean>((resolve) => waiting.push(resolve));
      free -= 1;
      return true;
    },
    give() {
      const next = waiting.shift();
      if (next) next(true);
      else free += 1;
    },
    close() {
      isClosed = true;
      for (const resolve of waiting) resolve(false);
      waiting = [];
    },
  };
};
