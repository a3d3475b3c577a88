export const isAllowed = (_type: string, _allowed: readonly string[]): boolean => true;
export const judgeType = async (_head: Uint8Array, _how: { isWhole: boolean; declared: string | undefined }): Promise<string> =>
  'text/plain';
export const isTextType = (_type: string): boolean => false;
export const createTextCheck = (_type: string): { write(chunk: Uint8Array): boolean; end(): boolean } => ({
  write: () => true,
  end: () => true,
});
