package io.github.kdtf.books;

import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.os.Bundle;
import android.view.View;
import android.widget.ListView;
import android.widget.TextView;
import io.github.kdtf.books.readinglists.ReadingListException;
import io.github.kdtf.books.shelf.ImportReport;
import io.github.kdtf.books.shelf.ImportReport.Count;
import java.util.ArrayList;
import java.util.List;

/**
 * Brings an exported reading list onto the shelf. The system's own file picker hands over one file, so
 * no permission is needed.
 */
public final class ImportActivity extends Activity implements Library.Listener {
    /** Whether to begin with the report of the last import. */
    static final String LAST = "last";

    private static final String CHOSEN = "chosen";
    private static final int PICK = 1;

    private Library library;
    private LibraryState state;
    private UndoBar undoBar;
    private RowAdapter adapter;

    /** A file was chosen: from then on there is a report. */
    private boolean chosen;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.activity_list);
        ((TextView) findViewById(R.id.screen_title)).setText(R.string.import_title);
        Headings.mark(findViewById(R.id.screen_title));
        findViewById(R.id.back).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                finish();
            }
        });
        chosen = saved != null ? saved.getBoolean(CHOSEN) : getIntent().getBooleanExtra(LAST, false);
        library = BooksApplication.library(this);
        undoBar = new UndoBar(this, library);
        adapter = new RowAdapter(this.<ListView>findViewById(R.id.rows));
        library.addListener(this);
    }

    @Override
    protected void onSaveInstanceState(Bundle saved) {
        super.onSaveInstanceState(saved);
        saved.putBoolean(CHOSEN, chosen);
    }

    @Override
    protected void onDestroy() {
        library.removeListener(this);
        super.onDestroy();
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        if (request == PICK && result == RESULT_OK && data != null && data.getData() != null) {
            chosen = true;
            library.importReadingList(getContentResolver(), data.getData());
        }
    }

    @Override
    public void onLibrary(LibraryState state) {
        this.state = state;
        undoBar.show(state);
        List<Row> rows = new ArrayList<>();
        if (chosen && state.lastImport != null && !state.importing) {
            addReport(rows, state.lastImport);
        }
        rows.add(Row.text(getString(R.string.import_how)));
        if (state.phase == LibraryState.Phase.READY && !state.importing) {
            rows.add(Row.button(getString(R.string.import_choose), new View.OnClickListener() {
                @Override
                public void onClick(View view) {
                    pick();
                }
            }));
        }
        adapter.show(rows);
        say(status());
    }

    private String status() {
        if (state.phase == LibraryState.Phase.OPENING) {
            return getString(R.string.opening);
        }
        if (state.importing) {
            return getString(R.string.import_running);
        }
        if (!chosen || state.lastImport == null) {
            return "";
        }
        return state.lastImport.refused != null ? getString(R.string.import_refused_title)
                : count(R.plurals.import_done, state.lastImport.get(Count.IMPORTED));
    }

    private void pick() {
        // Phones call a CSV file many things, spreadsheets among them; a backup is a ZIP archive.
        Intent intent = new Intent(Intent.ACTION_OPEN_DOCUMENT)
                .addCategory(Intent.CATEGORY_OPENABLE)
                .setType("*/*")
                .putExtra(Intent.EXTRA_MIME_TYPES, new String[] {"text/*", "application/csv",
                        "application/vnd.ms-excel", "application/octet-stream",
                        "application/zip", "application/json"});
        try {
            startActivityForResult(intent, PICK);
        } catch (ActivityNotFoundException error) {
            say(getString(R.string.import_no_picker));
        }
    }

    private void addReport(List<Row> rows, ImportReport report) {
        if (report.refused != null) {
            Row sheet = Row.sheet(getString(R.string.import_refused_title),
                    getString(reason(report.refused)) + "\n\n" + getString(R.string.import_kept));
            sheet.warning = true;
            rows.add(sheet);
            return;
        }
        StringBuilder said = new StringBuilder(report.service == null
                ? getString(R.string.import_table)
                : getString(R.string.import_service, report.service));
        for (Count count : Count.values()) {
            if (count != Count.IMPORTED) {
                append(said, plural(count), report.get(count));
            }
        }
        append(said, R.plurals.import_unmatched, report.unmatched.size());
        rows.add(Row.sheet(count(R.plurals.import_done, report.get(Count.IMPORTED)),
                said.toString()));
        for (String[] one : report.unmatched) {
            String title = one[0].isEmpty() ? getString(R.string.import_untitled) : one[0];
            rows.add(Row.text(one[1].isEmpty() ? title
                    : Words.book(getResources(), title, one[1])));
        }
    }

    private static int plural(Count count) {
        switch (count) {
            case ROWS: return R.plurals.import_rows;
            case ALREADY: return R.plurals.import_already;
            case REPEATED: return R.plurals.import_repeated;
            case ASSUMED: return R.plurals.import_assumed;
            case UNREAD: return R.plurals.import_unread;
            case ABANDONED: return R.plurals.import_abandoned;
            case LOW_RATED: return R.plurals.import_low_rated;
            case HIDDEN: return R.plurals.import_hidden;
            default: return R.plurals.import_unclear_dates;
        }
    }

    private static int reason(String refused) {
        switch (ReadingListException.Reason.valueOf(refused)) {
            case TOO_LARGE: return R.string.import_too_large;
            case ENCODING: return R.string.import_encoding;
            case UNCLOSED_QUOTE: return R.string.import_unclosed_quote;
            case DAMAGED_BACKUP: return R.string.import_damaged_backup;
            case NO_TITLE_COLUMN: return R.string.import_no_title_column;
            case NO_ROWS: return R.string.import_no_rows;
            default: return R.string.import_unreadable;
        }
    }

    private void append(StringBuilder said, int plural, int number) {
        if (number > 0) {
            said.append('\n').append(count(plural, number));
        }
    }

    private String count(int plural, int number) {
        return getResources().getQuantityString(plural, number, number);
    }

    private void say(String sentence) {
        TextView status = findViewById(R.id.status);
        if (!sentence.contentEquals(status.getText())) {
            status.setText(sentence);
        }
        status.setVisibility(sentence.isEmpty() ? View.GONE : View.VISIBLE);
    }
}
