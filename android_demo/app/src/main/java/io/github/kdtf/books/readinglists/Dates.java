package io.github.kdtf.books.readinglists;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Dates as services and spreadsheets write them, turned into numbers that keep their order. */
final class Dates {
    /** Characters of a date; a longer text is none. */
    private static final int MAX_LENGTH = 60;

    private static final String NO_DATE_OF_CALIBRE = "0101-01-01";

    private static final List<String> MONTHS = Arrays.asList("january", "february", "march",
            "april", "may", "june", "july", "august", "september", "october", "november",
            "december");

    private static final String YEAR = "([12][0-9]{3})";
    private static final String DAY_IN_WORDS = "([0-9]{1,2})(?:st|nd|rd|th)?";
    private static final String NAME = "([A-Za-z]{3,9})";
    private static final String TIME =
            "(?:[T ,]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]+)?)?"
            + "(?: ?([AaPp])\\.?[Mm]\\.?)?(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?)?";

    /** A date in one form, and which of its groups are what; 0 where there is none. */
    private static final class Form {
        final Pattern pattern;
        final int year;
        final int month;
        final int day;

        /** The first of the four groups of the time. */
        final int hour;

        Form(String date, int year, int month, int day, int hour) {
            pattern = Pattern.compile(date + TIME);
            this.year = year;
            this.month = month;
            this.day = day;
            this.hour = hour;
        }
    }

    // Android 7 does not know groups by name.
    private static final Form[] FORMS = {
        new Form(YEAR + "([-/.])([0-9]{1,2})\\2([0-9]{1,2})", 1, 3, 4, 5),
        new Form(YEAR + "([0-9]{2})([0-9]{2})", 1, 2, 3, 4),
        new Form(YEAR + "(?:[-/.]([0-9]{1,2}))?", 1, 2, 0, 3),
        new Form(DAY_IN_WORDS + "[ .-]+" + NAME + "[ .,-]+" + YEAR, 3, 2, 1, 4),
        new Form(NAME + "[ .-]+" + DAY_IN_WORDS + "[ ,-]+" + YEAR, 3, 1, 2, 4),
        new Form(NAME + "[ .,-]+" + YEAR, 2, 1, 0, 3),
    };
    private static final String NUMBERS = "([0-9]{1,2})([-/.])([0-9]{1,2})\\2" + YEAR;
    private static final Form DAY_FIRST = new Form(NUMBERS, 4, 3, 1, 5);
    private static final Form MONTH_FIRST = new Form(NUMBERS, 4, 1, 3, 5);

    private Dates() {}

    /**
     * Year, month, day, hour, minute and second, two digits each but for the year; parts that are
     * not given are 0. 0 if the text is no date, or not known to be one.
     *
     * @param isDayFirst whether 03/10/2023 is in October; null if that is unknown
     */
    static long parse(String text, Boolean isDayFirst) {
        if (text.length() > MAX_LENGTH) {
            return 0;
        }
        for (Form form : FORMS) {
            Matcher matcher = form.pattern.matcher(text);
            if (matcher.matches()) {
                return number(matcher, form);
            }
        }
        Matcher matcher = DAY_FIRST.pattern.matcher(text);
        if (!matcher.matches()) {
            return 0;
        }
        if (matcher.group(2).equals(".")) {
            return number(matcher, DAY_FIRST);
        }
        return isDayFirst == null ? 0 : number(matcher, isDayFirst ? DAY_FIRST : MONTH_FIRST);
    }

    private static long number(Matcher matcher, Form form) {
        int month = 0;
        if (matcher.group(form.month) != null) {
            month = month(matcher.group(form.month));
            if (month < 1 || month > 12) {
                return 0;
            }
        }
        int day = form.day == 0 ? 0 : Integer.parseInt(matcher.group(form.day));
        if (form.day != 0 && (day < 1 || day > 31)) {
            return 0;
        }
        int hour = part(matcher, form.hour);
        String half = matcher.group(form.hour + 3);
        if (half != null) {
            hour = hour % 12 + (half.equalsIgnoreCase("p") ? 12 : 0);
        }
        long number = Long.parseLong(matcher.group(form.year));
        for (int part : new int[] {month, day, hour, part(matcher, form.hour + 1),
                part(matcher, form.hour + 2)}) {
            number = number * 100 + part;
        }
        return number;
    }

    private static int part(Matcher matcher, int group) {
        String digits = matcher.group(group);
        return digits == null ? 0 : Integer.parseInt(digits);
    }

    /** By number or English name; 0 if there is no such month. */
    private static int month(String text) {
        if (Character.isDigit(text.charAt(0))) {
            return Integer.parseInt(text);
        }
        String word = text.toLowerCase(Locale.ROOT);
        for (int i = 0; i < MONTHS.size(); i++) {
            if (word.equals(MONTHS.get(i)) || word.equals(MONTHS.get(i).substring(0, 3))) {
                return i + 1;
            }
        }
        return word.equals("sept") ? 9 : 0;
    }

    /** The latest of several dates; 0 where none is one. */
    static long latest(List<String> texts, Boolean isDayFirst) {
        long latest = 0;
        for (String text : texts) {
            latest = Math.max(latest, parse(text, isDayFirst));
        }
        return latest;
    }

    /**
     * The texts in a cell that may be dates: a date, perhaps in brackets (LibraryThing); dates and
     * ranges, separated by commas (StoryGraph); or readings, separated by semicolons, of a first
     * date, a last date and a duration, separated by bars (Openreads).
     */
    static List<String> list(String cell) {
        List<String> texts = new ArrayList<>();
        if (cell.startsWith(NO_DATE_OF_CALIBRE)) {
            return texts;
        }
        if (cell.indexOf('|') >= 0) {
            for (String reading : cell.split(";")) {
                String[] parts = reading.split("\\|", 3);
                for (int i = 0; i < Math.min(2, parts.length); i++) {
                    addBare(texts, parts[i]);
                }
            }
        } else if (isLikeADate(cell)) {
            addBare(texts, cell);
        } else {
            for (String part : cell.split(",")) {
                for (String text : isLikeADate(part) ? new String[] {part} : part.split("-")) {
                    addBare(texts, text);
                }
            }
        }
        return texts;
    }

    private static void addBare(List<String> texts, String text) {
        String bare = withoutBrackets(text);
        if (!bare.isEmpty()) {
            texts.add(bare);
        }
    }

    private static String withoutBrackets(String text) {
        int start = 0;
        int end = text.length();
        while (start < end && "[] ".indexOf(text.charAt(start)) >= 0) {
            start++;
        }
        while (start < end && "[] ".indexOf(text.charAt(end - 1)) >= 0) {
            end--;
        }
        return text.substring(start, end);
    }

    private static boolean isLikeADate(String text) {
        String bare = withoutBrackets(text);
        return parse(bare, true) != 0 || parse(bare, false) != 0;
    }

    /** Finds out from all dates of a file whether days come before months in 03/10/2023. */
    static final class DayOrder {
        private boolean hasDayFirst;
        private boolean hasMonthFirst;

        void add(String text) {
            Matcher matcher = DAY_FIRST.pattern.matcher(text);
            if (text.length() > MAX_LENGTH || !matcher.matches() || matcher.group(2).equals(".")) {
                return;
            }
            int first = Integer.parseInt(matcher.group(1));
            int other = Integer.parseInt(matcher.group(3));
            hasDayFirst |= first > 12 && other <= 12;
            hasMonthFirst |= other > 12 && first <= 12;
        }

        /** Null if no date tells, or if they contradict each other. */
        Boolean isDayFirst() {
            return hasDayFirst == hasMonthFirst ? null : hasDayFirst;
        }
    }
}
