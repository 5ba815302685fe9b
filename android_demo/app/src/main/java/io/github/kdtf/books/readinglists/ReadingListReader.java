package io.github.kdtf.books.readinglists;

import io.github.kdtf.books.readinglists.ReadingListException.Reason;
import io.github.kdtf.books.readinglists.ReadingListFormat.Field;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/** The rows of a reading list. Cells are texts: a formula in one means nothing. */
final class ReadingListReader {
    private static final Pattern JSON = Pattern.compile("\\s*[{\\[]");
    private static final Pattern RATING = Pattern.compile("[0-9]{1,3}([.,][0-9]{1,9})?");
    private static final Field[] ORDER_DATES = {Field.FINISHED, Field.ADDED, Field.STARTED};

    final ReadingListFormat format;

    /** All books in the order of the file, at least one. */
    final List<Entry> entries = new ArrayList<>();

    /** Texts in place of dates of books that were read. */
    int unclearDates;

    private final Map<String, Integer> columns = new HashMap<>();
    private final List<List<String>> rows = new ArrayList<>();

    ReadingListReader(InputStream stream) throws ReadingListException {
        String text = FileBytes.read(stream);
        boolean isJson = JSON.matcher(text).lookingAt();
        List<List<String>> records =
                isJson ? OpenreadsBackup.split(text) : Records.split(text);
        List<String> header = records.isEmpty() ? new ArrayList<String>() : records.get(0);
        for (int i = header.size() - 1; i >= 0; i--) {
            columns.put(header.get(i).toLowerCase(Locale.ROOT), i);
        }
        if (!columns.containsKey("title")) {
            throw new ReadingListException(Reason.NO_TITLE_COLUMN);
        }
        format = isJson ? ReadingListFormat.OPENREADS : ReadingListFormat.of(columns.keySet());
        for (List<String> record : records.subList(1, records.size())) {
            String deleted = cell(record, "deleted"); // Openreads keeps what was deleted
            if (!deleted.equalsIgnoreCase("true") && !deleted.equals("1")) {
                rows.add(record);
            }
        }
        if (rows.isEmpty()) {
            throw new ReadingListException(Reason.NO_ROWS);
        }
        readEntries();
    }

    private void readEntries() {
        Dates.DayOrder order = new Dates.DayOrder();
        double highest = 0;
        for (List<String> row : rows) {
            highest = Math.max(highest, rating(row));
            for (Field field : new Field[] {Field.FINISHED, Field.ADDED, Field.STARTED,
                    Field.STOPPED}) {
                for (String cell : cells(row, field)) {
                    for (String text : Dates.list(cell)) {
                        order.add(text);
                    }
                }
            }
        }
        double scale = highest <= 5 ? 1 : highest <= 10 ? 2 : 20;
        for (List<String> row : rows) {
            entries.add(entry(row, scale, order.isDayFirst()));
        }
    }

    private Entry entry(List<String> row, double scale, Boolean isDayFirst) {
        double rating = rating(row);
        Status status = Status.of(cells(row, Field.SHELF), cells(row, Field.TAGS));
        boolean isAssumed = false;
        if (status == null) {
            String count = first(row, Field.READ_COUNT);
            if (hasDate(row, Field.STOPPED)) {
                status = Status.ABANDONED;
            } else if (rating > 0 || hasDate(row, Field.FINISHED)
                    || !count.isEmpty() && !count.equals("0")) {
                status = Status.READ;
            } else if (hasDate(row, Field.STARTED)) {
                status = Status.READING;
            } else if (count.equals("0")) {
                status = Status.TO_READ;
            } else {
                status = Status.READ;
                isAssumed = true;
            }
        }
        StringBuilder authors = new StringBuilder(first(row, Field.AUTHOR));
        for (String more : cells(row, Field.MORE_AUTHORS)) {
            authors.append(',').append(more);
        }
        List<String> isbns = new ArrayList<>();
        for (String cell : cells(row, Field.ISBNS)) {
            isbns.addAll(Isbns.list(cell));
        }
        return new Entry(cell(row, "title"), first(row, Field.AUTHOR), authors.toString(), isbns,
                status, isAssumed, rating / scale, date(row, status, isDayFirst));
    }

    /** When the book was read, else added, else begun. */
    private long date(List<String> row, Status status, Boolean isDayFirst) {
        for (Field field : ORDER_DATES) {
            for (String cell : cells(row, field)) {
                List<String> texts = Dates.list(cell);
                long date = Dates.latest(texts, isDayFirst);
                if (date != 0) {
                    return date;
                }
                if (!texts.isEmpty() && status == Status.READ) {
                    unclearDates++;
                }
            }
        }
        return 0;
    }

    private boolean hasDate(List<String> row, Field field) {
        for (String cell : cells(row, field)) {
            if (!Dates.list(cell).isEmpty()) {
                return true;
            }
        }
        return false;
    }

    /** 0 if there is none. */
    private double rating(List<String> row) {
        String cell = first(row, Field.RATING);
        return RATING.matcher(cell).matches() ? Double.parseDouble(cell.replace(',', '.')) : 0;
    }

    private String first(List<String> row, Field field) {
        List<String> cells = cells(row, field);
        return cells.isEmpty() ? "" : cells.get(0);
    }

    /** Those that are not empty. */
    private List<String> cells(List<String> row, Field field) {
        List<String> cells = new ArrayList<>();
        for (String column : format.columns(field)) {
            String cell = cell(row, column);
            if (!cell.isEmpty()) {
                cells.add(cell);
            }
        }
        return cells;
    }

    private String cell(List<String> row, String column) {
        Integer place = columns.get(column);
        return place == null || place >= row.size() ? "" : row.get(place);
    }
}
