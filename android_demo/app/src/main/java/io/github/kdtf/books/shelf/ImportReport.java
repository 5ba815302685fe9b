package io.github.kdtf.books.shelf;

import java.util.List;

/** How the last import went; kept until the next one. */
public final class ImportReport {
    /** Name of the reason for which the file was refused; null for one that was read. */
    public final String refused;

    public final int rows;
    public final int imported;
    public final int already;
    public final int repeated;
    public final int unread;

    /** Title and author of each. */
    public final List<String[]> unmatched;

    public ImportReport(String refused, int rows, int imported, int already, int repeated,
            int unread, List<String[]> unmatched) {
        this.refused = refused;
        this.rows = rows;
        this.imported = imported;
        this.already = already;
        this.repeated = repeated;
        this.unread = unread;
        this.unmatched = unmatched;
    }
}
