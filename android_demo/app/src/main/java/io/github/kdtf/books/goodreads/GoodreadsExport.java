package io.github.kdtf.books.goodreads;

import io.github.kdtf.books.goodreads.GoodreadsException.Reason;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The rows of a library export. Cells are texts: a formula in one means nothing. */
final class GoodreadsExport {
    static final int MAX_BYTES = 20000000;

    private static final Pattern DATE = Pattern.compile("([0-9]{4})/([0-9]{2})/([0-9]{2})");
    private static final List<String> UNREAD_SHELVES = Arrays.asList("to-read", "currently-reading");

    private final Map<String, Integer> columns = new HashMap<>();

    private GoodreadsExport(List<String> header) throws GoodreadsException {
        for (int i = 0; header != null && i < header.size(); i++) {
            String name = header.get(i).toLowerCase(Locale.ROOT);
            if (!columns.containsKey(name)) {
                columns.put(name, i);
            }
        }
        if (!columns.containsKey("title")) {
            throw new GoodreadsException(Reason.NO_TITLE_COLUMN);
        }
    }

    /** All rows in the order of the file, at least one. */
    static List<LibraryRow> read(InputStream stream) throws GoodreadsException {
        CsvReader csv = new CsvReader(decode(readAll(stream)));
        // Read to the end first: a quote that is never closed says more than what it swallowed.
        List<List<String>> records = new ArrayList<>();
        for (List<String> record; (record = csv.next()) != null; ) {
            records.add(record);
        }
        GoodreadsExport export = new GoodreadsExport(records.isEmpty() ? null : records.get(0));
        if (records.size() < 2) {
            throw new GoodreadsException(Reason.NO_ROWS);
        }
        List<LibraryRow> rows = new ArrayList<>();
        for (List<String> record : records.subList(1, records.size())) {
            rows.add(export.row(record));
        }
        return rows;
    }

    private LibraryRow row(List<String> record) {
        int read = date(cell(record, "date read"));
        return new LibraryRow(cell(record, "title"), cell(record, "author"),
                cell(record, "additional authors"), cell(record, "isbn13"), cell(record, "isbn"),
                read != 0 ? read : date(cell(record, "date added")),
                !UNREAD_SHELVES.contains(cell(record, "exclusive shelf").toLowerCase(Locale.ROOT)));
    }

    private String cell(List<String> record, String column) {
        Integer place = columns.get(column);
        return place == null || place >= record.size() ? "" : record.get(place);
    }

    private static int date(String cell) {
        Matcher matcher = DATE.matcher(cell);
        if (!matcher.matches()) {
            return 0;
        }
        int month = Integer.parseInt(matcher.group(2));
        int day = Integer.parseInt(matcher.group(3));
        boolean real = 1 <= month && month <= 12 && 1 <= day && day <= 31;
        return real ? Integer.parseInt(matcher.group(1)) * 10000 + month * 100 + day : 0;
    }

    private static byte[] readAll(InputStream stream) throws GoodreadsException {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        byte[] buffer = new byte[1 << 16];
        try {
            for (int count; (count = stream.read(buffer)) > 0; ) {
                content.write(buffer, 0, count);
                if (content.size() > MAX_BYTES) {
                    throw new GoodreadsException(Reason.TOO_LARGE);
                }
            }
        } catch (IOException | RuntimeException error) { // another app hands the file over
            throw new GoodreadsException(Reason.UNREADABLE);
        }
        return content.toByteArray();
    }

    private static String decode(byte[] bytes) throws GoodreadsException {
        Charset charset = StandardCharsets.UTF_8;
        int mark = 0;
        if (startsWith(bytes, 0xEF, 0xBB, 0xBF)) {
            mark = 3;
        } else if (startsWith(bytes, 0xFF, 0xFE)) {
            charset = StandardCharsets.UTF_16LE;
            mark = 2;
        } else if (startsWith(bytes, 0xFE, 0xFF)) {
            charset = StandardCharsets.UTF_16BE;
            mark = 2;
        }
        try {
            return charset.newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(bytes, mark, bytes.length - mark)).toString();
        } catch (CharacterCodingException error) {
            throw new GoodreadsException(Reason.ENCODING);
        }
    }

    private static boolean startsWith(byte[] bytes, int... start) {
        for (int i = 0; i < start.length; i++) {
            if (i == bytes.length || (bytes[i] & 0xFF) != start[i]) {
                return false;
            }
        }
        return true;
    }
}
