import { acceptOne } from './accept-one.ts';
const f = await acceptOne.measure((line) => console.log(line));
console.log(JSON.stringify(f, null, 1));
