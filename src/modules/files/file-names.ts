export const cleanName = (raw: string, _at: { in: string; at: string }): string => raw;
export const nameKey = (name: string): string => name.normalize('NFC');
