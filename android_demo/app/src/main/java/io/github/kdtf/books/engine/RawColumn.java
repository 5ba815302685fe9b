package io.github.kdtf.books.engine;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.GregorianCalendar;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TimeZone;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A raw column of a row, and how its values are read by the rules of docs/reference/features.md: a
 * value is null, a Boolean, a Number or a String, or of a list column a List of these. What it
 * cannot be is an {@link IllegalArgumentException} that names the column.
 */
final class RawColumn {
    enum Type { CATEGORY, LIST, NUMBER, DATE }

    /** What is cut off at both ends of a text. */
    private static final String BLANKS = "\t\n\u000b\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004"
            + "\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff";

    /** A number as text, without blanks around it. */
    private static final Pattern NUMBER =
            Pattern.compile("[+-]?(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?");

    /** A number whose zeros at the end of the fraction do not count. */
    private static final Pattern PLAIN_FRACTION = Pattern.compile("-?(?:0|[1-9][0-9]*)\\.[0-9]*");

    private static final Pattern TIME = Pattern.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})"
            + "(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]{1,9})?)?"
            + "(?: ?(?:[Zz]|([+-])([0-9]{2})(?::?([0-9]{2}))?))?)?");

    /** From here on a number that is a time counts milliseconds. */
    private static final double MILLISECONDS_FROM = 1e11;

    /** Smaller numbers are no times: they are dates such as 20240131, days, or places. */
    private static final double SECONDS_FROM = 1e8;

    /** The years 1 to 9999. */
    private static final long FIRST_SECOND = -62_135_596_800L;

    private static final long LAST_SECOND = 253_402_300_799L;

    private static final BigInteger LARGEST_INTEGER = BigInteger.TEN.pow(300);

    /** To the nearest, the even one of two; but there it may not be what reads back. */
    private static final RoundingMode[] ROUNDING = {
        RoundingMode.HALF_EVEN, RoundingMode.FLOOR, RoundingMode.CEILING
    };

    private static final long WHOLE_DOUBLES = 1L << 53;
    private static final int MAX_SHOWN_LENGTH = 60;

    final String name;
    final Type type;

    /** What stands between the values of a list in a text; empty for other types. */
    final String separator;

    /** Texts that stand for a missing value, beyond the empty one. */
    final Set<String> missing;

    RawColumn(String name, Type type, String separator, Set<String> missing) {
        this.name = name;
        this.type = type;
        this.separator = separator;
        this.missing = missing;
    }

    /** The canonical text of a value; null where it is missing. */
    String category(Object value) {
        if (value == null) {
            return null;
        }
        if (value instanceof String) {
            return canonical((String) value, missing);
        }
        if (value instanceof Boolean) {
            return value.toString();
        }
        if (isWhole(value)) {
            return whole(value).toString();
        }
        if (value instanceof Number) {
            double number = ((Number) value).doubleValue();
            return Double.isNaN(number) ? null : format(finite(number));
        }
        throw error("must be a text or a number, not " + show(value));
    }

    /** The canonical texts of a list, each once, in their order; empty where it is missing. */
    List<String> list(Object value) {
        List<?> parts = Collections.singletonList(value);
        if (value instanceof List) {
            parts = (List<?>) value;
        } else if (value instanceof String) {
            String text = trim((String) value);
            parts = missing.contains(text) ? Collections.emptyList() : split(text, separator);
        }
        Set<String> texts = new LinkedHashSet<>();
        for (Object part : parts) {
            String text = category(part);
            if (text != null) {
                texts.add(text);
            }
        }
        return new ArrayList<>(texts);
    }

    /** A number; NaN where it is missing. */
    double number(Object value) {
        if (value == null) {
            return Double.NaN;
        }
        if (value instanceof String) {
            String text = trim((String) value);
            if (text.isEmpty() || missing.contains(text)) {
                return Double.NaN;
            }
            if (!NUMBER.matcher(text).matches()) {
                throw error("must be a number, not " + show(value));
            }
            return finite(Double.parseDouble(text));
        }
        if (value instanceof Boolean) {
            return (Boolean) value ? 1 : 0;
        }
        if (isWhole(value)) {
            return whole(value).doubleValue();
        }
        if (value instanceof Number) {
            double number = ((Number) value).doubleValue();
            return Double.isNaN(number) ? number : finite(number);
        }
        throw error("must be a number, not " + show(value));
    }

    /**
     * Whole Unix seconds, rounded down, of a time in ISO 8601, or of a number of seconds or
     * milliseconds since 1970; NaN where it is missing.
     */
    double seconds(Object value) {
        if (value instanceof Boolean) {
            throw error("must be a time, not " + value);
        }
        if (value instanceof String) {
            String text = trim((String) value);
            if (text.isEmpty() || missing.contains(text)) {
                return Double.NaN;
            }
            Matcher parts = TIME.matcher(text);
            if (parts.matches()) {
                return combine(parts, value);
            }
            if (!NUMBER.matcher(text).matches()) {
                throw noTime(value);
            }
        }
        double number = number(value);
        if (Double.isNaN(number) || number == 0 || number == -1) {
            return Double.NaN;
        }
        double seconds = Math.floor(
                Math.abs(number) >= MILLISECONDS_FROM ? number / 1000 : number);
        if (number < SECONDS_FROM || seconds > LAST_SECOND) {
            throw noTime(value);
        }
        return seconds;
    }

    /** The canonical form of a text; null where it is missing. */
    static String canonical(String value, Set<String> missing) {
        String text = trim(value);
        if (text.isEmpty() || missing.contains(text)) {
            return null;
        }
        // No letter beyond ASCII is one of these in lower case; equalsIgnoreCase knows others.
        String lower = text.toLowerCase(Locale.ROOT);
        if (lower.equals("true") || lower.equals("false")) {
            return lower;
        }
        if (PLAIN_FRACTION.matcher(text).matches()) {
            int end = text.length();
            while (text.charAt(end - 1) == '0') {
                end--;
            }
            text = text.substring(0, text.charAt(end - 1) == '.' ? end - 1 : end);
        }
        return text.equals("-0") ? "0" : joinSurrogates(text);
    }

    /** A text that UTF-8 can write: half a surrogate pair becomes U+FFFD. */
    static String joinSurrogates(String text) {
        StringBuilder joined = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); ) {
            int character = text.codePointAt(i);
            i += Character.charCount(character);
            boolean half = character >= Character.MIN_SURROGATE
                    && character <= Character.MAX_SURROGATE;
            joined.appendCodePoint(half ? 0xfffd : character);
        }
        return joined.toString();
    }

    /** Without the blanks at both ends; String.trim knows others. */
    static String trim(String text) {
        int start = 0;
        int end = text.length();
        while (start < end && BLANKS.indexOf(text.charAt(start)) >= 0) {
            start++;
        }
        while (start < end && BLANKS.indexOf(text.charAt(end - 1)) >= 0) {
            end--;
        }
        return text.substring(start, end);
    }

    /**
     * A finite number with the fewest digits that read back, and the nearest of these, the even one
     * of two, without exponent. Double.toString may give more of them: 4.9E-324 for 5E-324.
     */
    private static String format(double number) {
        if (number == Math.rint(number) && Math.abs(number) < WHOLE_DOUBLES) {
            return Long.toString((long) number);
        }
        BigDecimal exact = new BigDecimal(number);
        BigDecimal nearest = null;
        for (int digits = 1; nearest == null; digits++) {
            for (RoundingMode mode : ROUNDING) {
                BigDecimal rounded = exact.round(new MathContext(digits, mode));
                boolean nearer = nearest == null || rounded.subtract(exact).abs()
                        .compareTo(nearest.subtract(exact).abs()) < 0;
                if (nearer && Double.parseDouble(rounded.toString()) == number) {
                    nearest = rounded;
                }
            }
        }
        return nearest.stripTrailingZeros().toPlainString();
    }

    private static List<String> split(String text, String separator) {
        List<String> parts = new ArrayList<>();
        int start = 0;
        for (int end; (end = text.indexOf(separator, start)) >= 0; ) {
            parts.add(text.substring(start, end));
            start = end + separator.length();
        }
        parts.add(text.substring(start));
        return parts;
    }

    private double combine(Matcher parts, Object value) {
        int hour = part(parts, 4);
        int minute = part(parts, 5);
        int second = part(parts, 6);
        int offset = (part(parts, 8) * 60 + part(parts, 9)) * 60;
        boolean exists = hour < 24 && minute < 60 && second <= 60
                && part(parts, 8) < 24 && part(parts, 9) < 60;
        long seconds = hour * 3600L + minute * 60 + second
                + ("-".equals(parts.group(7)) ? offset : -offset);
        try {
            GregorianCalendar calendar = calendar();
            calendar.setLenient(false);
            calendar.clear();
            calendar.set(part(parts, 1), part(parts, 2) - 1, part(parts, 3));
            seconds += calendar.getTimeInMillis() / 1000;
        } catch (IllegalArgumentException error) {
            exists = false;
        }
        if (!exists) {
            throw error("must be a time that exists, not " + show(value));
        }
        if (seconds < FIRST_SECOND || seconds > LAST_SECOND) {
            throw error("must be a time of the years 1 to 9999, not " + show(value));
        }
        return seconds;
    }

    private static int part(Matcher parts, int group) {
        String digits = parts.group(group);
        return digits == null ? 0 : Integer.parseInt(digits);
    }

    /** In UTC, with the rules of today in all centuries. */
    static GregorianCalendar calendar() {
        GregorianCalendar calendar =
                new GregorianCalendar(TimeZone.getTimeZone("UTC"), Locale.ROOT);
        calendar.setGregorianChange(new Date(Long.MIN_VALUE));
        return calendar;
    }

    private static boolean isWhole(Object value) {
        return value instanceof Integer || value instanceof Long || value instanceof Short
                || value instanceof Byte || value instanceof BigInteger;
    }

    private Number whole(Object value) {
        if (value instanceof BigInteger
                && ((BigInteger) value).abs().compareTo(LARGEST_INTEGER) >= 0) {
            throw error("is too large a number");
        }
        return (Number) value;
    }

    private double finite(double number) {
        if (Double.isInfinite(number)) {
            throw error("is infinite");
        }
        return number;
    }

    private IllegalArgumentException noTime(Object value) {
        return error("must be a time in ISO 8601 or Unix seconds, not " + show(value));
    }

    private IllegalArgumentException error(String what) {
        return new IllegalArgumentException("column '" + name + "' " + what);
    }

    private static String show(Object value) {
        if (value instanceof List) {
            return "a list";
        }
        if (!(value instanceof String || value instanceof Number)) {
            return "an object";
        }
        String text = value instanceof String ? "'" + value + "'" : value.toString();
        return text.length() > MAX_SHOWN_LENGTH
                ? text.substring(0, MAX_SHOWN_LENGTH) + "…" : text;
    }
}
