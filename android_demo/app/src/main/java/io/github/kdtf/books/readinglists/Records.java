package io.github.kdtf.books.readinglists;

import io.github.kdtf.books.readinglists.ReadingListException.Reason;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Text into records of trimmed cells: CSV as RFC 4180 has it, or lines with tabs. Records whose
 * every cell is blank are left out.
 */
final class Records {
    private static final Pattern FIRST_LINE = Pattern.compile("[\\s\ufeff,;]*([^\r\n]*)");
    private static final Pattern EXCEL_SEPARATOR =
            Pattern.compile("\"?sep=([,;\t])\"?", Pattern.CASE_INSENSITIVE);

    private final List<List<String>> records = new ArrayList<>();

    private Records() {}

    static List<List<String>> split(String text) throws ReadingListException {
        Matcher line = FIRST_LINE.matcher(text);
        String first = line.lookingAt() ? line.group(1) : "";
        Matcher excel = EXCEL_SEPARATOR.matcher(first);
        boolean isNamed = excel.matches();
        char separator = isNamed ? excel.group(1).charAt(0) : mostFrequent(first);
        Records made = new Records();
        if (separator == '\t') {
            made.splitLines(text);
        } else {
            made.splitQuoted(text, separator);
        }
        // Spreadsheets name the separator in a line of its own, before the header.
        return isNamed ? made.records.subList(1, made.records.size()) : made.records;
    }

    private static char mostFrequent(String line) {
        String bare = line.replaceAll("\"[^\"]*\"", "");
        char best = ',';
        for (char separator : new char[] {'\t', ';'}) {
            if (count(bare, separator) > count(bare, best)) {
                best = separator;
            }
        }
        return best;
    }

    private static int count(String text, char wanted) {
        int count = 0;
        for (int i = 0; i < text.length(); i++) {
            count += text.charAt(i) == wanted ? 1 : 0;
        }
        return count;
    }

    /** Quotes are characters here: titles of LibraryThing have them. */
    private void splitLines(String text) {
        for (String line : text.split("\r\n|\r|\n")) {
            List<String> cells = new ArrayList<>();
            for (String cell : line.split("\t", -1)) {
                cells.add(withoutQuotes(trimmed(cell)));
            }
            add(cells);
        }
    }

    private static String withoutQuotes(String cell) {
        if (cell.length() < 2 || !cell.startsWith("\"") || !cell.endsWith("\"")) {
            return cell;
        }
        String inner = cell.substring(1, cell.length() - 1);
        return inner.replace("\"\"", "").indexOf('"') >= 0 ? cell
                : trimmed(inner.replace("\"\"", "\""));
    }

    private void splitQuoted(String text, char separator) throws ReadingListException {
        List<String> cells = new ArrayList<>();
        StringBuilder cell = new StringBuilder();
        int place = 0;
        while (place < text.length()) {
            cell.setLength(0);
            if (text.charAt(place) == '"') {
                place++;
                while (true) {
                    int quote = text.indexOf('"', place);
                    if (quote < 0) {
                        throw new ReadingListException(Reason.UNCLOSED_QUOTE);
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
            while (place < text.length() && !isEnd(text.charAt(place), separator)) {
                place++;
            }
            cells.add(trimmed(cell.append(text, start, place).toString()));
            char end = place < text.length() ? text.charAt(place) : '\n';
            place += text.startsWith("\r\n", place) ? 2 : 1;
            if (end != separator) {
                add(cells);
                cells = new ArrayList<>();
            }
        }
        add(cells);
    }

    private static boolean isEnd(char character, char separator) {
        return character == separator || character == '\r' || character == '\n';
    }

    private void add(List<String> cells) {
        for (String cell : cells) {
            if (!cell.isEmpty()) {
                records.add(cells);
                return;
            }
        }
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
