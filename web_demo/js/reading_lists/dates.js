// Dates as services and spreadsheets write them, turned into numbers that keep their order.

/** Characters of a date; a longer text is none. */
const LONGEST = 60;

const MONTHS = [
  "january",
  "february",
  "march",
  "april",
  "may",
  "june",
  "july",
  "august",
  "september",
  "october",
  "november",
  "december",
];
const YEAR = "(?<year>[12][0-9]{3})";
const DAY_IN_WORDS = "(?<day>[0-9]{1,2})(?:st|nd|rd|th)?";
const NAME = "(?<name>[A-Za-z]{3,9})";
const TIME =
  "(?:[T ,]+(?<hour>[0-9]{1,2}):(?<minute>[0-9]{2})(?::(?<second>[0-9]{2})(?:[.,][0-9]+)?)?" +
  "(?: ?(?<half>[AaPp])\\.?[Mm]\\.?)?(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?)?";
const FORMS = [
  `${YEAR}(?<sign>[-/.])(?<month>[0-9]{1,2})\\k<sign>(?<day>[0-9]{1,2})`,
  `${YEAR}(?<month>[0-9]{2})(?<day>[0-9]{2})`,
  `${YEAR}(?:[-/.](?<month>[0-9]{1,2}))?`,
  `${DAY_IN_WORDS}[ .-]+${NAME}[ .,-]+${YEAR}`,
  `${NAME}[ .-]+${DAY_IN_WORDS}[ ,-]+${YEAR}`,
  `${NAME}[ .,-]+${YEAR}`,
].map((form) => new RegExp(`^${form}${TIME}$`));
const NUMBERS_THEN_YEAR = new RegExp(
  `^(?<first>[0-9]{1,2})(?<sign>[-/.])(?<other>[0-9]{1,2})\\k<sign>${YEAR}${TIME}$`,
);
const NO_DATE_OF_CALIBRE = "0101-01-01";

/**
 * @param {string} text
 * @param {boolean | null} isDayFirst Whether 03/10/2023 is in October; null if that is unknown.
 * @returns {number} Year, month, day, hour, minute and second, two digits each but for the year;
 *   parts that are not given are 0. 0 if the text is no date, or not known to be one.
 */
export function parseDate(text, isDayFirst) {
  if (text.length > LONGEST) return 0;
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups;
    if (parts) {
      const month = parts.name ? findMonth(parts.name) : toNumber(parts.month);
      return join(parts, month, toNumber(parts.day));
    }
  }
  const parts = NUMBERS_THEN_YEAR.exec(text)?.groups;
  if (!parts || (isDayFirst === null && parts.sign !== ".")) return 0;
  const [first, other] = [Number(parts.first), Number(parts.other)];
  return isDayFirst || parts.sign === "." ? join(parts, other, first) : join(parts, first, other);
}

/** @param {string | undefined} digits */
function toNumber(digits) {
  return digits === undefined ? null : Number(digits);
}

/**
 * @param {string} name
 * @returns {number} 0 if there is no such month.
 */
function findMonth(name) {
  const word = name.toLowerCase();
  if (word === "sept") return 9;
  return MONTHS.findIndex((month) => word === month || word === month.slice(0, 3)) + 1;
}

/**
 * @param {Record<string, string | undefined>} parts
 * @param {number | null} month
 * @param {number | null} day
 */
function join(parts, month, day) {
  if (month !== null && (month < 1 || month > 12)) return 0;
  if (day !== null && (day < 1 || day > 31)) return 0;
  let hour = Number(parts.hour ?? 0);
  if (parts.half) hour = (hour % 12) + (/p/i.test(parts.half) ? 12 : 0);
  return [month ?? 0, day ?? 0, hour, Number(parts.minute ?? 0), Number(parts.second ?? 0)].reduce(
    (number, part) => number * 100 + part,
    Number(parts.year),
  );
}

/**
 * @param {string} cell A date, perhaps in brackets (LibraryThing); dates and ranges, separated by
 *   commas (StoryGraph); or readings, separated by semicolons, of a first date, a last date and a
 *   duration, separated by bars (Openreads).
 * @returns {string[]} The texts that may be dates.
 */
export function listDates(cell) {
  if (cell.startsWith(NO_DATE_OF_CALIBRE)) return [];
  let texts = [cell];
  if (cell.includes("|")) {
    texts = cell.split(";").flatMap((reading) => reading.split("|").slice(0, 2));
  } else if (!isLikeADate(cell)) {
    texts = cell.split(",").flatMap((part) => (isLikeADate(part) ? [part] : part.split("-")));
  }
  return texts.map(withoutBrackets).filter((text) => text !== "");
}

/** @param {string} text */
function withoutBrackets(text) {
  let begin = 0;
  let end = text.length;
  while (begin < end && "[] ".includes(text[begin])) begin += 1;
  while (begin < end && "[] ".includes(text[end - 1])) end -= 1;
  return text.slice(begin, end);
}

/** @param {string} text */
function isLikeADate(text) {
  const bare = withoutBrackets(text);
  return parseDate(bare, true) > 0 || parseDate(bare, false) > 0;
}

/**
 * @param {Iterable<string>} texts All dates of a file.
 * @returns {boolean | null} Whether days come before months in 03/10/2023; null if no date tells,
 *   or if they contradict each other.
 */
export function detectDayFirst(texts) {
  let hasDayFirst = false;
  let hasMonthFirst = false;
  for (const text of texts) {
    const parts = text.length > LONGEST ? null : NUMBERS_THEN_YEAR.exec(text)?.groups;
    if (!parts || parts.sign === ".") continue;
    const [first, other] = [Number(parts.first), Number(parts.other)];
    hasDayFirst ||= first > 12 && other <= 12;
    hasMonthFirst ||= other > 12 && first <= 12;
  }
  return hasDayFirst === hasMonthFirst ? null : hasDayFirst;
}
