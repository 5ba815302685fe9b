package io.github.kdtf.books.goodreads;

import io.github.kdtf.books.goodreads.GoodreadsException.Reason;
import java.util.ArrayList;
import java.util.List;

/** Records of a CSV text as RFC 4180 has them; records whose every cell is blank are left out. */
final class CsvReader {
    private final String text;
    private int place;

    CsvReader(String text) {
        this.text = text;
    }

    /** The next record, every cell trimmed; null at the end. */
    List<String> next() throws GoodreadsException {
        while (place < text.length()) {
            List<String> record = record();
            for (String cell : record) {
                if (!cell.isEmpty()) {
                    return record;
                }
            }
        }
        return null;
    }

    private List<String> record() throws GoodreadsException {
        List<String> cells = new ArrayList<>();
        while (true) {
            cells.add(trimmed(cell()));
            if (place == text.length()) {
                return cells;
            }
            char end = text.charAt(place++);
            if (end == '\r' && place < text.length() && text.charAt(place) == '\n') {
                place++;
            }
            if (end != ',') {
                return cells;
            }
        }
    }

    private String cell() throws GoodreadsException {
        StringBuilder cell = new StringBuilder();
        if (place < text.length() && text.charAt(place) == '"') {
            place++;
            while (true) {
                int quote = text.indexOf('"', place);
                if (quote < 0) {
                    throw new GoodreadsException(Reason.UNCLOSED_QUOTE);
                }
                cell.append(text, place, quote);
                place = quote + 1;
                if (place == text.length() || text.charAt(place) != '"') {
                    break;
                }
                cell.append('"');
                place++;
            }
        }
        int start = place;
        while (place < text.length() && ",\r\n".indexOf(text.charAt(place)) < 0) {
            place++;
        }
        return cell.append(text, start, place).toString();
    }

    /** Also without the blanks that {@link String#trim} does not know, such as U+00A0. */
    private static String trimmed(String cell) {
        int start = 0;
        int end = cell.length();
        while (start < end && isBlank(cell.charAt(start))) {
            start++;
        }
        while (start < end && isBlank(cell.charAt(end - 1))) {
            end--;
        }
        return cell.substring(start, end);
    }

    private static boolean isBlank(char character) {
        return Character.isWhitespace(character) || Character.isSpaceChar(character)
                || character == '\ufeff';
    }
}
