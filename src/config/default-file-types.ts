export const defaultFileTypes = ['image/*'];
