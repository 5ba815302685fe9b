package io.github.kdtf.books;

import android.content.res.Resources;
import io.github.kdtf.books.engine.BundleException;
import java.util.ArrayList;
import java.util.List;

/** What a reader is told about a bundle that cannot be used. */
final class RefusalRows {
    private RefusalRows() {}

    static List<Row> of(Resources resources, BundleException refusal) {
        List<Row> rows = new ArrayList<>();
        Row sheet = Row.sheet(resources.getString(R.string.refused_title),
                resources.getString(Words.refusal(refusal.problem)) + "\n\n"
                        + resources.getString(R.string.refused_shelf_kept));
        sheet.warning = true;
        rows.add(sheet);
        rows.add(Row.note(resources.getString(R.string.refused_detail, refusal.file,
                refusal.detail)));
        return rows;
    }
}
