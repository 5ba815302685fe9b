package io.github.kdtf.books.readinglists;

import io.github.kdtf.books.engine.PlainText;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What was done with a book; of several words the first of these counts. */
enum Status {
    ABANDONED,
    READ,
    READING,
    TO_READ;

    private static final Map<String, Status> TAGS = new HashMap<>();
    private static final Map<String, Status> SHELVES = new HashMap<>();

    static {
        put(TAGS, ABANDONED, "abandoned", "did not finish", "dnf", "gave up", "gave up on");
        put(TAGS, READ, "read", "already read");
        put(TAGS, READING, "currently reading");
        put(TAGS, TO_READ, "to read", "tbr", "unread", "want to read", "wishlist");
        SHELVES.putAll(TAGS);
        // As a tag, these may describe the book itself, such as a series that is not finished.
        put(SHELVES, ABANDONED, "dropped", "stopped", "stopped reading", "unfinished");
        put(SHELVES, READ, "completed", "finished", "read but unowned", "true", "yes");
        put(SHELVES, READING, "in progress", "on hold", "paused", "reading", "started");
        put(SHELVES, TO_READ, "false", "for later", "no", "not started", "planned", "wish list");
    }

    private static void put(Map<String, Status> words, Status status, String... names) {
        for (String name : names) {
            words.put(name, status);
        }
    }

    /** What shelves and tags say; null if nothing. A tag "dnf" is stronger than a shelf "read". */
    static Status of(List<String> shelves, List<String> tags) {
        Status status = strongest(shelves, SHELVES);
        if (status == null || status == READ) {
            Status tag = strongest(tags, TAGS);
            if (tag == ABANDONED || status == null) {
                return tag;
            }
        }
        return status;
    }

    private static Status strongest(List<String> cells, Map<String, Status> words) {
        Status strongest = null;
        for (String cell : cells) {
            for (String name : cell.split("[,|]")) {
                Status status = PlainText.isLong(name) ? null : words.get(PlainText.of(name));
                if (status != null && (strongest == null || status.compareTo(strongest) < 0)) {
                    strongest = status;
                }
            }
        }
        return strongest;
    }
}
