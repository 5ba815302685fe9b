package io.github.kdtf.books.shelf;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** How the last import went; kept until the next one. */
public final class ImportReport {
    /** What is counted, in the order in which it is told. */
    public enum Count {
        ROWS,
        IMPORTED,
        ALREADY,
        REPEATED,
        ASSUMED,
        UNREAD,
        ABANDONED,
        LOW_RATED,
        HIDDEN,
        UNCLEAR_DATES
    }

    /** Name of the reason for which the file was refused; null for one that was read. */
    public final String refused;

    /** The service that wrote the file; null if it is none that is known. */
    public final String service;

    /** Title and author of each. */
    public final List<String[]> unmatched;

    private final Map<Count, Integer> counts = new EnumMap<>(Count.class);

    public ImportReport(String refused, String service, List<String[]> unmatched) {
        this.refused = refused;
        this.service = service;
        this.unmatched = unmatched;
    }

    /** Sets a count, before the report is shared. */
    public ImportReport with(Count count, int number) {
        counts.put(count, number);
        return this;
    }

    public int get(Count count) {
        Integer number = counts.get(count);
        return number == null ? 0 : number;
    }
}
