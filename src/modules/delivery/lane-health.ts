/** After so many failures in a row a target counts as away. */
const failuresUntilProbing = 10;
const firstProbeMs = 1_000;
const longestProbeMs = 30_000;

/**
 * Whether a target is well. While it is away only single deliveries probe it, after 1 s, doubling to 30 s, so that a backlog does not
 * spend its attempts on a target that is not there.
 */
export const createLaneHealth = () => {
  let failures = 0;
  let probeAt = 0;
  let probeMs = firstProbeMs;
  return {
    get isProbing() {
      return failures >= failuresUntilProbing;
    },
    /** Before this time nothing is tried. */
    get probeAt() {
      return probeAt;
    },
    failed(now: number) {
      failures += 1;
      if (failures < failuresUntilProbing || now < probeAt) return;
      probeAt = now + probeMs;
      probeMs = Math.min(probeMs * 2, longestProbeMs);
    },
    succeeded() {
      failures = 0;
      probeAt = 0;
      probeMs = firstProbeMs;
    },
  };
};
