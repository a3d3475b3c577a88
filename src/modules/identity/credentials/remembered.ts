/** What is worth remembering for a while: at most `max` things, those that are asked for longest. */
export interface Remembered<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
}

/** A young and an old half; what is asked for moves to the young one, a full young one becomes the old. */
export const createRemembered = <Value>(max: number): Remembered<Value> => {
  let young = new Map<string, Value>();
  let old = new Map<string, Value>();
  const set = (key: string, value: Value) => {
    young.set(key, value);
    if (young.size < max / 2) return;
    old = young;
    young = new Map();
  };
  return {
    set,
    get(key) {
      const value = young.get(key);
      if (value !== undefined) return value;
      const aged = old.get(key);
      if (aged !== undefined) set(key, aged);
      return aged;
    },
  };
};
