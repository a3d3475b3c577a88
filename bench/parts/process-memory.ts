import { readFileSync } from 'node:fs';

/** Resident memory of a process with all its threads, MiB (`VmRSS` of Linux's /proc). `NaN` where there is no /proc. */
export const rssMibOf = (pid: number): number => {
  try {
    const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kib) / 1024;
  } catch {
    return Number.NaN;
  }
};

/** Processor time that a process used so far, in milliseconds. */
export const processorMsOf = (pid: number): number => {
  try {
    // The name may hold spaces; behind its bracket stand the fields from the third on. Ticks are 10 ms on Linux.
    const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
    const fields = rest.split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return Number.NaN;
  }
};
