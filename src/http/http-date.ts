// Dates of HTTP headers (RFC 9110 §5.6.7). `Date.parse` takes far more than these, and in local time where no zone stands.

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const month = `(?<month>${months.join('|')})`;
const time = '(?<hour>[0-9]{2}):(?<minute>[0-9]{2}):(?<second>[0-9]{2})';

/** The form that is written, and the two that are obsolete but have to be understood. */
const forms = [
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>[0-9]{2}) ${month} (?<year>[0-9]{4}) ${time} GMT$`),
  new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>[0-9]{2})-${month}-(?<year>[0-9]{2}) ${time} GMT$`),
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${month} (?<day>[0-9]{2}| [0-9]) ${time} (?<year>[0-9]{4})$`),
];

/** Two digits mean the year that is nearest to the years in which such dates were written. */
const fullYear = (text: string): number => {
  const year = Number(text);
  if (text.length === 4) return year;
  return year < 70 ? 2000 + year : 1900 + year;
};

/** In milliseconds; undefined for what is no date. */
export const parseHttpDate = (text: string): number | undefined => {
  const groups = forms.map((form) => form.exec(text)?.groups).find((found) => found !== undefined);
  if (groups === undefined) return undefined;
  const { day = '', month: name = '', year = '', hour = '', minute = '', second = '' } = groups;
  const parts = [fullYear(year), months.indexOf(name), Number(day), Number(hour), Number(minute), Number(second)] as const;
  if (parts[3] > 23 || parts[4] > 59 || parts[5] > 60) return undefined;
  const date = new Date(Date.UTC(...parts));
  return date.getUTCDate() === parts[2] || parts[5] === 60 ? date.getTime() : undefined; // the 31st of June is no date
};

/** In whole seconds, as all dates of HTTP. */
export const httpDate = (ms: number): string => new Date(ms).toUTCString();
