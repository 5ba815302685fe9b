package io.github.kdtf.books.readinglists;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** International standard book numbers. */
final class Isbns {
    private static final Pattern DECORATION =
            Pattern.compile("[=\"\\s\u00a0\\[\\]\u2010-\u2015-]+");
    private static final Pattern THIRTEEN = Pattern.compile("[0-9]{13}");
    private static final Pattern TEN = Pattern.compile("[0-9]{9}[0-9Xx]");

    private Isbns() {}

    /** Those in a cell with the right check digit, as 13 digits. */
    static List<String> list(String cell) {
        List<String> isbns = new ArrayList<>();
        for (String text : cell.split("[,;|]")) {
            String isbn = thirteen(DECORATION.matcher(text).replaceAll(""));
            if (isbn != null) {
                isbns.add(isbn);
            }
        }
        return isbns;
    }

    private static String thirteen(String bare) {
        if (THIRTEEN.matcher(bare).matches()) {
            return bare.charAt(12) == checkDigit(bare) ? bare : null;
        }
        if (!TEN.matcher(bare).matches()) {
            return null;
        }
        int sum = 0;
        for (int i = 0; i < 10; i++) {
            char digit = bare.charAt(i);
            sum += (10 - i) * (digit == 'X' || digit == 'x' ? 10 : digit - '0');
        }
        String body = "978" + bare.substring(0, 9);
        return sum % 11 == 0 ? body + checkDigit(body) : null;
    }

    private static char checkDigit(String digits) {
        int sum = 0;
        for (int i = 0; i < 12; i++) {
            sum += (digits.charAt(i) - '0') * (i % 2 == 0 ? 1 : 3);
        }
        return (char) ('0' + (10 - sum % 10) % 10);
    }
}
